//! The WebSocket itself: which addresses may be used, TLS, bounds. Sends no Origin, cookie or forwarding header, which a
//! gateway would take for a browser's or a proxy's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::Options;
use crate::connect::Credential;
use crate::frame::FRAME_BYTES_MAX;
use crate::refusal::Refusal;
use crate::state::{Loss, Signal};

/// How long opening the socket may take.
const OPEN_WITHIN: Duration = Duration::from_secs(15);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
pub(super) type Incoming = SplitStream<Socket>;
pub(super) type Outgoing = SplitSink<Socket, Message>;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no address of a gateway.
    #[error("{0:?} is not the address of a gateway; write it as ws://127.0.0.1:18789 or wss://host")]
    Unreadable(String),
    /// It carries a user or a query, where secrets would end up in logs.
    #[error("a gateway's address holds no user, password or query; the token is stored apart from it")]
    HoldsMore,
    /// A credential would go over the network unencrypted.
    #[error(
        "the token would go to {0} unencrypted; use wss://, a tunnel to 127.0.0.1, or allow plain connections to it"
    )]
    Plain(String),
}

/// Where a gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    uri: Uri,
}

impl Address {
    pub(super) fn read(options: &Options) -> Result<Self, AddressError> {
        let unreadable = || AddressError::Unreadable(options.url.chars().take(200).collect());
        let text = options.url.trim();
        let text = match text.split_once("://") {
            Some(("http", rest)) => format!("ws://{rest}"),
            Some(("https", rest)) => format!("wss://{rest}"),
            Some(("ws" | "wss", _)) => text.to_owned(),
            Some(_) => return Err(unreadable()),
            None => format!("ws://{text}"),
        };
        if text.contains(['@', '?', '#']) {
            return Err(AddressError::HoldsMore);
        }
        let uri: Uri = text.parse().map_err(|_| unreadable())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(unreadable)?;
        // What stands for a port and is none is left out of the reading, as if none was meant.
        if uri.port().is_none() && uri.authority().is_some_and(|authority| authority.as_str() != host) {
            return Err(unreadable());
        }
        let is_plain = uri.scheme_str() == Some("ws");
        let is_secret = !matches!(options.credential, Credential::Nothing);
        if is_plain && is_secret && !options.allow_plain && !is_loopback(host) {
            return Err(AddressError::Plain(host.to_owned()));
        }
        Ok(Self { uri })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Opens the socket, or says what that means for the connection.
pub(super) async fn open(address: &Address) -> Result<Socket, Signal> {
    let unreachable = |reason: String| Signal::Lost(Loss::Unreachable(reason));
    let request = address.uri.clone().into_client_request().map_err(|error| unreachable(words(&error)))?;
    let bounds =
        WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX)).max_frame_size(Some(FRAME_BYTES_MAX));
    let connector = match address.uri.scheme_str() {
        Some("wss") => Connector::Rustls(Arc::new(tls().map_err(unreachable)?)),
        _ => Connector::Plain,
    };
    let opening = connect_async_tls_with_config(request, Some(bounds), true, Some(connector));
    match tokio::time::timeout(OPEN_WITHIN, opening).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(answer))) => Err(Signal::Refused(Refusal::of_upgrade(answer.status().as_u16()))),
        Ok(Err(error)) => Err(unreachable(words(&error))),
        Err(_) => Err(unreachable(format!("it did not answer within {} s", OPEN_WITHIN.as_secs()))),
    }
}

fn tls() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this machine has no certificates to trust (package ca-certificates)".to_owned());
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// What a failure of the socket is, in words, without what was sent.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::Tls(error) => format!("TLS: {error}"),
        Error::Capacity(_) => format!("a message has more than {FRAME_BYTES_MAX} bytes"),
        Error::Protocol(error) => error.to_string(),
        Error::Utf8(_) => "a text message is not UTF-8".to_owned(),
        Error::ConnectionClosed | Error::AlreadyClosed => "it is closed".to_owned(),
        Error::WriteBufferFull(_) => "too much waits to be sent".to_owned(),
        Error::Url(error) => error.to_string(),
        Error::AttackAttempt => "the handshake looks like an attack".to_owned(),
        Error::Http(answer) => format!("HTTP {}", answer.status()),
        Error::HttpFormat(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, allow_plain: bool) -> Result<String, String> {
        let options = Options { allow_plain, ..Options::control_plane(url, Credential::Token("t".into())) };
        options.check().map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let cases = [
            ("127.0.0.1:18789", "ws://127.0.0.1:18789/"),
            ("ws://localhost:1", "ws://localhost:1/"),
            ("http://[::1]:1/", "ws://[::1]:1/"),
            ("https://gateway.example", "wss://gateway.example/"),
            ("wss://gateway.example/door", "wss://gateway.example/door"),
        ];
        for (url, read_as) in cases {
            assert_eq!(read(url, false), Ok(read_as.to_owned()), "{url}");
        }
    }

    #[test]
    fn a_token_never_goes_in_the_clear_by_accident() {
        let refused = read("ws://gateway.example:18789", false).expect_err("plain");
        assert!(refused.starts_with("the token would go to gateway.example unencrypted"), "{refused}");
        assert!(read("ws://127.0.0.1.gateway.example", false).is_err());
        assert_eq!(read("ws://gateway.example:18789", true), Ok("ws://gateway.example:18789/".to_owned()));
    }

    #[test]
    fn what_is_no_address_or_holds_secrets_is_refused_without_repeating_them() {
        for url in ["", "ftp://host", "ws://", "not an address", "localhost:99999", "localhost:"] {
            assert!(read(url, true).expect_err("unreadable").contains("is not the address of a gateway"), "{url}");
        }
        for url in ["ws://user:secret@host", "ws://host/?token=secret", "ws://host/#token=secret"] {
            assert!(!read(url, true).expect_err("holds more").contains("secret"), "{url}");
        }
    }
}
