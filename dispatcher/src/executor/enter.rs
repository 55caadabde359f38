//! A command of a person's in the sandbox of an attempt: started, and followed while somebody listens. What it prints goes to
//! them and to no log; the values of secrets are masked in it as they are for everybody.

use std::collections::BTreeMap;

use regatta_core::SandboxKey;
use regatta_core::event::attempt::{Channel, Exit};
use regatta_sandboxes::{Exec, Provider, Secrets};
use tokio::sync::mpsc;

use super::follow::{Follower, Taken, Taker, exit};
use super::mask::Mask;
use super::sandbox::provider;
use super::{Fatal, Job, World, chain, environment};

/// Bytes one may print on each channel.
const OUTPUT_BYTES_MAX: u64 = 256 << 20;
/// How long one that nobody listens to any more may take to end.
const KILL_GRACE_MS: u64 = 1_000;
/// Pieces that may wait for whoever listens; past it the reading waits.
const PIECES_MAX: usize = 8;

/// What a command came to so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// It printed something.
    Printed(Channel, Vec<u8>),
    /// It is over; nothing comes after this.
    Ended(Exit),
}

/// A command of a person's.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) key: SandboxKey,
    /// Its name in the sandbox.
    pub(crate) exec: String,
    pub(crate) argv: Vec<String>,
    pub(crate) timeout_ms: u64,
}

/// Starts it, and tells `pieces` what it prints until it ends. When nobody listens any more it is stopped.
///
/// # Errors
/// Why it could not be started.
pub(crate) async fn visit(world: &World, job: &Job, visit: Visit) -> Result<mpsc::Receiver<Piece>, String> {
    let provider = provider(world, job, &visit.key)?;
    let mask = environment::mask(world, job, &visit.key).await;
    let ours =
        [("REGATTA_RUN", visit.key.attempt.run.to_string()), ("REGATTA_ATTEMPT", visit.key.attempt.slot.to_string())];
    let exec = Exec {
        name: visit.exec.clone(),
        argv: visit.argv.clone(),
        env: ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        env_pass: vec![],
        // They were declared for the run's own commands.
        secrets: Secrets::default(),
        timeout_ms: visit.timeout_ms,
        output_bytes_max: OUTPUT_BYTES_MAX,
    };
    let sandbox = visit.key.to_string();
    provider.start(&sandbox, &exec).await.map_err(|error| mask.text(chain(&error)))?;
    let (pieces, told) = mpsc::channel(PIECES_MAX);
    tokio::spawn(async move { follow(&*provider, &sandbox, &exec.name, &mask, pieces).await });
    Ok(told)
}

/// Tells what a command prints and how it ends, as long as somebody listens.
async fn follow(provider: &dyn Provider, sandbox: &str, exec: &str, mask: &Mask, pieces: mpsc::Sender<Piece>) {
    let (taker, taken) = (Teller(pieces.clone()), Taken::default());
    let mut follower = Follower { provider, sandbox, exec, mask, taker, taken };
    tokio::select! {
        biased;
        () = pieces.closed() => {
            if let Err(error) = provider.kill(sandbox, exec, KILL_GRACE_MS).await {
                let error = chain(&error);
                tracing::warn!(sandbox, error, "a person's command could not be stopped; its time ends it");
            }
        }
        Ok(ended) = follower.follow() => {
            // Whoever listened may be gone.
            pieces.send(Piece::Ended(exit(ended.exit, mask))).await.ok();
        }
    }
}

/// Tells whoever listens.
struct Teller(mpsc::Sender<Piece>);

impl Taker for Teller {
    async fn take(&mut self, channel: Channel, _offset: u64, bytes: Vec<u8>) -> Result<(), Fatal> {
        // When nobody listens any more the command is stopped.
        self.0.send(Piece::Printed(channel, bytes)).await.ok();
        Ok(())
    }
}
