//! How the log of a server at work is, and those who follow it: NATS, witnesses. As the server says.

use regatta_core::bus::RelayState;
use regatta_core::log::verify::Damage;
use regatta_http::requests::Health;

use super::finding::Finding;
use crate::commands::log::witness;
use crate::terminal::numbers::counted;

/// Nothing of what is not used.
pub(super) fn findings(health: &Health, now_us: u64) -> Vec<Finding> {
    let relay = health.relay.iter().map(relay);
    let witnesses = health.witnesses.iter().map(|state| match witness::standing(state, now_us) {
        (told, _) if state.contradicted.is_some() => {
            Finding::fail("witness", format!("{} {told}", state.name), witness::todo(state))
        }
        (told, false) => Finding::ok("witness", format!("{} {told}", state.name)),
        (told, true) => {
            let todo = format!("make {} reachable, or name another one", state.name);
            Finding::warn("witness", format!("{} {told}", state.name), todo)
        }
    });
    std::iter::once(log(health)).chain(relay).chain(witnesses).collect()
}

fn log(health: &Health) -> Finding {
    if let Some(Damage { place, reason }) = health.damage.first() {
        let more = match health.damage.len() {
            1 => String::new(),
            faults => format!(", and {}", counted(faults as u64 - 1, "more fault")),
        };
        let todo = "run regatta log verify, and restore that file from a backup";
        return Finding::fail("log", format!("damaged: {place}: {reason}{more}"), todo);
    }
    match &health.read_only {
        Some(reason) => Finding::fail("log", format!("only reads: {reason}"), "make room on its disk"),
        None => Finding::ok("log", format!("events {} to {}", health.first, health.seq)),
    }
}

fn relay(state: &RelayState) -> Finding {
    let behind = counted(state.behind(), "event");
    match (&state.last_error, state.connected) {
        (_, true) if state.foreign > 0 => {
            let strangers = counted(state.foreign, "message");
            let told = format!("{}, {behind} behind; {strangers} there are not of this log", state.server);
            let todo = "see who else publishes there: the server's output says which; remove them with the nats tool";
            Finding::warn("relay", told, todo)
        }
        (_, true) => Finding::ok("relay", format!("{}, {behind} behind", state.server)),
        (reason, false) => {
            let reason = reason.as_deref().unwrap_or("it is connecting");
            let todo = "see that it runs and takes our credentials; nothing is lost meanwhile";
            Finding::warn("relay", format!("{} is not connected, {behind} behind: {reason}", state.server), todo)
        }
    }
}
