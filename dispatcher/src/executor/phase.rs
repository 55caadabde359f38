//! Running a command in a sandbox and recording what it prints, byte for byte, across any number of crashes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::attempt::{AttemptEvent, Channel, Exit, Output, Phase, PhaseEnded};
use regatta_core::{Actor, Append, AppendError, AttemptId, Draft, Event, Expect, SandboxKey, Stream};
use regatta_sandboxes::{Created, Ended, Error, Exec, Provider, Secrets, Status};

use super::collect::baseline;
use super::follow::{Follower, Taken, Taker, exit};
use super::mask::Mask;
use super::patience::patiently;
use super::sandbox::{PROMPT_FILE, provider, warm};
use super::{Fatal, Job, World, agent, artifacts, chain, environment, prompt, synthesis};
use crate::attempt::Command;

/// How long a command that is asked to end may take before it is ended by force.
const KILL_GRACE_MS: u64 = 1_000;
/// What is printed in place of a setup command whose work is there already.
const SET_UP: &str = "set up already: what this command made of this base for an earlier attempt is used (docker.warm)";
/// What a provider says of a sandbox without a fence.
const NO_FENCE: &str = "none";
/// The variable that tells an agent that a fence is around it; not to be said where there is none.
const FENCE_CLAIM: &str = "IS_SANDBOX";

pub(super) async fn run(world: &World, job: &Job, key: &SandboxKey, phase: Phase) -> Result<Command, Fatal> {
    world.failpoints.reach("phase-begun").await;
    let mut mask = environment::mask(world, job, key).await;
    let launched = launch(world, job, key, phase, &mut mask).await;
    let recorded = |channel| job.recorded.get(&(key.epoch, phase, channel)).copied().unwrap_or(0);
    let mut taken = Taken { out: recorded(Channel::Out), err: recorded(Channel::Err) };
    let ended = match launched {
        Ok(provider) => {
            world.failpoints.reach("phase-launched").await;
            let taker = Recorder { world, job, attempt: key.attempt, epoch: key.epoch, phase };
            let (sandbox, exec) = (&key.to_string(), &phase.to_string());
            let mut follower = Follower { provider: &*provider, sandbox, exec, mask: &mask, taker, taken };
            let ended = follower.follow().await?;
            taken = follower.taken;
            if phase == Phase::Setup && ended.exit == regatta_sandboxes::Exit::Code(0) {
                keep_warm(world, job, sandbox, &*provider).await;
            }
            ended
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
        out_bytes: taken.out,
        err_bytes: taken.err,
        oom_kills: ended.oom_kills,
    };
    Ok(Command::PhaseEnded(ended, artifacts))
}

/// Has what setup made kept for others. Without it they run it themselves.
async fn keep_warm(world: &World, job: &Job, sandbox: &str, provider: &dyn Provider) {
    let Some(warm) = warm(world, job) else { return };
    if let Err(error) = provider.keep_warm(sandbox, &warm).await {
        tracing::warn!(sandbox, error = chain(&error), "what setup made is not kept for others");
    }
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
        Phase::Setup if found.is_warm => shell(&format!("echo '{SET_UP}'"), limits.setup_timeout_ms),
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

/// Puts what a command prints into the log. The offset in the log is the truth.
struct Recorder<'a> {
    world: &'a World,
    job: &'a Job,
    attempt: AttemptId,
    epoch: u32,
    phase: Phase,
}

impl Taker for Recorder<'_> {
    async fn take(&mut self, channel: Channel, offset: u64, bytes: Vec<u8>) -> Result<(), Fatal> {
        self.world.failpoints.reach("output-read").await;
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
        self.world.failpoints.reach("output-recorded").await;
        Ok(())
    }
}
