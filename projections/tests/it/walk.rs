//! A walk through legal histories: at each step every move the deciders would allow is listed, and a number chooses one.
//! The same numbers make the same history, and fewer numbers make a shorter one.

use regatta_core::event::attempt::{Channel, Exit, Outcome, Phase};
use regatta_core::event::run::{RunOutcome, Strategy};
use regatta_core::{Actor, AttemptId, RunId, SandboxKey, Slot, Stream};

use crate::history::{History, attempt, entry, request, run};

/// Starts one attempt may have, as in the default limits.
const STARTS_MAX: u32 = 3;

/// How a walk goes.
#[derive(Clone, Copy)]
pub(crate) struct Terrain {
    /// Most runs at once.
    pub(crate) runs_max: usize,
    /// Most attempts in a run.
    pub(crate) attempts_max: usize,
    /// How many of the moves of a running command are output, against one that ends it.
    pub(crate) output_weight: usize,
    /// One of how many moves may be a person's cancel or a failure around the agent.
    pub(crate) calm: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Queued,
    Starting { created: bool },
    Running(Phase),
    Collecting,
    Finished,
}

struct Attempt {
    id: AttemptId,
    stage: Stage,
    epoch: u32,
    cancelled: bool,
    agent_exit: Option<Exit>,
    has_work: bool,
    checks_failed: u16,
    outcome: Option<Outcome>,
    recorded: bool,
    /// Sandboxes of leases that are over.
    left: Vec<SandboxKey>,
}

struct Run {
    id: RunId,
    strategy: Strategy,
    entries: usize,
    checks: u16,
    setup: bool,
    prepared: bool,
    cancelled: bool,
    winner: Option<usize>,
    picks: u32,
    delivering: Vec<usize>,
    /// Whether the winner's delivery went well, once it is over.
    delivered: Option<bool>,
    finished: bool,
    /// Attempts that were put together, the last of `entries`.
    added: usize,
    aside: Vec<usize>,
    attempts: Vec<Attempt>,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Pass,
    Request,
    Prepare(usize),
    PrepareFails(usize),
    CancelRun(usize),
    Settle(usize),
    Pick(usize, usize),
    Synthesize(usize),
    Discard(usize, usize),
    UndoDiscard(usize, usize),
    Deliver(usize, usize),
    Queue(usize),
    Record(usize, usize),
    Attempt(usize, usize, Step),
}

/// A move of one attempt.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait,
    Start,
    IntendAgain,
    Create,
    CreateFails,
    Enter,
    Print,
    EndPhase,
    Collect,
    Cancel,
    Destroy,
}

/// A history that is being walked.
pub(crate) struct Walk {
    pub(crate) history: History,
    terrain: Terrain,
    runs: Vec<Run>,
    requested: u128,
}

impl Walk {
    pub(crate) fn new(terrain: Terrain) -> Self {
        Self { history: History::new(), terrain, runs: vec![], requested: 0 }
    }

    /// A walk by these numbers.
    pub(crate) fn by(terrain: Terrain, choices: &[u32]) -> Self {
        let mut walk = Self::new(terrain);
        for choice in choices {
            walk.step(*choice);
        }
        walk
    }

    /// Makes the move that a number chooses.
    pub(crate) fn step(&mut self, choice: u32) {
        let is_troubled = (choice / 8).is_multiple_of(self.terrain.calm);
        let mut moves = vec![Move::Pass];
        if self.runs.len() < self.terrain.runs_max {
            moves.push(Move::Request);
        }
        for (place, run) in self.runs.iter().enumerate() {
            run.moves(place, is_troubled, &mut moves);
            for (slot, attempt) in run.attempts.iter().enumerate() {
                moves.extend(
                    attempt
                        .steps(run, is_troubled, self.terrain.output_weight)
                        .into_iter()
                        .map(|step| Move::Attempt(place, slot, step)),
                );
                if attempt.stage == Stage::Finished && !attempt.recorded {
                    moves.extend([Move::Record(place, slot); 2]);
                }
            }
        }
        let chosen = moves[choice as usize % moves.len()];
        self.history.pass(u64::from(choice % 7));
        self.make(chosen, choice / 64);
        // A run that is over and was cleaned up is forgotten half of the time; until then it may be picked again.
        if choice.is_multiple_of(2) {
            self.runs.retain(|run| !run.finished || !run.delivering.is_empty() || run.has_left());
        }
    }

    fn make(&mut self, chosen: Move, choice: u32) {
        let history = &mut self.history;
        match chosen {
            Move::Pass => drop_ref(history.pass(1_000)),
            Move::Request => self.request(choice),
            Move::Prepare(place) => {
                self.runs[place].prepared = true;
                history.prepared(self.runs[place].id);
            }
            Move::PrepareFails(place) => {
                self.runs[place].finished = true;
                let outcome = RunOutcome::Failed { reason: "no such branch".to_owned() };
                history.run_finished(self.runs[place].id, outcome);
            }
            Move::CancelRun(place) => {
                self.runs[place].cancelled = true;
                history.run_cancelled(self.runs[place].id);
            }
            Move::Settle(place) => self.runs[place].settle(history),
            Move::Pick(place, slot) => self.runs[place].pick(slot, history),
            Move::Synthesize(place) => self.runs[place].synthesize(history),
            Move::Discard(place, slot) => {
                self.runs[place].aside.push(slot);
                history.discarded(attempt(self.runs[place].id, slot));
            }
            Move::UndoDiscard(place, slot) => {
                self.runs[place].aside.retain(|one| *one != slot);
                history.discard_undone(attempt(self.runs[place].id, slot));
            }
            Move::Deliver(place, slot) => self.runs[place].deliver(slot, choice, history),
            Move::Queue(place) => self.runs[place].queue(history),
            Move::Record(place, slot) => self.runs[place].record(slot, history),
            Move::Attempt(place, slot, step) => {
                let run = &mut self.runs[place];
                let (setup, checks) = (run.setup, run.checks);
                run.attempts[slot].make(step, choice, (setup, checks), history);
            }
        }
    }

    fn request(&mut self, choice: u32) {
        self.requested += 1;
        let entries = 1 + choice as usize % self.terrain.attempts_max;
        let checks = u16::try_from(choice % 3).expect("small");
        let strategy = [Strategy::All, Strategy::Race, Strategy::Best][choice as usize % 3];
        let names: Vec<String> = (0..checks).map(|index| format!("check {index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut requested = request(strategy, &vec![entry("claude"); entries], &names);
        let setup = choice % 2 == 1;
        requested.setup = setup.then(|| "make deps".to_owned());
        let id = run(self.requested);
        self.history.requested(id, requested);
        self.runs.push(Run {
            id,
            strategy,
            entries,
            checks,
            setup,
            prepared: false,
            cancelled: false,
            winner: None,
            picks: 0,
            delivering: vec![],
            delivered: None,
            finished: false,
            added: 0,
            aside: vec![],
            attempts: vec![],
        });
        if choice.is_multiple_of(16) {
            // Something of an older or newer version is in the log, too.
            let unknown = (regatta_core::Kind(0x7f01), 1, bytes::Bytes::from_static(b"{}"));
            self.history.say_raw(Stream::config(), &Actor::recorded("import"), unknown);
        }
    }
}

fn drop_ref(_: &mut History) {}

impl Run {
    fn has_left(&self) -> bool {
        self.attempts.iter().any(|attempt| !attempt.left.is_empty())
    }

    fn all_recorded(&self) -> bool {
        self.attempts.len() == self.entries && self.attempts.iter().all(|attempt| attempt.recorded)
    }

    fn moves(&self, place: usize, is_troubled: bool, moves: &mut Vec<Move>) {
        moves.extend(self.delivering.iter().map(|slot| Move::Deliver(place, *slot)));
        let pickable =
            |(slot, attempt): &(usize, &Attempt)| attempt.recorded && attempt.has_work && !self.aside.contains(slot);
        if self.added == 0
            && self.delivering.is_empty()
            && (self.finished || !self.cancelled)
            && self.attempts.iter().enumerate().any(|one| pickable(&one))
        {
            moves.push(Move::Synthesize(place));
        }
        moves.extend(self.aside.iter().map(|slot| Move::UndoDiscard(place, *slot)));
        let recorded = self.attempts.iter().enumerate().filter(|(_, attempt)| attempt.recorded);
        let fitting = recorded.filter(|(slot, _)| self.winner != Some(*slot) && !self.aside.contains(slot));
        moves.extend(fitting.filter(|_| is_troubled).map(|(slot, _)| Move::Discard(place, slot)));
        if self.picks < 2 && self.delivering.is_empty() {
            let fitting = self.attempts.iter().enumerate().filter(pickable);
            moves.extend(fitting.map(|(slot, _)| Move::Pick(place, slot)));
        }
        if self.finished {
            return;
        }
        if is_troubled && !self.cancelled && self.winner.is_none() {
            moves.push(Move::CancelRun(place));
        }
        if !self.prepared {
            moves.push(if self.cancelled { Move::Settle(place) } else { Move::Prepare(place) });
            if is_troubled && !self.cancelled {
                moves.push(Move::PrepareFails(place));
            }
            return;
        }
        if self.attempts.len() < self.entries {
            moves.extend([Move::Queue(place); 4]);
        }
        if self.all_recorded() && (self.winner.is_none() || self.delivered.is_some()) {
            moves.extend([Move::Settle(place); 4]);
        }
    }

    fn queue(&mut self, history: &mut History) {
        let id = attempt(self.id, self.attempts.len());
        history.queued(id);
        self.attempts.push(Attempt {
            id,
            stage: Stage::Queued,
            epoch: 0,
            cancelled: false,
            agent_exit: None,
            has_work: false,
            checks_failed: 0,
            outcome: None,
            recorded: false,
            left: vec![],
        });
    }

    /// The run records an attempt's end, and with it perhaps a verdict.
    fn record(&mut self, slot: usize, history: &mut History) {
        let ended = &mut self.attempts[slot];
        ended.recorded = true;
        let outcome = ended.outcome.clone().expect("over");
        history.recorded(ended.id, outcome.clone());
        if self.winner.is_some() || self.cancelled || slot >= self.entries - self.added {
            return;
        }
        let passed = |attempt: &Attempt| attempt.outcome == Some(Outcome::Passed);
        let winner = match self.strategy {
            Strategy::All => return,
            Strategy::Race if outcome == Outcome::Passed => Some(slot),
            Strategy::Race | Strategy::Best if self.all_recorded() => self.attempts.iter().position(passed),
            Strategy::Race | Strategy::Best => return,
        };
        history.decided(self.id, winner);
        self.wins(winner, history);
    }

    fn synthesize(&mut self, history: &mut History) {
        self.added += 1;
        self.entries += 1;
        // Whoever goes on with a run that was stopped has changed their mind.
        self.cancelled = self.cancelled && !self.finished;
        self.finished = false;
        history.synthesized(attempt(self.id, self.entries - 1), &[0]);
    }

    fn pick(&mut self, slot: usize, history: &mut History) {
        self.picks += 1;
        history.picked(self.id, slot);
        self.finished = false;
        self.wins(Some(slot), history);
    }

    fn wins(&mut self, winner: Option<usize>, history: &mut History) {
        self.winner = winner;
        self.delivered = None;
        if let Some(slot) = winner {
            history.delivery_intended(attempt(self.id, slot));
            self.delivering.push(slot);
        }
    }

    fn deliver(&mut self, slot: usize, choice: u32, history: &mut History) {
        self.delivering.retain(|one| *one != slot);
        let well = !choice.is_multiple_of(4);
        let id = attempt(self.id, slot);
        if well {
            history.delivered(id)
        } else {
            history.undelivered(id)
        };
        self.delivered = Some(well);
    }

    fn settle(&mut self, history: &mut History) {
        self.finished = true;
        let outcome = match (self.winner.and_then(Slot::new), self.delivered) {
            (Some(winner), Some(true)) => RunOutcome::Delivered { winner },
            (Some(winner), _) => RunOutcome::Undelivered { winner, reason: "the repository is gone".to_owned() },
            (None, _) if self.cancelled => RunOutcome::Cancelled,
            (None, _) => RunOutcome::Undecided,
        };
        history.run_finished(self.id, outcome);
    }
}

impl Attempt {
    fn steps(&self, run: &Run, is_troubled: bool, output_weight: usize) -> Vec<Step> {
        let mut steps = vec![Step::Destroy; self.left.len()];
        let is_to_stop = run.cancelled || (run.winner.is_some() && run.strategy != Strategy::All);
        if self.stage != Stage::Finished && !self.cancelled && (is_to_stop || is_troubled) {
            steps.extend(vec![Step::Cancel; if is_to_stop { 4 } else { 1 }]);
        }
        match self.stage {
            Stage::Queued if is_to_stop => {}
            Stage::Queued => steps.extend([Step::Wait, Step::Start, Step::Start]),
            Stage::Starting { created: false } => {
                steps.extend([Step::Create, Step::Create]);
                steps.extend(is_troubled.then_some([Step::IntendAgain, Step::CreateFails]).into_iter().flatten());
            }
            Stage::Starting { created: true } => steps.push(Step::Enter),
            Stage::Running(_) => {
                steps.extend(vec![Step::Print; output_weight]);
                steps.push(Step::EndPhase);
            }
            Stage::Collecting => steps.push(Step::Collect),
            Stage::Finished => {}
        }
        steps
    }

    fn make(&mut self, step: Step, choice: u32, (setup, checks): (bool, u16), history: &mut History) {
        let id = self.id;
        match step {
            Step::Wait => drop_ref(history.waiting(id, "provider local at 4/4")),
            Step::Start => {
                self.epoch += 1;
                self.checks_failed = 0;
                self.stage = Stage::Starting { created: false };
                history.started(id);
            }
            Step::IntendAgain => drop_ref(history.intended(id)),
            Step::Create => {
                self.stage = Stage::Starting { created: true };
                history.created(id);
            }
            Step::CreateFails => {
                history.sandbox_failed(id, !choice.is_multiple_of(3));
                self.retry_or_fail(!choice.is_multiple_of(3), history);
            }
            Step::Enter if self.cancelled => self.stop(history),
            Step::Enter => self.begin(if setup { Phase::Setup } else { Phase::Agent }, history),
            Step::Print => {
                if choice.is_multiple_of(16) {
                    history.visited(id);
                }
                self.print(choice, history);
            }
            Step::EndPhase => self.end(choice, checks, history),
            Step::Collect => self.collect(choice, checks, history),
            Step::Cancel => {
                self.cancelled = true;
                history.cancelled(id, "a person");
                if self.stage == Stage::Queued {
                    self.stop(history);
                }
            }
            Step::Destroy => {
                let key = self.left.pop().expect("left");
                if choice.is_multiple_of(8) {
                    history.reaped(&key)
                } else {
                    history.destroyed(&key)
                };
            }
        }
    }

    fn begin(&mut self, phase: Phase, history: &mut History) {
        self.stage = Stage::Running(phase);
        history.phase_started(self.id, phase);
    }

    fn print(&self, choice: u32, history: &mut History) {
        let Stage::Running(phase) = self.stage else { return };
        let channel = if choice.is_multiple_of(3) { Channel::Err } else { Channel::Out };
        let line = "compiling parser v0.1.0 é€😀\n".repeat(choice as usize % 8);
        // Pieces end anywhere, also inside a character.
        let cut = line.len().saturating_sub(choice as usize % 4);
        history.printed(self.id, phase, channel, &line.as_bytes()[..cut]);
    }

    fn end(&mut self, choice: u32, checks: u16, history: &mut History) {
        let Stage::Running(phase) = self.stage else { return };
        let exit = match choice % 16 {
            _ if self.cancelled => Exit::Killed,
            0 => Exit::Lost,
            1 => Exit::Code(1),
            2 => Exit::TimedOut,
            3 => Exit::OverLimit { limit: "memory 8 GiB".to_owned() },
            _ => Exit::Code(0),
        };
        history.phase_ended(self.id, phase, exit.clone());
        match phase {
            _ if exit == Exit::Lost => self.retry_or_fail(true, history),
            Phase::Agent => {
                self.agent_exit = Some(exit);
                self.stage = Stage::Collecting;
            }
            Phase::Setup | Phase::Check(_) if self.cancelled => self.stop(history),
            Phase::Setup if exit.is_success() => self.begin(Phase::Agent, history),
            Phase::Setup => self.finish(Outcome::Failed { reason: "setup failed".to_owned() }, history),
            Phase::Check(index) => {
                self.checks_failed += u16::from(!exit.is_success());
                self.check_or_finish(index + 1, checks, history);
            }
        }
    }

    fn collect(&mut self, choice: u32, checks: u16, history: &mut History) {
        self.has_work = false;
        if choice.is_multiple_of(3) {
            history.left(self.id, Phase::Agent, &["report.html"]);
        }
        match choice % 8 {
            0 => drop_ref(history.collected(self.id, "", &[])),
            1 => drop_ref(history.not_collected(self.id)),
            other => {
                self.has_work = true;
                let paths = ["a.rs", "b.rs", "c/d.rs", "naïve.rs"];
                let patch = format!("patch {}", choice % 3);
                history.collected(self.id, &patch, &paths[..1 + other as usize % 4]);
            }
        }
        match (self.agent_exit.clone(), choice % 8) {
            _ if self.cancelled => self.stop(history),
            (_, 1) => self.finish(Outcome::Failed { reason: "git is gone".to_owned() }, history),
            (Some(Exit::Code(0)), 0) => self.finish(Outcome::Unchanged, history),
            (Some(Exit::Code(0)), _) => self.check_or_finish(0, checks, history),
            (Some(Exit::TimedOut), _) => self.finish(Outcome::TimedOut, history),
            (exit, _) => self.finish(Outcome::AgentFailed { exit: exit.unwrap_or(Exit::Lost) }, history),
        }
    }

    fn check_or_finish(&mut self, index: u16, checks: u16, history: &mut History) {
        if index < checks {
            self.begin(Phase::Check(index), history);
        } else {
            let failed = self.checks_failed;
            self.finish(if failed == 0 { Outcome::Passed } else { Outcome::ChecksFailed { failed } }, history);
        }
    }

    fn retry_or_fail(&mut self, transient: bool, history: &mut History) {
        if self.cancelled {
            self.stop(history);
        } else if transient && self.epoch < STARTS_MAX {
            self.left.push(history.key(self.id));
            self.stage = Stage::Queued;
            history.retry_scheduled(self.id);
        } else {
            self.finish(Outcome::Failed { reason: "disk is full".to_owned() }, history);
        }
    }

    fn stop(&mut self, history: &mut History) {
        self.finish(Outcome::Cancelled { reason: "a person".to_owned() }, history);
    }

    fn finish(&mut self, outcome: Outcome, history: &mut History) {
        if self.stage != Stage::Queued {
            self.left.push(history.key(self.id));
        }
        self.stage = Stage::Finished;
        history.finished(self.id, outcome.clone());
        self.outcome = Some(outcome);
    }
}
