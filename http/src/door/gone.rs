//! Why a browser is let go, and the close code it is told that with: those of the gateway's own protocol, so that its
//! clients do what is right. Pure.

use axum::extract::ws::close_code;
use regatta_core::ReadError;

use crate::live::Unheard;

/// Longest reason of a close, in bytes; a control frame holds no more.
const REASON_BYTES_MAX: usize = 120;

/// Why a browser is let go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It hung up, or does not answer.
    Away,
    /// The connection to the gateway is gone.
    Lost(String),
    /// Something the gateway said is not here.
    Missed,
    /// The server stops, or the log cannot be read.
    Ends,
    /// Whoever it is may do more or less than when they came.
    Rights,
    /// There is no connection to the gateway.
    NoGateway,
    /// Whoever it is is not signed in any more.
    Unknown,
    /// It is too far behind.
    Slow,
    /// It did not begin as the protocol says.
    Handshake(&'static str),
    /// It speaks another protocol.
    Protocol,
    /// It sends what is no text.
    Binary,
    /// It sent more than may be in one message.
    TooLarge,
}

impl Gone {
    /// The code and the reason; nothing when nobody would hear them.
    pub(crate) fn said(&self) -> Option<(u16, String)> {
        let (code, reason) = match self {
            Self::Away => return None,
            Self::Lost(why) => (close_code::RESTART, format!("gateway lost: {why}")),
            Self::Missed => (close_code::RESTART, "events lost: read anew".to_owned()),
            Self::Ends => (close_code::RESTART, "server stops".to_owned()),
            Self::Rights => (close_code::RESTART, "rights changed".to_owned()),
            Self::NoGateway => (close_code::AGAIN, "gateway away".to_owned()),
            Self::Unknown => (close_code::POLICY, "not signed in any more".to_owned()),
            Self::Slow => (close_code::POLICY, "slow consumer".to_owned()),
            Self::Handshake(what) => (close_code::POLICY, format!("handshake: {what}")),
            Self::Protocol => (close_code::PROTOCOL, "protocol mismatch".to_owned()),
            Self::Binary => (close_code::UNSUPPORTED, "text only".to_owned()),
            Self::TooLarge => (close_code::SIZE, "frame too large".to_owned()),
        };
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        Some((code, reason.get(..end).unwrap_or_default().to_owned()))
    }
}

impl From<Unheard> for Gone {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::Away => Self::Away,
            Unheard::TooLarge => Self::TooLarge,
        }
    }
}

impl From<ReadError> for Gone {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a browser is let go: the log cannot be read");
        Self::Ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_a_control_frame() {
        let (code, reason) = Gone::Lost("ü".repeat(200)).said().expect("said");
        assert!(code == 1012 && reason.len() <= REASON_BYTES_MAX && reason.starts_with("gateway lost: ü"), "{reason}");
        assert_eq!(Gone::Away.said(), None);
    }
}
