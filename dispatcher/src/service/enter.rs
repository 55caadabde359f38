//! A person's command in the sandbox of an attempt under way. That they went in is a fact before it begins; what they did
//! there is theirs.

use regatta_core::{Actor, SandboxKey};
use tokio::sync::mpsc;

use super::{Dispatcher, Handle, Input};
use crate::attempt::{self, Command};
use crate::executor::{Job, Piece, Visit, visit};
use crate::race::{Effect, Wish};
use crate::request::COMMAND_BYTES_MAX;
use crate::{Refusal, RefusalKind};

/// Words of a person's command.
const WORDS_MAX: usize = 1_000;
/// How long a person's command may run at most, in milliseconds.
const VISIT_MS_MAX: u64 = 60 * 60 * 1_000;

/// A person's command that runs in a sandbox. When it is dropped the command is stopped.
#[derive(Debug)]
pub struct Entered {
    /// What it prints, and how it ends.
    pub pieces: mpsc::Receiver<Piece>,
}

impl Handle {
    /// Runs a person's command in the sandbox of an attempt under way. That they did is on disk before it begins.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn enter(
        &self,
        key: SandboxKey,
        argv: Vec<String>,
        timeout_ms: u64,
        by: Actor,
    ) -> Result<Entered, Refusal> {
        let program = checked(&argv, timeout_ms)?;
        let exec = format!("person-{}", self.world.clock.event_id().0.simple());
        let (at, name) = (key.clone(), exec.clone());
        let job = self.ask(|reply| Input::Enter { key: at, exec: name, program, by, reply }).await?;
        let pieces = visit(&self.world, &job, Visit { key, exec, argv, timeout_ms }).await;
        let pieces = pieces.map_err(|reason| {
            Refusal::new(RefusalKind::Unusable, format!("the command could not be started: {reason}"))
                .hint("regatta sandbox ls shows what is there")
        })?;
        Ok(Entered { pieces })
    }
}

impl Dispatcher {
    /// A person goes into the sandbox of an attempt under way; what is needed to follow them there.
    pub(super) fn enter(&mut self, key: SandboxKey, exec: String, program: String, by: &Actor) -> Result<Job, Refusal> {
        self.check_room(false)?;
        let (run, slot) = (key.attempt.run, key.attempt.slot);
        let held = self.races.get(&run).ok_or_else(|| attempt::nobody_in(&key))?;
        let job = held.job(&Effect::Collect(key.clone()), &self.world.blobs);
        self.decide(run, Wish::Attempt(slot, Command::Enter { key, exec, program }), by.clone().into(), None)?;
        Ok(job)
    }
}

/// The program of a person's command, when the command is within its bounds.
fn checked(argv: &[String], timeout_ms: u64) -> Result<String, Refusal> {
    let invalid = |message: String| Refusal::new(RefusalKind::Invalid, message);
    let Some(program) = argv.first().filter(|program| !program.is_empty()) else {
        return Err(invalid("there is no command".to_owned()).hint("regatta sandbox exec last.b -- ls -la"));
    };
    let bytes: usize = argv.iter().map(String::len).sum();
    if argv.len() > WORDS_MAX || bytes > COMMAND_BYTES_MAX || argv.iter().any(|word| word.contains('\0')) {
        let bounds = format!("a command has at most {WORDS_MAX} words and {COMMAND_BYTES_MAX} bytes, none of them NUL");
        return Err(invalid(bounds));
    }
    if !(1..=VISIT_MS_MAX).contains(&timeout_ms) {
        return Err(invalid(format!("timeout_ms is {timeout_ms}, it must be between 1 and {VISIT_MS_MAX}")));
    }
    Ok(program.chars().filter(|character| !character.is_control()).take(100).collect())
}
