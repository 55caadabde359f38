//! The commands, one file each. A command turns arguments into requests and answers into text.

pub(crate) mod approvals;
pub(crate) mod artifacts;
pub(crate) mod cancel;
pub(crate) mod clean;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod discard;
pub(crate) mod disk;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod fleet;
pub(crate) mod gateway;
pub(crate) mod inside;
pub(crate) mod log;
pub(crate) mod ls;
pub(crate) mod open;
pub(crate) mod pick;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod show;
pub(crate) mod synthesize;
pub(crate) mod threads;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod user;
pub(crate) mod watch;

mod targets;

pub(crate) use targets::{AttemptRef, RunRef, Target};

use std::io::IsTerminal as _;

use regatta_core::Seq;
use regatta_http::requests::Health;

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::moment::{self, Moment};

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    // A plus would be a space in a form; in a path it is itself.
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Milliseconds and microseconds of "now", for ages.
pub(crate) fn now_us() -> u64 {
    use regatta_core::Clock as _;
    regatta_core::SystemClock.now_us()
}

/// The configured agents' names.
fn agents() -> Vec<&'static str> {
    crate::server::agents()
}

/// `?as_of=…`, or nothing. A moment the log has not come to is a mistake: it would show the present as if it were that.
async fn as_of(client: &Client, as_of: Option<&str>) -> Result<String, Failure> {
    let Some(text) = as_of else { return Ok(String::new()) };
    let to_come = |head: Seq| {
        Failure::usage(format!("{text} is still to come: the log ends at {head}"))
            .hint("leave --as-of away to see how things stand now")
    };
    if let Ok(seq) = text.parse::<u64>() {
        let health: Health = client.get("/health").await?;
        return if seq > health.seq.0 { Err(to_come(health.seq)) } else { Ok(format!("?as_of={seq}")) };
    }
    let moment = Moment::read(text).map_err(|_| {
        Failure::usage(format!("{text:?} is no moment"))
            .hint(format!("give an event's number, as 1234, {}", moment::EXAMPLES))
    })?;
    if moment > Moment(now_us()) {
        let health: Health = client.get("/health").await?;
        return Err(to_come(health.seq));
    }
    Ok(format!("?as_of={}", moment.shown()))
}

/// Asks a person; without one there is nobody to ask.
fn confirmed(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Refused, format!("{question} there is nobody to ask")).hint("say so: --yes"));
    }
    let terminal = console::Term::stderr();
    terminal.write_str(&format!("{question} [y/N] "))?;
    Ok(matches!(terminal.read_line()?.trim(), "y" | "Y" | "yes"))
}
