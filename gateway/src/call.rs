//! Calls under way on one connection: every one is answered exactly once, in whatever order the answers come. Pure but
//! for waking whoever waits.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::frame::{Request, ResponseHead, RpcError};
use crate::state::{Loss, Reason};

/// Calls under way at once on one connection.
pub(crate) const CALLS_MAX: usize = 1_024;
/// Bytes of the calls under way at once on one connection.
pub(crate) const CALL_BYTES_MAX: usize = 64 << 20;

/// Why a call has no payload.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// It was not sent: there is no connection, and nobody is trying.
    #[error("not connected to the gateway: {0}")]
    NotConnected(Reason),
    /// It was not sent: too much is under way already.
    #[error("too many calls to the gateway are under way; try again in a moment")]
    Busy,
    /// It was not sent: it is larger than the gateway takes.
    #[error("the call has {bytes} bytes, the gateway takes at most {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// It was sent, and the connection was lost before the answer: it may have been done.
    #[error("the connection was lost before the answer: {0}")]
    Lost(Loss),
    /// No answer came in time: it may have been done, and may still be.
    #[error("the gateway gave no answer within {0} ms")]
    TimedOut(u64),
    /// The gateway says no.
    #[error("the gateway says: {0}")]
    Refused(RpcError),
}

impl CallError {
    /// Whether it is certain that nothing was done, so that the same call may be made again without harm.
    #[must_use]
    pub fn was_not_sent(&self) -> bool {
        matches!(self, Self::NotConnected(_) | Self::Busy | Self::TooLarge { .. })
    }
}

/// What comes of a call: the payload as it came, `null` when there was none.
pub(crate) type Outcome = Result<Box<RawValue>, CallError>;

/// A call to be made.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) params: Box<RawValue>,
    pub(crate) answer: oneshot::Sender<Outcome>,
}

impl Call {
    pub(crate) fn reject(self, error: CallError) {
        // Whoever asked may be gone.
        self.answer.send(Err(error)).ok();
    }
}

#[derive(Debug)]
struct UnderWay {
    bytes: usize,
    answer: oneshot::Sender<Outcome>,
}

/// Calls under way on one connection.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    under_way: HashMap<u64, UnderWay>,
    bytes: usize,
    last: u64,
}

impl Calls {
    /// Takes a call over and returns the text to send; a call that cannot be sent is answered at once.
    pub(crate) fn begin(&mut self, call: Call, bytes_max: usize) -> Option<String> {
        if call.answer.is_closed() {
            return None;
        }
        self.forget_abandoned();
        let id = self.last + 1;
        let text = match Request::new(&id.to_string(), &call.method, &call.params).text() {
            Ok(text) if text.len() <= bytes_max => text,
            Ok(text) => {
                call.reject(CallError::TooLarge { bytes: text.len(), bytes_max });
                return None;
            }
            Err(_) => {
                let bytes = call.params.get().len();
                call.reject(CallError::TooLarge { bytes, bytes_max });
                return None;
            }
        };
        if self.under_way.len() >= CALLS_MAX || self.bytes.saturating_add(text.len()) > CALL_BYTES_MAX {
            call.reject(CallError::Busy);
            return None;
        }
        (self.last, self.bytes) = (id, self.bytes + text.len());
        self.under_way.insert(id, UnderWay { bytes: text.len(), answer: call.answer });
        Some(text)
    }

    /// Gives an answer to whoever waits for it; `false` when nobody does.
    pub(crate) fn end(&mut self, response: ResponseHead<'_>) -> bool {
        let Some(call) = response.id.parse().ok().and_then(|id: u64| self.under_way.remove(&id)) else { return false };
        self.bytes = self.bytes.saturating_sub(call.bytes);
        let outcome = match response.outcome {
            Ok(payload) => Ok(payload.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned)),
            Err(error) => Err(CallError::Refused(error)),
        };
        call.answer.send(outcome).is_ok()
    }

    /// The connection is gone: everything under way is answered with that.
    pub(crate) fn lose(&mut self, error: &CallError) {
        for (_, call) in self.under_way.drain() {
            call.answer.send(Err(error.clone())).ok();
        }
        self.bytes = 0;
    }

    /// Makes room of calls nobody waits for any more, when it is getting tight.
    fn forget_abandoned(&mut self) {
        if self.under_way.len() < CALLS_MAX / 2 && self.bytes < CALL_BYTES_MAX / 2 {
            return;
        }
        self.under_way.retain(|_, call| !call.answer.is_closed());
        self.bytes = self.under_way.values().map(|call| call.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Decoded, decode};

    fn call(method: &str) -> (Call, oneshot::Receiver<Outcome>) {
        let (answer, answered) = oneshot::channel();
        let params = RawValue::from_string("{\"a\": 1}".to_owned()).expect("JSON");
        (Call { method: method.to_owned(), params, answer }, answered)
    }

    fn answer(calls: &mut Calls, text: &str) -> bool {
        let Decoded::Response(response) = decode(text).expect("a frame") else { panic!("not an answer: {text}") };
        calls.end(response)
    }

    fn text(outcome: Outcome) -> String {
        outcome.expect("a payload").get().to_owned()
    }

    #[test]
    fn answers_find_their_calls_in_any_order() {
        let mut calls = Calls::default();
        let ((one, one_answered), (two, two_answered)) = (call("health"), call("status"));
        let sent = calls.begin(one, 1_000).expect("sent");
        assert_eq!(sent, r#"{"type":"req","id":"1","method":"health","params":{"a": 1}}"#);
        calls.begin(two, 1_000).expect("sent");
        assert!(answer(&mut calls, r#"{"type":"res","id":"2","ok":true,"payload":{"n":2}}"#));
        assert!(answer(&mut calls, r#"{"type":"res","id":"1","ok":true}"#));
        assert_eq!(text(one_answered.blocking_recv().expect("answered")), "null");
        assert_eq!(text(two_answered.blocking_recv().expect("answered")), r#"{"n":2}"#);
    }

    #[test]
    fn an_answer_nobody_waits_for_is_nobodys() {
        let mut calls = Calls::default();
        let (one, answered) = call("health");
        calls.begin(one, 1_000).expect("sent");
        let twice = r#"{"type":"res","id":"1","ok":false,"error":{"code":"FORBIDDEN","message":"missing scope"}}"#;
        for (text, is_taken) in [(r#"{"type":"res","id":"invalid","ok":true}"#, false), (twice, true), (twice, false)] {
            assert_eq!(answer(&mut calls, text), is_taken, "{text}");
        }
        let refused = answered.blocking_recv().expect("answered").expect_err("refused");
        assert_eq!(refused.to_string(), "the gateway says: missing scope");
        assert!(!refused.was_not_sent());
    }

    #[test]
    fn a_lost_connection_answers_everything_at_once() {
        let mut calls = Calls::default();
        let answered: Vec<_> = (0..3)
            .map(|_| call("health"))
            .map(|(call, answered)| {
                calls.begin(call, 1_000).expect("sent");
                answered
            })
            .collect();
        let lost = CallError::Lost(Loss::Silent(60_000));
        calls.lose(&lost);
        for answered in answered {
            assert_eq!(answered.blocking_recv().expect("answered").expect_err("lost"), lost);
        }
        assert_eq!(calls.bytes, 0);
    }

    #[test]
    fn calls_have_bounds_and_abandoned_ones_make_room() {
        let mut calls = Calls::default();
        let (large, refused) = call("health");
        assert_eq!(calls.begin(large, 10), None);
        let refused = refused.blocking_recv().expect("answered").expect_err("too large");
        assert!(matches!(refused, CallError::TooLarge { bytes_max: 10, .. }), "{refused}");
        let mut kept = Vec::new();
        for _ in 0..CALLS_MAX {
            let (call, answered) = call("health");
            calls.begin(call, 1_000).expect("sent");
            kept.push(answered);
        }
        let (more, busy) = call("health");
        assert_eq!(calls.begin(more, 1_000), None);
        assert_eq!(busy.blocking_recv().expect("answered").expect_err("busy"), CallError::Busy);
        kept.truncate(1);
        let (more, _answered) = call("health");
        assert!(calls.begin(more, 1_000).is_some());
        assert_eq!(calls.under_way.len(), 2);
    }
}
