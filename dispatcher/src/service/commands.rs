//! Commands: a run is requested, or something is wished of one. Decided against everything before, and recorded.

use std::sync::Arc;

use regatta_core::event::run::{Requested, RunEvent};
use regatta_core::{Actor, EventId, RunId};

use super::held::{Decision, Held};
use super::{Dispatcher, Reply};
use crate::asked::reused;
use crate::executor::Fatal;
use crate::race::Wish;
use crate::{Asked, Refusal, RefusalKind, run};

/// Most runs that may be under way at once; past it, requests are refused.
const RUNS_LIVE_MAX: usize = 1_000;

impl Dispatcher {
    pub(super) fn request(
        &mut self,
        facts: Requested,
        key: &Arc<str>,
        by: &Actor,
        reply: Reply<RunId>,
    ) -> Result<(), Fatal> {
        for place in 0_u32.. {
            let run = run_id(key, place);
            let known = self.find(run)?;
            match known.map(|held| (held.key.as_ref() == Some(key), held.race.run.facts == facts)) {
                Err(refusal) if refusal.kind == RefusalKind::Archived => {
                    // Whether it asked for the same can no longer be told.
                    reply.send(Err(refusal.hint("use a fresh key for another run"))).ok();
                    return Ok(());
                }
                Err(_) => {
                    if let Err(refusal) = self.check_room(false) {
                        reply.send(Err(refusal)).ok();
                        return Ok(());
                    }
                    if self.live() >= RUNS_LIVE_MAX {
                        let refusal = Refusal::new(RefusalKind::Busy, format!("{RUNS_LIVE_MAX} runs are under way"));
                        reply.send(Err(refusal.hint("wait for one to finish, or cancel one"))).ok();
                        return Ok(());
                    }
                    self.begin(run, facts, key, by);
                    self.answer_when_durable(reply, false, Ok(run));
                    return self.advance(run);
                }
                Ok((true, true)) => {
                    self.answer_when_durable(reply, false, Ok(run));
                    return self.advance(run);
                }
                Ok((true, false)) => {
                    reply.send(Err(reused())).ok();
                    return self.advance(run);
                }
                // Another run has this id by chance: the key's next id.
                Ok((false, _)) => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self, run: RunId, facts: Requested, key: &Arc<str>, by: &Actor) {
        let held = Held::new(run, facts.clone(), Some(Arc::clone(key)));
        self.races.insert(run, held);
        if let Some(held) = self.races.get_mut(&run) {
            let events = vec![RunEvent::Requested(facts).into()];
            held.record(&mut self.submitter, Decision { events, ..Decision::default() }, by);
        }
    }

    pub(super) fn answer(&mut self, run: RunId, wish: Wish, asked: Asked, reply: Reply<()>) -> Result<(), Fatal> {
        let held = match self.find(run)? {
            Ok(held) => held,
            Err(refusal) => {
                reply.send(Err(refusal)).ok();
                return Ok(());
            }
        };
        let relieves = wish.relieves();
        let is_done = asked.key.as_ref().map_or(Ok(false), |key| held.is_done(key));
        if !matches!(is_done, Ok(false)) {
            self.answer_when_durable(reply, relieves, is_done.map(drop));
            return self.advance(run);
        }
        if let Err(refusal) = self.check_room(relieves) {
            reply.send(Err(refusal)).ok();
            return self.advance(run);
        }
        let decided = self.decide(run, wish, asked, None);
        self.answer_when_durable(reply, relieves, decided);
        self.advance(run)
    }

    /// Decides one wish and records what follows from it.
    pub(super) fn decide(
        &mut self,
        run: RunId,
        wish: Wish,
        asked: Asked,
        cause: Option<EventId>,
    ) -> Result<(), Refusal> {
        let now_us = self.world.clock.now_us();
        let gone = || Refusal::new(RefusalKind::NotFound, format!("there is no run {run}"));
        let held = self.races.get_mut(&run).ok_or_else(gone)?;
        let decision = Decision { cause, key: asked.key, ..held.decide(wish, now_us)? };
        held.record(&mut self.submitter, decision, &asked.by);
        Ok(())
    }

    fn live(&self) -> usize {
        self.races.values().filter(|held| !matches!(held.race.run.stage, run::Stage::Settled(_))).count()
    }
}

/// The id a request's key stands for: the same key always means the same run.
fn run_id(key: &str, place: u32) -> RunId {
    RunId::derived(&format!("{key}/{place}"))
}
