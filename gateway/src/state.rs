//! Where a connection stands, and what follows from what happens to it. Pure: waiting, connecting and sending are done by
//! `link`.
//!
//! After a loss it tries again after 1 s, then half as much longer each time up to 10 s, ten times in a row; then it
//! gives up and says why. A gateway that says it is still starting is asked when it says so, which counts apart, because
//! a first start takes half a minute. Where asking again would harm, it stops at once.

use crate::refusal::{Refusal, Retry};

/// The first wait, in milliseconds.
pub(crate) const WAIT_FIRST_MS: u64 = 1_000;
/// The longest wait, in milliseconds.
pub(crate) const WAIT_MAX_MS: u64 = 10_000;
/// How often in a row it is tried again after a loss.
pub(crate) const TRIES_MAX: u32 = 10;
/// How often in a row a gateway that starts is asked again: two minutes of half seconds.
pub(crate) const STARTING_MAX: u32 = 240;

/// Where a connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is none, and nobody is trying.
    Disconnected(Reason),
    /// The socket is being opened.
    Connecting(Tries),
    /// The socket is open, and we have not been let in yet.
    Authenticating(Tries),
    /// We are in.
    Connected,
    /// It was lost or refused for now; it is tried again after a wait.
    Reconnecting {
        /// How often it was tried.
        tries: Tries,
        /// After how long from the loss it is tried, in milliseconds.
        wait_ms: u64,
        /// Why it has to be.
        loss: Loss,
    },
}

/// How often in a row it was tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// After a loss.
    pub lost: u32,
    /// Because the gateway was still starting.
    pub starting: u32,
}

/// Why nobody is trying.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It was not asked for yet.
    #[error("it was not connected yet")]
    New,
    /// It was closed by us.
    #[error("it was closed")]
    Closed,
    /// The gateway refuses us, and asking again does not help.
    #[error("{0}")]
    Refused(Refusal),
    /// It was tried often enough.
    #[error("{loss} ({tries} times in a row)")]
    GaveUp {
        /// How often.
        tries: u32,
        /// The last loss.
        loss: Loss,
    },
}

/// How a connection was lost, or why there is none now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The socket could not be opened.
    #[error("the gateway cannot be reached: {0}")]
    Unreachable(String),
    /// It said nothing in time.
    #[error("the gateway said nothing for {0} ms")]
    Silent(u64),
    /// It closed the connection.
    #[error("the gateway closed the connection with code {code}{}", because(.reason))]
    Closed {
        /// The close code; 1006 when there was none.
        code: u16,
        /// What it said.
        reason: String,
    },
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Broken(String),
    /// It sent what no gateway sends.
    #[error("the gateway sent something unreadable: {0}")]
    Unreadable(String),
    /// It does not let us in for now.
    #[error("{0}")]
    Refused(Refusal),
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// What happens to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It is wanted; or the wait is over.
    Try,
    /// The socket is open.
    Opened,
    /// We were let in.
    Welcomed,
    /// We were not.
    Refused(Refusal),
    /// It was lost, or could not be opened.
    Lost(Loss),
    /// It is not wanted any more.
    Close,
}

impl State {
    /// Whether a call may wait for this connection.
    #[must_use]
    pub fn may_become_connected(&self) -> bool {
        match self {
            Self::Disconnected(reason) => *reason == Reason::New,
            Self::Connecting(_) | Self::Authenticating(_) | Self::Connected | Self::Reconnecting { .. } => true,
        }
    }

    /// Where it stands after that.
    #[must_use]
    pub(crate) fn after(self, signal: Signal) -> Self {
        let tries = self.tries();
        match signal {
            Signal::Close => Self::Disconnected(Reason::Closed),
            Signal::Try => Self::Connecting(tries),
            Signal::Opened => Self::Authenticating(tries),
            Signal::Welcomed => Self::Connected,
            Signal::Lost(loss) => wait(tries, loss),
            Signal::Refused(refusal) => match refusal.retry() {
                Retry::Never => Self::Disconnected(Reason::Refused(refusal)),
                Retry::Backoff => wait(tries, Loss::Refused(refusal)),
                Retry::After(wait_ms) => wait_for_start(tries, wait_ms, refusal),
            },
        }
    }

    fn tries(&self) -> Tries {
        match self {
            Self::Connecting(tries) | Self::Authenticating(tries) | Self::Reconnecting { tries, .. } => *tries,
            Self::Disconnected(_) | Self::Connected => Tries::default(),
        }
    }
}

fn wait(tries: Tries, loss: Loss) -> State {
    if tries.lost >= TRIES_MAX {
        return State::Disconnected(Reason::GaveUp { tries: tries.lost, loss });
    }
    let wait_ms = wait_ms(tries.lost);
    State::Reconnecting { tries: Tries { lost: tries.lost + 1, ..tries }, wait_ms, loss }
}

fn wait_for_start(tries: Tries, wait_ms: u64, refusal: Refusal) -> State {
    let loss = Loss::Refused(refusal);
    if tries.starting >= STARTING_MAX {
        return State::Disconnected(Reason::GaveUp { tries: tries.starting, loss });
    }
    let wait_ms = wait_ms.clamp(1, WAIT_MAX_MS);
    State::Reconnecting { tries: Tries { starting: tries.starting + 1, ..tries }, wait_ms, loss }
}

/// The wait before the try after so many others.
fn wait_ms(tried: u32) -> u64 {
    let longer = |wait: u64| wait.saturating_add(wait / 2).min(WAIT_MAX_MS);
    (0..tried.min(TRIES_MAX)).fold(WAIT_FIRST_MS, |wait, _| longer(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Signal {
        Signal::Lost(Loss::Broken("reset".to_owned()))
    }

    fn refused(refusal: Refusal) -> Signal {
        Signal::Refused(refusal)
    }

    fn through(signals: impl IntoIterator<Item = Signal>) -> State {
        signals.into_iter().fold(State::Disconnected(Reason::New), State::after)
    }

    #[test]
    fn waits_grow_by_half_to_ten_seconds_and_end_after_ten_tries() {
        let mut state = through([Signal::Try]);
        let mut waits = Vec::new();
        loop {
            state = state.after(lost());
            let State::Reconnecting { wait_ms, .. } = &state else { break };
            waits.push(*wait_ms);
            state = state.after(Signal::Try);
        }
        assert_eq!(waits, [1_000, 1_500, 2_250, 3_375, 5_062, 7_593, 10_000, 10_000, 10_000, 10_000]);
        let State::Disconnected(reason) = state else { panic!("{state:?}") };
        assert_eq!(reason.to_string(), "the connection failed: reset (10 times in a row)");
    }

    #[test]
    fn being_let_in_forgets_how_often_it_was_tried() {
        let state = through([Signal::Try, lost(), Signal::Try, lost(), Signal::Try, Signal::Opened, Signal::Welcomed]);
        assert_eq!(state, State::Connected);
        let State::Reconnecting { tries, wait_ms, .. } = state.after(lost()) else { panic!("it is tried again") };
        assert_eq!((tries.lost, wait_ms), (1, 1_000));
    }

    #[test]
    fn nothing_that_a_person_must_mend_is_tried_again() {
        let credential = |code: &str| Refusal::Credential { code: code.to_owned(), message: "no".to_owned() };
        let never = [
            credential("AUTH_TOKEN_MISMATCH"),
            credential("DEVICE_AUTH_SIGNATURE_INVALID"),
            Refusal::Pairing { request: Some("r-1".to_owned()) },
            Refusal::Protocol { expected: 5 },
            Refusal::Limited { retry_after_ms: 300_000 },
            Refusal::Upgrade { status: 403 },
            Refusal::Other { code: "CONTROL_UI_ORIGIN_NOT_ALLOWED".to_owned(), message: "no".to_owned() },
        ];
        for refusal in never {
            let state = through([Signal::Try, Signal::Opened, refused(refusal.clone())]);
            assert_eq!(state, State::Disconnected(Reason::Refused(refusal)));
            assert!(!state.may_become_connected());
        }
    }

    #[test]
    fn a_gateway_that_starts_is_asked_when_it_says_so_and_not_for_ever() {
        let starting = || refused(Refusal::Starting { retry_after_ms: 500 });
        let mut state = through([Signal::Try]);
        for _ in 0..STARTING_MAX {
            state = state.after(Signal::Opened).after(starting());
            assert!(matches!(state, State::Reconnecting { wait_ms: 500, .. }), "{state:?}");
            state = state.after(Signal::Try);
        }
        assert!(matches!(state.after(starting()), State::Disconnected(Reason::GaveUp { tries: STARTING_MAX, .. })));
    }

    #[test]
    fn a_gateway_that_drains_is_tried_like_one_that_is_away() {
        let state = through([Signal::Try, refused(Refusal::of_upgrade(503))]);
        assert!(matches!(state, State::Reconnecting { wait_ms: 1_000, .. }), "{state:?}");
    }

    #[test]
    fn closing_ends_it_wherever_it_stands() {
        for before in [vec![], vec![Signal::Try], vec![Signal::Try, Signal::Opened, Signal::Welcomed], vec![lost()]] {
            assert_eq!(through(before).after(Signal::Close), State::Disconnected(Reason::Closed));
        }
    }
}
