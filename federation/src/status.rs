//! How the connection to a gateway is this moment, for people. Made from what the link says; nothing is decided by it.

use regatta_gateway::{Loss, Reason, Refusal, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It is being made.
    #[default]
    Connecting,
    /// We are in.
    Connected,
    /// It failed and is tried again after a wait.
    Waiting,
    /// It is not tried before somebody does something.
    Stopped,
}

/// How the connection to a gateway is this moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LinkNow {
    /// Where it stands.
    pub state: LinkState,
    /// Why it is not connected.
    pub reason: Option<String>,
    /// What a person can do about it.
    pub advice: Option<String>,
    /// What is to be approved at the gateway, when that is why.
    pub pairing: Option<String>,
    /// How often in a row it was tried again.
    pub tries: u32,
}

/// Longest reason or advice, in characters: both may hold a gateway's own words.
const WORDS_CHARS_MAX: usize = 500;

/// Asked again after it was given up, in seconds: a gateway that is away for an hour is found again.
pub(crate) const AGAIN_S: u64 = 60;

impl LinkNow {
    /// What the state of a link means.
    pub(crate) fn of(state: &State) -> Self {
        match state {
            State::Disconnected(Reason::New | Reason::Closed) => Self::default(),
            State::Connecting(tries) | State::Authenticating(tries) => {
                Self { tries: tries.lost + tries.starting, ..Self::default() }
            }
            State::Connected => Self { state: LinkState::Connected, ..Self::default() },
            State::Reconnecting { tries, loss, .. } => {
                let tries = tries.lost + tries.starting;
                Self { state: LinkState::Waiting, tries, ..Self::lost(loss) }
            }
            State::Disconnected(Reason::Refused(refusal)) => {
                Self { state: LinkState::Stopped, ..Self::refused(refusal) }
            }
            State::Disconnected(Reason::GaveUp { tries, loss }) => {
                Self { state: LinkState::Waiting, tries: *tries, ..Self::lost(loss) }
            }
        }
    }

    fn lost(loss: &Loss) -> Self {
        match loss {
            Loss::Refused(refusal) => Self::refused(refusal),
            Loss::Unreachable(_) => {
                let advice = "check that the gateway runs and that the address is its own".to_owned();
                Self { reason: Some(words(&loss.to_string())), advice: Some(advice), ..Self::default() }
            }
            Loss::Silent(_) | Loss::Closed { .. } | Loss::Broken(_) | Loss::Unreadable(_) => {
                Self { reason: Some(words(&loss.to_string())), ..Self::default() }
            }
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        let pairing = match refusal {
            Refusal::Pairing { request } => request.clone(),
            Refusal::Credential { .. }
            | Refusal::Protocol { .. }
            | Refusal::Limited { .. }
            | Refusal::Starting { .. }
            | Refusal::Draining
            | Refusal::Upgrade { .. }
            | Refusal::Other { .. } => None,
        };
        let advice = refusal.advice().map(|advice| words(&advice));
        Self { reason: Some(words(&refusal.to_string())), advice, pairing, ..Self::default() }
    }

    /// Whoever kept it is gone, which should not be.
    pub(crate) fn unkept() -> Self {
        let reason = "an error of Regatta's own ended it; what its gateway says is not heard".to_owned();
        let advice = "restart the server; its log says what happened (please report it)".to_owned();
        Self { state: LinkState::Stopped, reason: Some(reason), advice: Some(advice), ..Self::default() }
    }

    /// It cannot even be tried.
    pub(crate) fn untried(refusal: &regatta_core::Refusal) -> Self {
        let (reason, advice) = (Some(words(&refusal.message)), refusal.hint.as_deref().map(words));
        Self { state: LinkState::Stopped, reason, advice, ..Self::default() }
    }
}

fn words(text: &str) -> String {
    text.chars().take(WORDS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_says_what_is_wrong_and_what_to_do() {
        let refusal = Refusal::Pairing { request: Some("r-1".to_owned()) };
        let stopped = LinkNow::of(&State::Disconnected(Reason::Refused(refusal)));
        assert_eq!((stopped.state, stopped.pairing.as_deref()), (LinkState::Stopped, Some("r-1")));
        assert_eq!(stopped.advice.as_deref(), Some("on the gateway's machine run: openclaw devices approve r-1"));
        let away = Loss::Unreachable("Connection refused".to_owned());
        let away = LinkNow::of(&State::Disconnected(Reason::GaveUp { tries: 10, loss: away }));
        assert_eq!((away.state, away.tries), (LinkState::Waiting, 10));
        assert!(away.advice.expect("advice").contains("the gateway runs"));
        assert_eq!(LinkNow::of(&State::Connected).reason, None);
        let long = Refusal::Other { code: "X".to_owned(), message: "x".repeat(1 << 20) };
        let long = LinkNow::of(&State::Disconnected(Reason::Refused(long)));
        assert_eq!(long.reason.map(|reason| reason.len()), Some(WORDS_CHARS_MAX));
    }
}
