//! A server reached by its address: TLS, and the token that opens it. The token is never an argument, never shown, and
//! never sent where others could read it on the way. Knows nothing of what is asked.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hyper::header::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::failure::{Exit, Failure};

/// The variable that may hold the token.
pub(crate) const TOKEN_VARIABLE: &str = "REGATTA_TOKEN";
/// Most bytes read of a token's file.
const TOKEN_BYTES_MAX: u64 = 4 << 10;
const PORT_HTTPS: u16 = 443;
const PORT_HTTP: u16 = 80;

/// Anything that can be read and written.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// A server by its address.
#[derive(Clone)]
pub(crate) struct Remote {
    host: String,
    port: u16,
    /// How TLS is spoken there, when it is.
    tls: Option<Arc<ClientConfig>>,
    /// With the word before it, as it is sent.
    authorization: HeaderValue,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Remote {
    /// Reads where the server is and what opens it.
    pub(crate) fn new(server: &str, token_file: Option<&Path>, authority: Option<&Path>) -> Result<Self, Failure> {
        let (is_secure, host, port) = address(server)?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token(token_file)?))
            .map_err(|_| Failure::usage("the token holds characters no token has"))?;
        authorization.set_sensitive(true);
        let tls = is_secure.then(|| tls(authority)).transpose()?.map(Arc::new);
        Ok(Self { host, port, tls, authorization })
    }

    pub(crate) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// As it stands in the header `Host`.
    pub(crate) fn host(&self) -> Result<HeaderValue, Failure> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        HeaderValue::from_str(&format!("{host}:{}", self.port))
            .map_err(|_| Failure::usage(format!("{:?} is no host", self.host)))
    }

    /// Connects, and makes sure that it is who it should be.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Pipe>, Failure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| {
            Failure::caused(format!("failed to reach {}:{}", self.host, self.port), &error)
                .hint("is a server running there, on that port, and nothing in between that stops it?")
        })?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| Failure::usage(format!("{:?} is no name a certificate can have", self.host)))?;
        let secured = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        secured.map(|stream| Box::new(stream) as Box<dyn Pipe>).map_err(|error| {
            Failure::caused(format!("{} does not prove that it is {0}", self.host), &error)
                .hint("a certificate of your own has to be named: --server-ca FILE; a server without TLS is http://")
        })
    }
}

/// Scheme, host and port. Without TLS only this machine: a token is not shown to whoever listens on the way.
fn address(server: &str) -> Result<(bool, String, u16), Failure> {
    let wrong = || {
        Failure::usage(format!("{server:?} is no address of a server"))
            .hint("as https://regatta.example or http://127.0.0.1:7433")
    };
    let (scheme, rest) = server.split_once("://").ok_or_else(wrong)?;
    let is_secure = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(wrong()),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let uri: hyper::http::uri::Authority = authority.parse().map_err(|_| wrong())?;
    if authority.contains(['@', '/', '?', '#']) || uri.host().is_empty() {
        return Err(wrong());
    }
    let host = uri.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if !is_secure && !is_here {
        return Err(Failure::usage(format!("without TLS the token could be read on its way to {host}"))
            .hint("use https://; or bring the port here, ssh -L 7433:127.0.0.1:7433, and use http://127.0.0.1:7433"));
    }
    let port = uri.port_u16().unwrap_or(if is_secure { PORT_HTTPS } else { PORT_HTTP });
    Ok((is_secure, host, port))
}

/// Out of its file, or else out of the environment.
fn token(file: Option<&Path>) -> Result<String, Failure> {
    let text = match file {
        Some(path) => {
            let mut text = String::new();
            let read = File::open(path).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text));
            read.map_err(|error| {
                Failure::usage(format!("the token's file {} cannot be read: {error}", path.display()))
            })?;
            text
        }
        None => std::env::var(TOKEN_VARIABLE).unwrap_or_default(),
    };
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::usage("there is no token for that server").hint(format!(
            "make one there, `regatta token create NAME`, keep it in a file only you can read, and name it: \
             --token-file FILE (or set {TOKEN_VARIABLE})"
        )));
    }
    Ok(token.to_owned())
}

/// Trusts what this machine trusts; or one authority alone, when it is named.
fn tls(authority: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            let unreadable =
                |reason: String| Failure::usage(format!("the certificate {} cannot be read: {reason}", path.display()));
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            for certificate in read.map_err(|error| unreadable(error.to_string()))? {
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
        }
        None => {
            // Those that cannot be read are passed over; with none at all every server is refused.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(Exit::Failed, format!("TLS cannot be spoken: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(server: &str, read: Result<(bool, &str, u16), &str>) {
        match (address(server), read) {
            (Ok((is_secure, host, port)), Ok(expected)) => assert_eq!((is_secure, host.as_str(), port), expected),
            (Err(failure), Err(says)) => assert!(failure.message.contains(says), "{server}: {failure:?}"),
            (other, _) => panic!("{server}: {other:?}"),
        }
    }

    #[test]
    fn an_address_is_read_and_a_token_is_not_sent_in_the_clear() {
        check("https://regatta.example", Ok((true, "regatta.example", 443)));
        check("https://regatta.example:8443/", Ok((true, "regatta.example", 8443)));
        check("http://127.0.0.1:7433", Ok((false, "127.0.0.1", 7433)));
        check("http://[::1]:7433", Ok((false, "::1", 7433)));
        check("http://localhost", Ok((false, "localhost", 80)));
        check("http://regatta.example", Err("could be read on its way"));
        for wrong in ["regatta.example", "ftp://x", "https://", "https://a@b", "https://a/b", "https://a?b"] {
            check(wrong, Err("is no address of a server"));
        }
    }
}
