//! What a gateway's connection says as facts. Pure: in, what the link noticed; out, what is to be recorded.
//!
//! While the log takes no writes, frames are let go and counted as a gap, and the few facts about the connection itself
//! wait here, so that once there is room the log says what happened and what is missing. Memory stays bounded either way.

use std::collections::VecDeque;

use regatta_core::GatewayName;
use regatta_core::event::gateway::{Connected, Disconnected, Frame, GatewayEvent, Missed, Why};
use regatta_gateway::{Notice, Received};

/// Largest frame that is recorded, in bytes; a larger one is counted as missing. Far less than one message of NATS may have.
pub(crate) const FRAME_BYTES_MAX: usize = 512 << 10;
/// Most facts that wait for the log; the oldest make room.
const OWED_MAX: usize = 256;
/// Longest reason of a loss that is recorded, in characters.
const REASON_CHARS_MAX: usize = 300;
/// Longest name a gateway gives itself, a connection, a version or a right that is recorded, in characters.
const NAME_CHARS_MAX: usize = 128;
/// Most rights that are recorded.
const SCOPES_MAX: usize = 64;

/// Follows one gateway's connections.
#[derive(Debug)]
pub(crate) struct Recorder {
    gateway: GatewayName,
    connection: Option<Connection>,
    /// What the log did not take yet, the oldest first.
    owed: VecDeque<GatewayEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Connection {
    boot_id: String,
    conn_id: String,
    /// The last place heard of.
    last: u64,
}

impl Recorder {
    pub(crate) fn new(gateway: GatewayName) -> Self {
        Self { gateway, connection: None, owed: VecDeque::new() }
    }

    /// Takes everything that was owed.
    pub(crate) fn owed(&mut self) -> Vec<GatewayEvent> {
        self.owed.drain(..).collect()
    }

    /// What a notice is as a fact.
    pub(crate) fn fact(&mut self, notice: &Notice) -> Option<GatewayEvent> {
        match notice {
            Notice::Welcomed(hello) => {
                let (boot_id, conn_id) = (name(&hello.server.boot_id), name(&hello.server.conn_id));
                self.connection = Some(Connection { boot_id: boot_id.clone(), conn_id: conn_id.clone(), last: 0 });
                Some(GatewayEvent::Connected(Connected {
                    gateway: self.gateway.clone(),
                    boot_id,
                    conn_id,
                    version: name(&hello.server.version),
                    scopes: hello.auth.scopes.iter().take(SCOPES_MAX).map(|scope| name(scope)).collect(),
                    methods: u32::try_from(hello.features.methods.len()).unwrap_or(u32::MAX),
                }))
            }
            Notice::Received(received) => self.heard(received),
            Notice::Missing(gap) => self.missed(gap.last, gap.next, Why::Lost),
            Notice::Lost(loss) => self.ended(&loss.to_string()),
        }
    }

    /// The connection is over.
    pub(crate) fn ended(&mut self, reason: &str) -> Option<GatewayEvent> {
        let Connection { boot_id, conn_id, last } = self.connection.take()?;
        let reason = reason.chars().take(REASON_CHARS_MAX).collect();
        let gateway = self.gateway.clone();
        Some(GatewayEvent::Disconnected(Disconnected { gateway, boot_id, conn_id, reason, last_seq: last }))
    }

    fn heard(&mut self, received: &Received) -> Option<GatewayEvent> {
        let size = received.text().len();
        let connection = self.connection.as_mut()?;
        let before = connection.last;
        connection.last = received.seq.unwrap_or(before).max(before);
        if size > FRAME_BYTES_MAX {
            let last = received.seq.map_or(before, |seq| seq.saturating_sub(1));
            let next = received.seq.unwrap_or(before).saturating_add(1);
            return self.missed(last, next, Why::TooLarge(size as u64));
        }
        Some(GatewayEvent::Frame(Frame {
            gateway: self.gateway.clone(),
            boot_id: connection.boot_id.clone(),
            conn_id: connection.conn_id.clone(),
            seq: received.seq,
            event: name(&received.event),
            text: received.bytes(),
        }))
    }

    fn missed(&self, last: u64, next: u64, why: Why) -> Option<GatewayEvent> {
        let Connection { boot_id, conn_id, .. } = self.connection.clone()?;
        Some(GatewayEvent::Missed(Missed { gateway: self.gateway.clone(), boot_id, conn_id, last, next, why }))
    }

    /// The log took none of these. Frames become a gap; the rest waits.
    pub(crate) fn owe(&mut self, facts: Vec<GatewayEvent>, reason: &str) {
        for fact in facts {
            let GatewayEvent::Frame(frame) = fact else {
                self.owed.push_back(fact);
                continue;
            };
            // One without a number leaves no hole.
            let Some(seq) = frame.seq else { continue };
            let is_same = |missed: &Missed| {
                matches!(missed.why, Why::NotRecorded(_)) && missed.conn_id == frame.conn_id && missed.next == seq
            };
            match self.owed.back_mut() {
                Some(GatewayEvent::Missed(missed)) if is_same(missed) => missed.next = seq.saturating_add(1),
                Some(_) | None => self.owed.push_back(GatewayEvent::Missed(Missed {
                    gateway: frame.gateway,
                    boot_id: frame.boot_id,
                    conn_id: frame.conn_id,
                    last: seq.saturating_sub(1),
                    next: seq.saturating_add(1),
                    why: Why::NotRecorded(reason.to_owned()),
                })),
            }
        }
        while self.owed.len() > OWED_MAX {
            self.owed.pop_front();
        }
    }
}

/// A name as it is recorded: whatever a gateway calls itself, it fits the log.
fn name(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "the disk is nearly full";

    fn main() -> GatewayName {
        "main".parse().expect("a name")
    }

    fn frame(conn_id: &str, seq: Option<u64>) -> GatewayEvent {
        let (boot_id, conn_id) = ("b".to_owned(), conn_id.to_owned());
        let (event, text) = ("tick".to_owned(), b"{}".as_slice().into());
        GatewayEvent::Frame(Frame { gateway: main(), boot_id, conn_id, seq, event, text })
    }

    fn lost(conn_id: &str) -> GatewayEvent {
        let (boot_id, conn_id, reason) = ("b".to_owned(), conn_id.to_owned(), "cut".to_owned());
        GatewayEvent::Disconnected(Disconnected { gateway: main(), boot_id, conn_id, reason, last_seq: 9 })
    }

    /// What is owed, in few words.
    fn words(event: &GatewayEvent) -> String {
        if let GatewayEvent::Missed(missed) = event {
            return format!("{} after {} before {}: {:?}", missed.conn_id, missed.last, missed.next, missed.why);
        }
        let GatewayEvent::Disconnected(gone) = event else { panic!("{event:?}") };
        format!("{} gone", gone.conn_id)
    }

    fn check(facts: Vec<GatewayEvent>, then: &[&str]) {
        let mut recorder = Recorder::new(main());
        recorder.owe(facts, FULL);
        assert_eq!(recorder.owed().iter().map(words).collect::<Vec<_>>(), then);
        assert_eq!(recorder.owed(), []);
    }

    #[test]
    fn frames_the_log_did_not_take_are_one_gap_per_connection() {
        let many = (3..=700).map(|seq| frame("c1", Some(seq))).collect();
        check(many, &["c1 after 2 before 701: NotRecorded(\"the disk is nearly full\")"]);
        let two = vec![frame("c1", Some(3)), lost("c1"), frame("c2", Some(1)), frame("c2", None), frame("c2", Some(2))];
        let not = "NotRecorded(\"the disk is nearly full\")";
        check(two, &[&format!("c1 after 2 before 4: {not}"), "c1 gone", &format!("c2 after 0 before 3: {not}")]);
    }

    #[test]
    fn what_is_owed_is_bounded() {
        let mut recorder = Recorder::new(main());
        for _ in 0..3 {
            recorder.owe((0..OWED_MAX).map(|number| lost(&number.to_string())).collect(), FULL);
        }
        assert_eq!(recorder.owed().len(), OWED_MAX);
    }
}
