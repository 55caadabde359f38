//! How frames become threads. There are only so many threads, and so many runs in each: the latest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use regatta_core::event::gateway::{Frame, GatewayEvent};
use regatta_core::{Event, GatewayName, ThreadId};
use serde::{Deserialize, Serialize};

use super::frame::{Agent, Message, Said, Session, Told, at, told};
use super::run::{Run, name, short};
use super::view::{GatewayRunState, ThreadRow, ThreadView};
use crate::projection::{Fact, Fold, Stray};

/// Most threads; the one nothing happened in for longest makes room.
pub const THREADS_MAX: usize = 500;
/// Most runs of a thread; the oldest makes room.
pub const RUNS_MAX: usize = 40;
/// Longest words of the gateway in one thread, in bytes; the oldest runs make room, never the last one, which is shorter.
pub const THREAD_BYTES_MAX: usize = 256 << 10;
/// Longest piece of a text in a list, in characters.
const LAST_TEXT_CHARS_MAX: usize = 160;

/// Every conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Threads {
    /// Clones share them, so that a snapshot is written while the views go on.
    pub(super) kept: BTreeMap<ThreadId, Arc<Thread>>,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Thread {
    id: ThreadId,
    pub(super) gateway: GatewayName,
    session: String,
    agent: Option<String>,
    label: Option<String>,
    first_at_us: u64,
    last_at_us: u64,
    /// The oldest first.
    runs: VecDeque<Run>,
    /// How many there were, with those that made room.
    runs_count: u64,
    /// What was asked and belongs to no run yet.
    asked: Option<String>,
}

impl Fold for Threads {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        let at_us = fact.envelope.at_us;
        match fact.event {
            Event::Gateway(GatewayEvent::Frame(frame)) => self.heard(frame, at_us),
            Event::Gateway(GatewayEvent::Connected(connected)) => {
                let reason = "the gateway was restarted";
                let boot_id = name(&connected.boot_id);
                self.end(&connected.gateway, reason, at_us, |run| run.boot_id != boot_id);
            }
            Event::Gateway(GatewayEvent::Removed(removed)) => {
                self.end(&removed.gateway, "the gateway was removed here", at_us, |_| true);
            }
            Event::Gateway(_)
            | Event::Approval(_)
            | Event::Rule(_)
            | Event::Run(_)
            | Event::Attempt(_)
            | Event::Sandbox(_)
            | Event::Delivery(_)
            | Event::Config(_)
            | Event::User(_)
            | Event::Secret(_)
            | Event::Log(_)
            | Event::Cleaning(_)
            | Event::Unknown { .. } => {}
        }
        Ok(())
    }
}

/// Of which process of its gateway something was heard, and when that was.
#[derive(Clone, Copy)]
struct When<'a> {
    boot_id: &'a str,
    at_us: u64,
    /// Whether it was missed, and is told behind newer things.
    is_late: bool,
}

impl Threads {
    fn heard(&mut self, frame: &Frame, heard_at_us: u64) {
        let Some(Told { said, at_us, is_late }) = told(&frame.event, &frame.text, heard_at_us) else { return };
        let (session, agent) = match &said {
            Said::Chat(chat) => (Some(&chat.session_key), chat.agent_id.as_ref()),
            Said::Agent(agent) => (agent.session_key.as_ref(), agent.agent_id.as_ref()),
            Said::Message(message) => (Some(&message.session_key), message.agent_id.as_ref()),
            Said::Session(session) => (Some(&session.session_key), session.agent_id.as_ref()),
        };
        let Some(session) = session else { return };
        // That a session changed tells of one that is there; it is no conversation by itself.
        let is_new = !matches!(said, Said::Session(_));
        let Some(thread) = self.thread(&frame.gateway, session, is_new, at_us) else { return };
        if let Some(agent) = agent {
            thread.agent = Some(name(agent));
        }
        thread.first_at_us = thread.first_at_us.min(at_us);
        if is_new {
            thread.last_at_us = thread.last_at_us.max(at_us);
        }
        let when = When { boot_id: &frame.boot_id, at_us, is_late };
        match said {
            Said::Chat(chat) => thread.run(&chat.run_id, when, |run| run.chat(&chat, at_us)),
            Said::Agent(agent) => thread.heard(&agent, when),
            Said::Message(message) => thread.row(&message, when),
            Said::Session(session) => thread.changed(&session, at_us),
        }
        thread.make_room();
    }

    fn thread(&mut self, gateway: &GatewayName, session: &str, is_new: bool, at_us: u64) -> Option<&mut Thread> {
        let id = ThreadId::of(gateway, session);
        if !self.kept.contains_key(&id) {
            if !is_new {
                return None;
            }
            if self.kept.len() >= THREADS_MAX {
                let oldest = self.kept.iter().min_by_key(|(id, thread)| (thread.last_at_us, **id)).map(|(id, _)| *id);
                oldest.and_then(|oldest| self.kept.remove(&oldest));
            }
            self.kept.insert(id, Arc::new(Thread::new(id, gateway, session, at_us)));
        }
        self.kept.get_mut(&id).map(Arc::make_mut)
    }

    /// Ends runs of a gateway whose end was not heard.
    fn end(&mut self, gateway: &GatewayName, reason: &str, at_us: u64, is_over: impl Fn(&Run) -> bool) {
        for thread in self.kept.values_mut().filter(|thread| thread.gateway == *gateway) {
            if thread.runs.iter().any(|run| run.is_open() && is_over(run)) {
                let runs = Arc::make_mut(thread).runs.iter_mut().filter(|run| is_over(run));
                runs.for_each(|run| run.ends(GatewayRunState::Unknown, Some(reason), at_us));
            }
        }
    }
}

impl Thread {
    fn new(id: ThreadId, gateway: &GatewayName, session: &str, at_us: u64) -> Self {
        Self {
            id,
            gateway: gateway.clone(),
            session: short(session),
            agent: None,
            label: None,
            first_at_us: at_us,
            last_at_us: at_us,
            runs: VecDeque::new(),
            runs_count: 0,
            asked: None,
        }
    }

    /// Changes the run of that id; begun when it is heard of for the first time. One that was missed stands before those
    /// that began after it.
    fn run(&mut self, id: &str, when: When<'_>, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.is(id)) {
            return change(run);
        }
        let after = self.runs.iter().rposition(|run| !when.is_late || run.started_at_us <= when.at_us);
        let mut at = after.map_or(0, |after| after + 1);
        if self.runs.len() >= RUNS_MAX {
            if at == 0 {
                return;
            }
            self.runs.pop_front();
            at -= 1;
        }
        let mut run = Run::new(id, when.boot_id, when.at_us);
        if let Some(asked) = self.asked.take() {
            run.asked(&asked);
        }
        change(&mut run);
        self.runs.insert(at, run);
        self.runs_count += 1;
    }

    /// Lets the oldest runs go when all together hold too much.
    fn make_room(&mut self) {
        let mut bytes: usize = self.runs.iter().map(Run::bytes).sum();
        while bytes > THREAD_BYTES_MAX && self.runs.len() > 1 {
            bytes -= self.runs.pop_front().map_or(0, |run| run.bytes());
        }
    }

    /// Only what begins a run begins one: an agent still says something of runs that are long over.
    fn heard(&mut self, agent: &Agent, when: When<'_>) {
        let is_known = self.runs.iter().any(|run| run.is(&agent.run_id));
        let begins = matches!(at(&agent.data, "/phase").as_str(), Some("start" | "model" | "preparing_workspace"));
        if is_known || begins {
            self.run(&agent.run_id, when, |run| run.agent(agent, when.at_us));
        }
    }

    fn row(&mut self, message: &Message, when: When<'_>) {
        let row = &message.message;
        if row.role == "user" {
            let Some(text) = row.text() else { return };
            match row.idempotency_key.as_deref().and_then(|key| key.strip_suffix(":user")) {
                Some(run) => self.run(run, when, |run| run.asked(&text)),
                None => self.asked(&text, when),
            }
            return;
        }
        let id = row.about.as_ref().and_then(|about| about.run_id.as_deref());
        let is_of = |run: &Run| match (id, &row.tool_call_id) {
            (Some(id), _) => run.is(id),
            (None, Some(call)) => run.has_tool(call),
            (None, None) => false,
        };
        match (self.runs.iter_mut().rev().find(|run| is_of(run)), id) {
            (Some(run), _) => run.row(row),
            // What began it was missed, too.
            (None, Some(id)) if when.is_late => self.run(id, when, |run| run.row(row)),
            (None, _) => {}
        }
    }

    /// What was asked without saying for which run: for the next one. When it was missed, that may have begun meanwhile.
    fn asked(&mut self, text: &str, when: When<'_>) {
        let next = self.runs.iter_mut().find(|run| when.is_late && run.started_at_us >= when.at_us);
        match next.filter(|run| run.prompt.is_none()) {
            Some(run) => run.asked(text),
            None => self.asked = Some(short(text)),
        }
    }

    fn changed(&mut self, session: &Session, at_us: u64) {
        if let Some(label) = &session.label {
            self.label = Some(name(label));
        }
        if session.is_idle() {
            let open = self.runs.iter_mut().filter(|run| run.is_open());
            open.for_each(|run| run.ends(GatewayRunState::Unknown, Some("it ended while nobody listened"), at_us));
        }
    }

    pub(super) fn row_of(&self) -> ThreadRow {
        let last = self.runs.back();
        let last_text = last.map(Run::last_text).unwrap_or_default();
        ThreadRow {
            id: self.id,
            gateway: self.gateway.clone(),
            session: self.session.clone(),
            agent: self.agent.clone(),
            label: self.label.clone(),
            state: last.map(Run::state),
            runs: self.runs_count,
            first_at_us: self.first_at_us,
            last_at_us: self.last_at_us,
            last_text: last_text.chars().take(LAST_TEXT_CHARS_MAX).collect(),
        }
    }

    pub(super) fn view(&self) -> ThreadView {
        ThreadView { row: self.row_of(), turns: self.runs.iter().map(Run::view).collect() }
    }
}
