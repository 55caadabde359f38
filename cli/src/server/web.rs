//! The page's address as the configuration wants it: where to listen, under which names, who is believed. Off loopback
//! nothing is served in the clear.

use std::net::SocketAddr;

use regatta_http::auth::Options;
use regatta_http::listener::{self, BindError};
use tokio::net::TcpListener;

use crate::config::WebSettings;
use crate::failure::{Exit, Failure};

/// An address that is listened on.
pub(super) struct Web {
    pub(super) listener: TcpListener,
    /// The page's address for people, without a path.
    pub(super) url: String,
    /// Whether others than this machine can reach it without TLS, through the named proxies alone.
    pub(super) is_exposed: bool,
}

/// Begins to listen.
pub(super) async fn open(settings: &WebSettings) -> Result<Web, Failure> {
    if let listener::Wanted::At(address) = settings.listen {
        refuse_in_the_clear(address, settings)?;
    }
    let listener = listener::bind_tcp(settings.listen).await.map_err(|error| busy(&error))?;
    let address = listener.local_addr()?;
    let is_exposed = !address.ip().is_loopback();
    Ok(Web { listener, url: url(address, settings), is_exposed })
}

fn busy(error: &BindError) -> Failure {
    Failure::caused("failed to open the page's address", error).hint(error.hint())
}

fn refuse_in_the_clear(address: SocketAddr, settings: &WebSettings) -> Result<(), Failure> {
    if address.ip().is_loopback() || !settings.proxies.is_empty() {
        return Ok(());
    }
    let message = format!("{address} can be reached from other machines, and nothing there would be encrypted");
    Err(Failure::new(Exit::Refused, message).hint(
        "put a proxy with TLS before it and name the proxy's address: --behind-proxy ADDRESS \
         (its X-Forwarded-* are believed then, nobody else's); or listen on 127.0.0.1 and use ssh -L",
    ))
}

fn url(address: SocketAddr, settings: &WebSettings) -> String {
    match settings.hosts.first() {
        Some(host) if !settings.proxies.is_empty() => format!("https://{host}"),
        Some(host) if !address.ip().is_loopback() => format!("http://{host}:{}", address.port()),
        Some(_) | None if address.ip().is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        Some(_) | None => format!("http://{address}"),
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
