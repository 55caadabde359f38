//! A log's events as a test tells them: time, positions, ids and leases are kept here, so that a test names only what
//! it is about.

use std::collections::BTreeMap;

use regatta_core::event::CleaningEvent;
use regatta_core::event::attempt::{
    Artifact, ArtifactsCollected, AttemptEvent, CancelRequested, Channel, Collected, DiffStat, Exit, FileChange,
    Finished, Outcome, Output, Phase, PhaseEnded, PhaseStarted, Queued, RetryScheduled, Started, Waiting,
};
use regatta_core::event::cleaning::{self, Archive, Wish};
use regatta_core::event::delivery::{self, DeliveryEvent};
use regatta_core::event::run::{
    self, AttemptEnded, Check, Decided, Entry, Judge, Limits, Prompt, RunEvent, RunOutcome, Strategy,
};
use regatta_core::event::sandbox::{
    Created, Destroyed, Entered, Failed, ForkEnded, Forked, Intended, Reaped, SandboxEvent,
};
use regatta_core::log::MemoryLog;
use regatta_core::{
    Actor, Append, AttemptId, BlobRef, Draft, Envelope, Event, EventId, Expect, Log as _, RunId, SandboxKey, Seq, Slot,
    Stream,
};
use regatta_projections::{Projection as _, Views};
use uuid::Uuid;

/// When every history begins: a round number of microseconds.
pub(crate) const START_US: u64 = 1_700_000_000_000_000;

/// The run of that number.
pub(crate) fn run(number: u128) -> RunId {
    RunId::from_bits(number)
}

/// The attempt of a run in that slot.
pub(crate) fn attempt(run: RunId, slot: usize) -> AttemptId {
    AttemptId { run, slot: Slot::new(slot).expect("slot") }
}

/// An agent in a sandbox of `local`.
pub(crate) fn entry(agent: &str) -> Entry {
    Entry { agent: agent.to_owned(), command: None, model: Some("m1".to_owned()), sandbox: "local".to_owned() }
}

/// What was asked for, with checks of these names.
pub(crate) fn request(strategy: Strategy, entries: &[Entry], checks: &[&str]) -> run::Requested {
    let check = |name: &&str| Check { name: (*name).to_owned(), command: format!("run {name}") };
    run::Requested {
        title: "fix the parser".to_owned(),
        prompt: Prompt::Inline("fix the parser\nit drops the last row".to_owned()),
        repository: "/home/ada/parser".to_owned(),
        base_ref: "main".to_owned(),
        base_commit: "3f1c2a9b".repeat(5),
        uncommitted_included: 0,
        attempts: entries.to_vec(),
        strategy,
        setup: None,
        checks: checks.iter().map(check).collect(),
        artifacts: vec![],
        limits: Limits::default(),
        environment: vec![],
    }
}

/// What one attempt was heard of.
#[derive(Default, Clone)]
struct Heard {
    epoch: u32,
    started_at_us: Option<u64>,
    phase_started_at_us: u64,
    printed: BTreeMap<(u32, Phase, Channel), u64>,
    stat: DiffStat,
}

/// Events as a test tells them.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) events: Vec<Envelope>,
    now_us: u64,
    places: BTreeMap<Stream, u64>,
    requests: BTreeMap<RunId, run::Requested>,
    heard: BTreeMap<AttemptId, Heard>,
    /// Position before the first event; moves on when events are taken away.
    base: u64,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { now_us: START_US, ..Self::default() }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, ms: u64) -> &mut Self {
        self.now_us += ms * 1_000;
        self
    }

    /// The clock jumps back.
    pub(crate) fn jump_back(&mut self, ms: u64) -> &mut Self {
        self.now_us -= ms * 1_000;
        self
    }

    /// Takes the events away; the next one goes on where they ended.
    pub(crate) fn take(&mut self) -> Vec<Envelope> {
        self.base += self.events.len() as u64;
        std::mem::take(&mut self.events)
    }

    pub(crate) fn say(&mut self, stream: Stream, actor: &Actor, event: &Event) -> &mut Self {
        let (kind, version, payload) = event.encode();
        self.say_raw(stream, actor, (kind, version, payload))
    }

    pub(crate) fn say_raw(
        &mut self,
        stream: Stream,
        actor: &Actor,
        (kind, version, payload): (regatta_core::Kind, u16, bytes::Bytes),
    ) -> &mut Self {
        let seq = self.base + self.events.len() as u64 + 1;
        let place = self.places.entry(stream.clone()).or_insert(0);
        *place += 1;
        self.events.push(Envelope {
            seq: Seq(seq),
            stream,
            stream_seq: *place,
            id: EventId(Uuid::from_u128(u128::from(seq))),
            kind,
            version,
            at_us: self.now_us,
            actor: actor.clone(),
            cause: (seq > 1).then(|| EventId(Uuid::from_u128(u128::from(seq - 1)))),
            correlation: Uuid::from_u128(1),
            dedup: None,
            payload,
        });
        self
    }

    fn of_run(&mut self, run: RunId, actor: &Actor, event: RunEvent) -> &mut Self {
        self.say(Stream::run(run), actor, &Event::Run(event))
    }

    fn of_attempt(&mut self, id: AttemptId, event: AttemptEvent) -> &mut Self {
        let event = Event::Attempt(event);
        self.say(Stream::attempt(id), &Actor::regatta(), &event)
    }

    fn of_sandbox(&mut self, key: &SandboxKey, event: SandboxEvent) -> &mut Self {
        self.say(Stream::sandbox(key), &Actor::regatta(), &Event::Sandbox(event))
    }

    fn of_delivery(&mut self, run: RunId, event: DeliveryEvent) -> &mut Self {
        self.say(Stream::delivery(run), &Actor::regatta(), &Event::Delivery(event))
    }

    // Runs.

    pub(crate) fn requested(&mut self, run: RunId, requested: run::Requested) -> &mut Self {
        self.requests.insert(run, requested.clone());
        self.of_run(run, &Actor::user("ada"), RunEvent::Requested(requested))
    }

    pub(crate) fn prepared(&mut self, run: RunId) -> &mut Self {
        let base_commit = self.requests[&run].base_commit.clone();
        self.of_run(run, &Actor::regatta(), RunEvent::Prepared(run::Prepared { base_commit }))
    }

    /// The run records the end of an attempt.
    pub(crate) fn recorded(&mut self, id: AttemptId, outcome: Outcome) -> &mut Self {
        let heard = self.heard.get(&id).cloned().unwrap_or_default();
        let elapsed_ms = heard.started_at_us.map_or(0, |started| self.now_us.saturating_sub(started) / 1_000);
        let ended = AttemptEnded { slot: id.slot, outcome, stat: heard.stat, elapsed_ms };
        self.of_run(id.run, &Actor::regatta(), RunEvent::AttemptEnded(ended))
    }

    pub(crate) fn decided(&mut self, run: RunId, winner: Option<usize>) -> &mut Self {
        let winner = winner.and_then(Slot::new);
        let decided =
            Decided { winner, judge: Judge::Checks, reason: "the first that passed".to_owned(), blind: false };
        self.of_run(run, &Actor::regatta(), RunEvent::Decided(decided))
    }

    pub(crate) fn picked(&mut self, run: RunId, winner: usize) -> &mut Self {
        let decided =
            Decided { winner: Slot::new(winner), judge: Judge::Human, reason: "I like it".to_owned(), blind: false };
        self.of_run(run, &Actor::user("bob"), RunEvent::Decided(decided))
    }

    /// Hunks of these attempts become a further one.
    pub(crate) fn synthesized(&mut self, id: AttemptId, of: &[usize]) -> &mut Self {
        let taken = |slot: &usize| run::TakenHunk {
            slot: Slot::new(*slot).expect("slot"),
            path: "src/parse.rs".to_owned(),
            hunk: Some(1),
            header: "@@ -41,3 +41,3 @@".to_owned(),
            hash: None,
        };
        let entry = Entry { model: None, ..entry(run::SYNTHESIS) };
        self.requests.get_mut(&id.run).expect("requested").attempts.push(entry.clone());
        let (patch, hunks) = (BlobRef::of(b"both"), of.iter().map(taken).collect());
        let synthesis =
            run::SynthesisRequested { slot: id.slot, entry, patch, hunks, reason: "best of both".to_owned() };
        self.of_run(id.run, &Actor::user("bob"), RunEvent::SynthesisRequested(synthesis))
    }

    pub(crate) fn discarded(&mut self, id: AttemptId) -> &mut Self {
        let discarded = run::AttemptDiscarded { slot: id.slot, reason: "off topic".to_owned() };
        self.of_run(id.run, &Actor::user("bob"), RunEvent::AttemptDiscarded(discarded))
    }

    pub(crate) fn discard_undone(&mut self, id: AttemptId) -> &mut Self {
        self.of_run(id.run, &Actor::user("bob"), RunEvent::DiscardUndone(run::DiscardUndone { slot: id.slot }))
    }

    pub(crate) fn run_cancelled(&mut self, run: RunId) -> &mut Self {
        let cancel = run::CancelRequested { reason: "too slow".to_owned() };
        self.of_run(run, &Actor::user("ada"), RunEvent::CancelRequested(cancel))
    }

    pub(crate) fn run_finished(&mut self, run: RunId, outcome: RunOutcome) -> &mut Self {
        self.of_run(run, &Actor::regatta(), RunEvent::Finished(run::Finished { outcome }))
    }

    // Deliveries.

    pub(crate) fn delivery_intended(&mut self, id: AttemptId) -> &mut Self {
        let repository = self.requests[&id.run].repository.clone();
        let intended = delivery::Intended { attempt: id, repository, branch: branch(id) };
        self.of_delivery(id.run, DeliveryEvent::Intended(intended))
    }

    pub(crate) fn delivered(&mut self, id: AttemptId) -> &mut Self {
        let delivered = delivery::Delivered { attempt: id, branch: branch(id), commit: "c0ffee".to_owned() };
        self.of_delivery(id.run, DeliveryEvent::Delivered(delivered))
    }

    pub(crate) fn undelivered(&mut self, id: AttemptId) -> &mut Self {
        let failed = delivery::Failed { attempt: id, branch: branch(id), reason: "the repository is gone".to_owned() };
        self.of_delivery(id.run, DeliveryEvent::Failed(failed))
    }

    // Cleanings.

    /// What becomes of what an attempt left, one word each: it is asked for by bob, the rest follows.
    pub(crate) fn cleaned(&mut self, attempt: AttemptId, words: &str) -> &mut Self {
        for word in words.split_whitespace() {
            let archive = Archive { path: format!("cleaned/{attempt}.tar.zst"), bytes: 7, blake3: "ab".repeat(32) };
            let asked = |wish| CleaningEvent::Requested(cleaning::Requested { attempt, wish });
            let (blobs, blob_bytes) = (1, 5);
            let known = [
                ("clean", asked(Wish::Clean { to: None })),
                ("return", asked(Wish::Return)),
                ("forget", asked(Wish::Forget)),
                ("archived", CleaningEvent::Archived(cleaning::Archived { attempt, archive, blobs, blob_bytes })),
                ("removed", CleaningEvent::Removed(cleaning::Removed { attempt, blobs, blob_bytes, kept: 0 })),
                ("returned", CleaningEvent::Returned(cleaning::Returned { attempt, blobs, blob_bytes })),
                ("forgotten", CleaningEvent::Forgotten(cleaning::Forgotten { attempt })),
                ("failed", CleaningEvent::Failed(cleaning::Failed { attempt, reason: "it is full".to_owned() })),
            ];
            let (_, event) = known.into_iter().find(|(name, _)| *name == word).expect("a fact");
            let by = if matches!(event, CleaningEvent::Requested(_)) { Actor::user("bob") } else { Actor::regatta() };
            self.say(Stream::cleaning(attempt.run), &by, &Event::Cleaning(event));
        }
        self
    }

    // Attempts.

    pub(crate) fn queued(&mut self, id: AttemptId) -> &mut Self {
        let requested = &self.requests[&id.run];
        let queued = Queued {
            run: id.run,
            slot: id.slot,
            entry: requested.attempts[id.slot.index()].clone(),
            setup: requested.setup.is_some(),
            checks: u16::try_from(requested.checks.len()).expect("few checks"),
            starts_max: requested.limits.starts_max,
        };
        self.heard.insert(id, Heard::default());
        self.of_attempt(id, AttemptEvent::Queued(queued))
    }

    pub(crate) fn waiting(&mut self, id: AttemptId, reason: &str) -> &mut Self {
        self.of_attempt(id, AttemptEvent::Waiting(Waiting { reason: reason.to_owned() }))
    }

    /// The sandbox of its lease in force.
    pub(crate) fn key(&self, id: AttemptId) -> SandboxKey {
        key(id, self.heard[&id].epoch)
    }

    /// A new lease, and the intent to make its sandbox.
    pub(crate) fn started(&mut self, id: AttemptId) -> &mut Self {
        let now_us = self.now_us;
        let heard = self.heard.get_mut(&id).expect("queued");
        heard.epoch += 1;
        heard.started_at_us.get_or_insert(now_us);
        let epoch = heard.epoch;
        self.of_attempt(id, AttemptEvent::Started(Started { epoch, sandbox: key(id, epoch) })).intended(id)
    }

    pub(crate) fn intended(&mut self, id: AttemptId) -> &mut Self {
        let key = self.key(id);
        let provider = self.requests[&id.run].attempts[id.slot.index()].sandbox.clone();
        let intended = Intended { key: key.clone(), provider, attempt: id, epoch: key.epoch };
        self.of_sandbox(&key, SandboxEvent::Intended(intended))
    }

    pub(crate) fn created(&mut self, id: AttemptId) -> &mut Self {
        let key = self.key(id);
        self.of_sandbox(&key, SandboxEvent::Created(Created { key: key.clone(), fence: "bubblewrap".to_owned() }))
    }

    pub(crate) fn sandbox_failed(&mut self, id: AttemptId, transient: bool) -> &mut Self {
        let key = self.key(id);
        let failed = Failed { key: key.clone(), reason: "disk is full".to_owned(), transient };
        self.of_sandbox(&key, SandboxEvent::Failed(failed))
    }

    pub(crate) fn destroyed(&mut self, key: &SandboxKey) -> &mut Self {
        self.of_sandbox(key, SandboxEvent::Destroyed(Destroyed { key: key.clone() }))
    }

    pub(crate) fn reaped(&mut self, key: &SandboxKey) -> &mut Self {
        self.of_sandbox(key, SandboxEvent::Reaped(Reaped { key: key.clone(), provider: "local".to_owned() }))
    }

    /// A person runs a command in the sandbox, and looks into a copy of it for a while.
    pub(crate) fn visited(&mut self, id: AttemptId) -> &mut Self {
        let key = self.key(id);
        let copy = SandboxKey { epoch: 1_000_001, ..key.clone() };
        let entered = Entered { key: key.clone(), exec: "person-1".to_owned(), program: "ls".to_owned() };
        self.of_sandbox(&key, SandboxEvent::Entered(entered));
        self.forked(&copy, &key);
        self.fork_ended(&copy);
        self.destroyed(&copy)
    }

    pub(crate) fn forked(&mut self, copy: &SandboxKey, of: &SandboxKey) -> &mut Self {
        let (provider, until_ms) = ("local".to_owned(), self.now_us / 1_000 + 60_000);
        let forked = Forked { key: copy.clone(), of: of.clone(), provider, until_ms };
        self.of_sandbox(copy, SandboxEvent::Forked(forked))
    }

    pub(crate) fn fork_ended(&mut self, copy: &SandboxKey) -> &mut Self {
        self.of_sandbox(copy, SandboxEvent::ForkEnded(ForkEnded { key: copy.clone() }))
    }

    pub(crate) fn phase_started(&mut self, id: AttemptId, phase: Phase) -> &mut Self {
        let now_us = self.now_us;
        let heard = self.heard.get_mut(&id).expect("queued");
        heard.phase_started_at_us = now_us;
        let epoch = heard.epoch;
        self.of_attempt(id, AttemptEvent::PhaseStarted(PhaseStarted { epoch, phase }))
    }

    pub(crate) fn printed(&mut self, id: AttemptId, phase: Phase, channel: Channel, text: &[u8]) -> &mut Self {
        let heard = self.heard.get_mut(&id).expect("queued");
        let epoch = heard.epoch;
        let printed = heard.printed.entry((epoch, phase, channel)).or_insert(0);
        let offset = *printed;
        *printed += text.len() as u64;
        let output = Output { epoch, phase, channel, offset, bytes: bytes::Bytes::copy_from_slice(text) };
        self.say(Stream::output(id), &Actor::regatta(), &Event::Attempt(AttemptEvent::Output(output)))
    }

    pub(crate) fn phase_ended(&mut self, id: AttemptId, phase: Phase, exit: Exit) -> &mut Self {
        let heard = &self.heard[&id];
        let (epoch, now_us) = (heard.epoch, self.now_us);
        let printed = |channel| heard.printed.get(&(epoch, phase, channel)).copied().unwrap_or(0);
        let ended = PhaseEnded {
            epoch,
            phase,
            exit,
            elapsed_ms: now_us.saturating_sub(heard.phase_started_at_us) / 1_000,
            out_bytes: printed(Channel::Out),
            err_bytes: printed(Channel::Err),
            oom_kills: 0,
        };
        self.of_attempt(id, AttemptEvent::PhaseEnded(ended))
    }

    /// It changed these paths (one line added to each), with a patch of this content.
    pub(crate) fn collected(&mut self, id: AttemptId, patch: &str, paths: &[&str]) -> &mut Self {
        let file = |path: &&str| FileChange { path: (*path).to_owned(), added: Some(1), removed: Some(0) };
        let count = u32::try_from(paths.len()).expect("few paths");
        let stat = DiffStat { files: count, added: u64::from(count), removed: 0 };
        let heard = self.heard.get_mut(&id).expect("queued");
        heard.stat = stat;
        let patch = (count > 0).then(|| BlobRef::of(patch.as_bytes()));
        let epoch = heard.epoch;
        let files = paths.iter().map(file).collect();
        self.of_attempt(id, AttemptEvent::Collected(Collected { epoch, patch, stat, files, failure: None }))
    }

    /// A command left these files, of one byte each.
    pub(crate) fn left(&mut self, id: AttemptId, phase: Phase, names: &[&str]) -> &mut Self {
        let artifact = |name: &&str| Artifact { name: format!("{phase}/{name}"), blob: BlobRef::of(b"x"), mode: 0o644 };
        let count = u32::try_from(names.len()).expect("few files");
        let collected = ArtifactsCollected {
            epoch: self.heard[&id].epoch,
            phase,
            artifacts: names.iter().map(artifact).collect(),
            omitted: vec![],
            omitted_count: 1,
            failure: None,
            kept_count: count,
            kept_bytes: u64::from(count),
        };
        self.of_attempt(id, AttemptEvent::ArtifactsCollected(collected))
    }

    pub(crate) fn not_collected(&mut self, id: AttemptId) -> &mut Self {
        let (epoch, failure) = (self.heard[&id].epoch, Some("git is gone".to_owned()));
        let stat = DiffStat::default();
        self.of_attempt(id, AttemptEvent::Collected(Collected { epoch, patch: None, stat, files: vec![], failure }))
    }

    pub(crate) fn retry_scheduled(&mut self, id: AttemptId) -> &mut Self {
        let epoch = self.heard[&id].epoch;
        let not_before_ms = self.now_us / 1_000 + 1_000;
        let retry = RetryScheduled { epoch, reason: "disk is full".to_owned(), not_before_ms, is_spared: false };
        self.of_attempt(id, AttemptEvent::RetryScheduled(retry))
    }

    pub(crate) fn cancelled(&mut self, id: AttemptId, reason: &str) -> &mut Self {
        self.of_attempt(id, AttemptEvent::CancelRequested(CancelRequested { reason: reason.to_owned() }))
    }

    pub(crate) fn finished(&mut self, id: AttemptId, outcome: Outcome) -> &mut Self {
        let started = self.heard[&id].started_at_us;
        let elapsed_ms = started.map_or(0, |started| self.now_us.saturating_sub(started) / 1_000);
        self.of_attempt(id, AttemptEvent::Finished(Finished { outcome, elapsed_ms }))
    }

    // Longer pieces.

    /// Up to the agent's first instruction.
    pub(crate) fn running(&mut self, id: AttemptId) -> &mut Self {
        self.queued(id).pass(10).started(id).pass(20).created(id).phase_started(id, Phase::Agent)
    }

    /// The agent ends well, having changed these paths.
    pub(crate) fn worked(&mut self, id: AttemptId, patch: &str, paths: &[&str]) -> &mut Self {
        self.phase_ended(id, Phase::Agent, Exit::Code(0)).pass(5).collected(id, patch, paths)
    }

    /// A check is run and ends with that code.
    pub(crate) fn checked(&mut self, id: AttemptId, index: u16, code: i32) -> &mut Self {
        let phase = Phase::Check(index);
        self.phase_started(id, phase).pass(30).phase_ended(id, phase, Exit::Code(code))
    }

    /// It is over, its run recorded it, and its sandbox is gone.
    pub(crate) fn over(&mut self, id: AttemptId, outcome: Outcome) -> &mut Self {
        let key = self.key(id);
        self.finished(id, outcome.clone()).recorded(id, outcome).destroyed(&key)
    }

    // What is made of it.

    /// Views that took every event.
    pub(crate) fn views(&self) -> Views {
        views(&self.events)
    }

    /// A log that holds every event.
    pub(crate) fn log(&self) -> MemoryLog {
        let log = MemoryLog::default();
        append(&log, &self.events);
        log
    }
}

/// Appends events to a log; they come out as they went in.
pub(crate) fn append(log: &MemoryLog, events: &[Envelope]) {
    for envelope in events {
        let draft = Draft {
            id: envelope.id,
            kind: envelope.kind,
            version: envelope.version,
            at_us: envelope.at_us,
            actor: envelope.actor.clone(),
            cause: envelope.cause,
            correlation: envelope.correlation,
            dedup: None,
            payload: envelope.payload.clone(),
        };
        let append = Append { stream: envelope.stream.clone(), expect: Expect::Any, events: vec![draft] };
        log.submit(append).try_recv().expect("answered at once").expect("appended");
    }
}

/// Views that took these events.
pub(crate) fn views(events: &[Envelope]) -> Views {
    let mut views = Views::default();
    for envelope in events {
        views.apply(envelope);
    }
    views
}

fn key(id: AttemptId, epoch: u32) -> SandboxKey {
    SandboxKey { install: "abcd".parse().expect("install"), attempt: id, epoch }
}

fn branch(id: AttemptId) -> String {
    format!("regatta/{}/{}", id.run, id.slot)
}
