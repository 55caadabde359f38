//! Running a command in a sandbox and recording what it prints, byte for byte, across any number of crashes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::attempt::{AttemptEvent, Channel, Exit, OUTPUT_CHUNK_BYTES_MAX, Output, Phase, PhaseEnded};
use regatta_core::{Actor, Append, AppendError, AttemptId, Draft, Event, Expect, SandboxKey, Stream};
use regatta_sandboxes::{Created, Ended, Error, Exec, Provider, Secrets, Status, Stdio};

use super::collect::baseline;
use super::mask::{Mask, Rest};
use super::patience::patiently;
use super::sandbox::{PROMPT_FILE, provider};
use super::{Fatal, Job, World, agent, artifacts, chain, environment, prompt, synthesis};
use crate::attempt::Command;

/// How long a command that is asked to end may take before it is ended by force.
const KILL_GRACE_MS: u64 = 1_000;
/// What a provider says of a sandbox without a fence.
const NO_FENCE: &str = "none";
/// The variable that tells an agent that a fence is around it; not to be said where there is none.
const FENCE_CLAIM: &str = "IS_SANDBOX";

pub(super) async fn run(world: &World, job: &Job, key: &SandboxKey, phase: Phase) -> Result<Command, Fatal> {
    world.failpoints.reach("phase-begun").await;
    let mut mask = environment::mask(world, job, key).await;
    let launched = launch(world, job, key, phase, &mut mask).await;
    let mut follower = Follower::new(world, job, key, phase, &mask);
    let ended = match launched {
        Ok(provider) => {
            world.failpoints.reach("phase-launched").await;
            follower.follow(provider).await?
        }
        Err(reason) => Ended { exit: regatta_sandboxes::Exit::NotStarted(reason), elapsed_ms: 0, oom_kills: 0 },
    };
    world.failpoints.reach("phase-over").await;
    let exit = exit(ended.exit, &mask);
    let artifacts = match (phase, &exit) {
        // The agent's are collected together with its change.
        (Phase::Setup | Phase::Agent, _) | (Phase::Check(_), Exit::Lost | Exit::NotStarted { .. }) => None,
        (Phase::Check(_), Exit::Code(_) | Exit::Signal(_) | Exit::TimedOut | Exit::Killed | Exit::OverLimit { .. }) => {
            artifacts::collect(world, job, key, phase).await
        }
    };
    let ended = PhaseEnded {
        epoch: key.epoch,
        phase,
        exit,
        elapsed_ms: ended.elapsed_ms,
        out_bytes: follower.out,
        err_bytes: follower.err,
    };
    Ok(Command::PhaseEnded(ended, artifacts))
}

/// Starts the command unless it was started before.
async fn launch(
    world: &World,
    job: &Job,
    key: &SandboxKey,
    phase: Phase,
    mask: &mut Mask,
) -> Result<Arc<dyn Provider>, String> {
    let provider = provider(world, job, key)?;
    let sandbox = key.to_string();
    let found = match patiently(&sandbox, || provider.find(&sandbox)).await {
        Ok(found) => found,
        // Following it will say that it is lost.
        Err(Error::Missing(_)) => return Ok(provider),
        Err(error) => return Err(chain(&error)),
    };
    // Nothing is given out again for what began before a crash.
    let name = phase.to_string();
    if let Ok(Status::Running | Status::Ended(_)) = patiently(&sandbox, || provider.status(&sandbox, &name)).await {
        return Ok(provider);
    }
    if phase == Phase::Agent && job.facts.setup.is_some() {
        baseline(world, job, key, &*provider).await;
    }
    let mut exec = exec(world, job, key, phase, &found)?;
    if job.synthesis(key.attempt.slot).is_none() || phase != Phase::Agent {
        let given = environment::give(world, job, key, phase, mask).await?;
        exec.env.extend(given.plain);
        exec.secrets = given.secrets;
    }
    match patiently(&sandbox, || provider.start(&sandbox, &exec)).await {
        Ok(()) | Err(Error::Missing(_)) => Ok(provider),
        Err(error) => Err(chain(&error)),
    }
}

fn exec(world: &World, job: &Job, key: &SandboxKey, phase: Phase, found: &Created) -> Result<Exec, String> {
    let Created { fence, inbox, .. } = found;
    let limits = &job.facts.limits;
    let shell = |text: &str, timeout_ms: u64| Exec {
        name: phase.to_string(),
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()],
        env: BTreeMap::new(),
        env_pass: vec![],
        secrets: Secrets::default(),
        timeout_ms,
        output_bytes_max: limits.output_bytes_max,
    };
    let mut exec = match phase {
        Phase::Setup => shell(job.facts.setup.as_deref().unwrap_or("true"), limits.setup_timeout_ms),
        Phase::Check(index) => {
            let check = job.facts.checks.get(usize::from(index)).ok_or("the run has no such check")?;
            shell(&check.command, limits.check_timeout_ms)
        }
        Phase::Agent if job.synthesis(key.attempt.slot).is_some() => {
            synthesis::exec(phase.to_string(), inbox, limits.setup_timeout_ms, limits.output_bytes_max)
        }
        Phase::Agent => {
            let entry = job.entry(key.attempt.slot).ok_or("the run has no such slot")?;
            let task = prompt(world, &job.facts)?;
            let prompt_file = format!("{inbox}/{PROMPT_FILE}");
            let start = agent(entry)?.start(&regatta_agents::Task {
                prompt: &task,
                prompt_file: &prompt_file,
                model: entry.model.as_deref(),
            });
            let mut start = start.map_err(|error| error.to_string())?;
            if fence == NO_FENCE {
                start.env.remove(FENCE_CLAIM);
            }
            Exec {
                name: phase.to_string(),
                argv: start.argv,
                env: start.env,
                env_pass: start.env_pass,
                secrets: Secrets::default(),
                timeout_ms: limits.agent_timeout_ms,
                output_bytes_max: limits.output_bytes_max,
            }
        }
    };
    exec.env.insert("REGATTA_RUN".to_owned(), key.attempt.run.to_string());
    exec.env.insert("REGATTA_ATTEMPT".to_owned(), key.attempt.slot.to_string());
    Ok(exec)
}

/// Asks a command to stop; its end is seen by whoever follows it.
pub(super) async fn kill(world: &World, job: &Job, key: &SandboxKey, phase: Phase) {
    world.failpoints.reach("kill-begun").await;
    let Ok(provider) = provider(world, job, key) else { return };
    let (sandbox, name) = (key.to_string(), phase.to_string());
    // It may be about to start: wait until it has.
    loop {
        match provider.status(&sandbox, &name).await {
            Ok(Status::Ended(_)) | Err(Error::Missing(_)) => return,
            Ok(Status::NotStarted) => provider.changed(&sandbox, &name).await,
            Ok(Status::Running) => match provider.kill(&sandbox, &name, KILL_GRACE_MS).await {
                Ok(()) | Err(Error::Missing(_)) => return,
                Err(error) => {
                    tracing::warn!(sandbox = %key, %phase, error = chain(&error), "command could not be stopped, trying again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
            Err(error) => {
                tracing::warn!(sandbox = %key, %phase, error = chain(&error), "command cannot be asked about");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Copies what a command prints into the log. The offset in the log is the truth; the provider's file is read from it.
struct Follower<'a> {
    world: &'a World,
    job: &'a Job,
    attempt: AttemptId,
    epoch: u32,
    sandbox: String,
    phase: Phase,
    mask: &'a Mask,
    out: u64,
    err: u64,
}

impl<'a> Follower<'a> {
    fn new(world: &'a World, job: &'a Job, key: &SandboxKey, phase: Phase, mask: &'a Mask) -> Self {
        let recorded = |channel| job.recorded.get(&(key.epoch, phase, channel)).copied().unwrap_or(0);
        Self {
            world,
            job,
            attempt: key.attempt,
            epoch: key.epoch,
            sandbox: key.to_string(),
            phase,
            mask,
            out: recorded(Channel::Out),
            err: recorded(Channel::Err),
        }
    }

    async fn follow(&mut self, provider: Arc<dyn Provider>) -> Result<Ended, Fatal> {
        let name = self.phase.to_string();
        let lost = || Ended { exit: regatta_sandboxes::Exit::Lost, elapsed_ms: 0, oom_kills: 0 };
        loop {
            // First where it stands, then what it printed: when it has ended, what is read is all there is.
            let status = provider.status(&self.sandbox, &name).await;
            let printed = match self.drain(&provider, &name, matches!(status, Ok(Status::Ended(_)))).await? {
                Ok(printed) => printed,
                Err(Error::Missing(_)) => return Ok(lost()),
                Err(error) => {
                    tracing::warn!(
                        sandbox = self.sandbox,
                        error = chain(&error),
                        "output cannot be read, trying again"
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            match status {
                Ok(Status::Ended(ended)) => return Ok(ended),
                Ok(Status::Running | Status::NotStarted) if printed => {}
                Ok(Status::Running | Status::NotStarted) => provider.changed(&self.sandbox, &name).await,
                Err(Error::Missing(_)) => return Ok(lost()),
                Err(error) => {
                    tracing::warn!(sandbox = self.sandbox, error = chain(&error), "command cannot be asked about");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Records everything printed so far on both channels; whether there was anything. The beginning of what may be a
    /// secret waits for what follows, unless nothing does.
    async fn drain(
        &mut self,
        provider: &Arc<dyn Provider>,
        name: &str,
        is_over: bool,
    ) -> Result<Result<bool, Error>, Fatal> {
        let mut any = false;
        for (stdio, channel) in [(Stdio::Out, Channel::Out), (Stdio::Err, Channel::Err)] {
            loop {
                let offset = if channel == Channel::Out { self.out } else { self.err };
                let read = provider.read(&self.sandbox, name, stdio, offset, OUTPUT_CHUNK_BYTES_MAX).await;
                let mut bytes = match read {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) => bytes,
                    Err(error) => return Ok(Err(error)),
                };
                self.world.failpoints.reach("output-read").await;
                let full = bytes.len() == OUTPUT_CHUNK_BYTES_MAX;
                self.mask
                    .cover(&mut bytes, if is_over && !full { Rest::None } else { Rest::Some { must_shrink: full } });
                if bytes.is_empty() {
                    break;
                }
                self.record(channel, offset, bytes).await?;
                self.world.failpoints.reach("output-recorded").await;
                any = true;
                if !full {
                    break;
                }
            }
        }
        Ok(Ok(any))
    }

    async fn record(&mut self, channel: Channel, offset: u64, bytes: Vec<u8>) -> Result<(), Fatal> {
        let length = bytes.len() as u64;
        let output = Output { epoch: self.epoch, phase: self.phase, channel, offset, bytes: bytes.into() };
        let event = Event::from(AttemptEvent::Output(output));
        let draft = Draft::new(&event, &*self.world.clock, Actor::regatta(), self.job.correlation);
        let draft = Draft { cause: self.job.cause, ..draft };
        let append = Append { stream: Stream::output(self.attempt), expect: Expect::Any, events: vec![draft] };
        loop {
            match regatta_core::log::append(&*self.world.log, append.clone()).await {
                Ok(_) => break,
                // The output waits in its file; nothing is lost by waiting with it.
                Err(AppendError::Busy) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(AppendError::ReadOnly(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(
                    error @ (AppendError::Conflict { .. } | AppendError::OutOfBounds(_) | AppendError::Poisoned(_)),
                ) => {
                    return Err(Fatal(format!("failed to record output: {error}")));
                }
            }
        }
        match channel {
            Channel::Out => self.out += length,
            Channel::Err => self.err += length,
        }
        Ok(())
    }
}

pub(super) fn exit(exit: regatta_sandboxes::Exit, mask: &Mask) -> Exit {
    match exit {
        regatta_sandboxes::Exit::Code(code) => Exit::Code(code),
        regatta_sandboxes::Exit::Signal(signal) => Exit::Signal(signal),
        regatta_sandboxes::Exit::TimedOut => Exit::TimedOut,
        regatta_sandboxes::Exit::Killed => Exit::Killed,
        regatta_sandboxes::Exit::OverLimit(limit) => Exit::OverLimit { limit },
        regatta_sandboxes::Exit::NotStarted(reason) => Exit::NotStarted { reason: mask.text(reason) },
        regatta_sandboxes::Exit::Lost => Exit::Lost,
    }
}
