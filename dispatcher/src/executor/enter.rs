//! A command of a person's in the sandbox of an attempt: started, and followed while somebody listens. What it prints goes to
//! them and to no log; the values of secrets are masked in it as they are for everybody.

use std::collections::BTreeMap;
use std::time::Duration;

use regatta_core::SandboxKey;
use regatta_core::event::attempt::{Channel, Exit, OUTPUT_CHUNK_BYTES_MAX};
use regatta_sandboxes::{Error, Exec, Provider, Secrets, Status, Stdio};
use tokio::sync::mpsc;

use super::mask::{Mask, Rest};
use super::phase::exit;
use super::sandbox::provider;
use super::{Job, World, chain, environment};

/// Bytes one may print on each channel.
const OUTPUT_BYTES_MAX: u64 = 256 << 20;
/// How long one that nobody listens to any more may take to end.
const KILL_GRACE_MS: u64 = 1_000;
/// Between two questions that failed.
const PAUSE: Duration = Duration::from_secs(1);

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
    let (pieces, told) = mpsc::channel(8);
    tokio::spawn(async move {
        let follower = Follower { provider: &*provider, sandbox, exec: exec.name, mask: &mask, pieces, read: [0; 2] };
        follower.follow().await;
    });
    Ok(told)
}

struct Follower<'a> {
    provider: &'a dyn Provider,
    sandbox: String,
    exec: String,
    mask: &'a Mask,
    pieces: mpsc::Sender<Piece>,
    /// Bytes told of each channel.
    read: [u64; 2],
}

impl Follower<'_> {
    async fn follow(mut self) {
        loop {
            // First where it stands, then what it printed: when it has ended, what is read is all there is.
            let status = self.provider.status(&self.sandbox, &self.exec).await;
            let printed = self.drain(matches!(status, Ok(Status::Ended(_)))).await;
            let ended = match (status, &printed) {
                (Ok(Status::Ended(ended)), Ok(_)) => Some(exit(ended.exit, self.mask)),
                (Err(Error::Missing(_)), _) | (_, Err(Error::Missing(_))) => Some(Exit::Lost),
                _ => None,
            };
            if let Some(ended) = ended {
                // Whoever listened may be gone.
                self.pieces.send(Piece::Ended(ended)).await.ok();
                return;
            }
            let news = async {
                match printed {
                    Ok(true) => {}
                    Ok(false) => self.provider.changed(&self.sandbox, &self.exec).await,
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            };
            tokio::select! {
                biased;
                () = self.pieces.closed() => return self.stop().await,
                () = news => {}
            }
        }
    }

    /// Tells everything printed so far; whether there was anything.
    async fn drain(&mut self, is_over: bool) -> Result<bool, Error> {
        let mut any = false;
        for (at, (stdio, channel)) in [(Stdio::Out, Channel::Out), (Stdio::Err, Channel::Err)].into_iter().enumerate() {
            let Some(offset) = self.read.get_mut(at) else { continue };
            loop {
                let mut bytes =
                    self.provider.read(&self.sandbox, &self.exec, stdio, *offset, OUTPUT_CHUNK_BYTES_MAX).await?;
                let is_full = bytes.len() == OUTPUT_CHUNK_BYTES_MAX;
                let rest = if is_over && !is_full { Rest::None } else { Rest::Some { must_shrink: is_full } };
                self.mask.cover(&mut bytes, rest);
                if bytes.is_empty() {
                    break;
                }
                any = true;
                *offset += bytes.len() as u64;
                if self.pieces.send(Piece::Printed(channel, bytes)).await.is_err() || !is_full {
                    break;
                }
            }
        }
        Ok(any)
    }

    /// Nobody listens any more.
    async fn stop(&self) {
        if let Err(error) = self.provider.kill(&self.sandbox, &self.exec, KILL_GRACE_MS).await {
            let sandbox = &self.sandbox;
            tracing::warn!(sandbox, error = chain(&error), "a person's command could not be stopped; its time ends it");
        }
    }
}
