//! The commands, one file each. A command turns arguments into requests and answers into text.

pub(crate) mod cancel;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod fleet;
pub(crate) mod inside;
pub(crate) mod log;
pub(crate) mod ls;
pub(crate) mod pick;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod up;
pub(crate) mod watch;

mod targets;

pub(crate) use targets::{AttemptRef, RunRef, Target};

use crate::failure::Failure;

/// Milliseconds and microseconds of "now", for ages.
fn now_us() -> u64 {
    use regatta_core::Clock as _;
    regatta_core::SystemClock.now_us()
}

/// The configured agents' names.
fn agents() -> Vec<&'static str> {
    crate::server::agents()
}

/// `?as_of=…`, or nothing.
fn as_of(as_of: Option<&str>) -> Result<String, Failure> {
    let Some(text) = as_of else { return Ok(String::new()) };
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:.Z+".contains(&byte));
    if fits {
        Ok(format!("?as_of={}", text.replace('+', "%2B")))
    } else {
        Err(Failure::usage(format!("{text:?} is no moment"))
            .hint("give an event's number, as 1234, or a time, as 2026-11-22T08:00:00Z"))
    }
}
