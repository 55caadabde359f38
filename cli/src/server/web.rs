//! The page's address as the configuration wants it: where to listen, under which names, who is believed. Off loopback
//! nothing is served in the clear.

use std::net::SocketAddr;

use regatta_http::auth::Options;
use regatta_http::listener::{self, BindError, TlsAcceptor};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::WebSettings;
use crate::failure::{Exit, Failure};

/// An address that is listened on.
pub(super) struct Web {
    pub(super) listener: TcpListener,
    /// The page's address for people, without a path.
    pub(super) url: String,
    /// How TLS is spoken there, when it is.
    pub(super) tls: Option<TlsAcceptor>,
    /// Whether others than this machine can reach it without TLS, through the named proxies alone.
    pub(super) is_exposed: bool,
}

/// Begins to listen.
pub(super) async fn open(settings: &WebSettings) -> Result<Web, Failure> {
    if let listener::Wanted::At(address) = settings.listen {
        refuse_in_the_clear(address, settings)?;
    }
    let tls = settings.tls.as_ref().map(|(certificate, key)| listener::tls(certificate, key)).transpose();
    let tls = tls.map_err(|error| {
        Failure::caused("failed to serve the page over TLS", &error)
            .hint("both files are PEM: --tls-cert the chain, --tls-key its key")
    })?;
    let listener = listener::bind_tcp(settings.listen).await.map_err(|error| busy(&error))?;
    let address = listener.local_addr()?;
    let is_exposed = tls.is_none() && !address.ip().is_loopback();
    Ok(Web { listener, url: url(address, settings), tls, is_exposed })
}

fn busy(error: &BindError) -> Failure {
    Failure::caused("failed to open the page's address", error).hint(error.hint())
}

fn refuse_in_the_clear(address: SocketAddr, settings: &WebSettings) -> Result<(), Failure> {
    if address.ip().is_loopback() || settings.tls.is_some() || !settings.proxies.is_empty() {
        return Ok(());
    }
    let message = format!("{address} can be reached from other machines, and nothing there would be encrypted");
    Err(Failure::new(Exit::Refused, message).hint(
        "give it a certificate: --tls-cert FILE --tls-key FILE; or put a proxy with TLS before it and name that proxy's \
         address: --behind-proxy ADDRESS (its X-Forwarded-* are believed then, nobody else's); or listen on 127.0.0.1 \
         and use ssh -L",
    ))
}

fn url(address: SocketAddr, settings: &WebSettings) -> String {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    match settings.hosts.first() {
        Some(host) if !settings.proxies.is_empty() => format!("https://{host}"),
        Some(host) if !address.ip().is_loopback() || settings.tls.is_some() => {
            format!("{scheme}://{host}:{}", address.port())
        }
        Some(_) | None if address.ip().is_unspecified() => format!("{scheme}://127.0.0.1:{}", address.port()),
        Some(_) | None => format!("{scheme}://{address}"),
    }
}

/// How sign-in is set up.
pub(super) fn sign_in(settings: &WebSettings, install: &str, is_exposed: bool) -> Options {
    Options {
        install: install.to_owned(),
        hosts: settings.hosts.clone(),
        proxies: settings.proxies.clone(),
        is_exposed,
        session_max_ms: settings.session_max_ms,
        session_idle_ms: settings.session_idle_ms,
    }
}

impl Web {
    /// Serves until `stop`.
    pub(super) async fn serve(self, router: regatta_http::Router, stop: CancellationToken) -> std::io::Result<()> {
        match self.tls {
            Some(tls) => listener::serve_tls(self.listener, tls, router, stop).await,
            None => listener::serve_tcp(self.listener, router, stop).await,
        }
    }
}
