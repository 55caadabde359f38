//! Following a command until it ends: what it prints is read from the provider's files, from where it was taken last, and the
//! values of secrets in it are masked. Knows neither who takes it nor what for.

use std::time::Duration;

use regatta_core::event::attempt::{Channel, Exit, OUTPUT_CHUNK_BYTES_MAX};
use regatta_sandboxes::{Ended, Error, Provider, Status, Stdio};

use super::mask::{Mask, Rest};
use super::{Fatal, chain};

/// Between two questions of which the first could not be answered.
const PAUSE: Duration = Duration::from_secs(1);

/// Whoever takes what is printed.
pub(super) trait Taker {
    /// Takes the bytes of a channel from that offset on, in order.
    async fn take(&mut self, channel: Channel, offset: u64, bytes: Vec<u8>) -> Result<(), Fatal>;
}

/// Follows one command. The offsets are the truth; the provider's files are read from there.
pub(super) struct Follower<'a, T> {
    pub(super) provider: &'a dyn Provider,
    pub(super) sandbox: &'a str,
    pub(super) exec: &'a str,
    pub(super) mask: &'a Mask,
    pub(super) taker: T,
    /// Bytes that were taken of each channel.
    pub(super) taken: Taken,
}

/// Bytes that were taken of each channel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) out: u64,
    pub(super) err: u64,
}

impl<T: Taker> Follower<'_, T> {
    /// Gives everything that is printed to whoever takes it, until the command has ended or is gone.
    pub(super) async fn follow(&mut self) -> Result<Ended, Fatal> {
        loop {
            // First where it stands, then what it printed: when it has ended, what is read is all there is.
            let status = self.provider.status(self.sandbox, self.exec).await;
            let printed = self.drain(matches!(status, Ok(Status::Ended(_)))).await?;
            let trouble = match (status, printed) {
                (Err(Error::Missing(_)), _) | (_, Err(Error::Missing(_))) => {
                    return Ok(Ended { exit: regatta_sandboxes::Exit::Lost, elapsed_ms: 0, oom_kills: 0 });
                }
                (Err(trouble), _) | (_, Err(trouble)) => trouble,
                (Ok(Status::Ended(ended)), Ok(_)) => return Ok(ended),
                (Ok(Status::Running | Status::NotStarted), Ok(true)) => continue,
                (Ok(Status::Running | Status::NotStarted), Ok(false)) => {
                    self.provider.changed(self.sandbox, self.exec).await;
                    continue;
                }
            };
            let (sandbox, error) = (self.sandbox, chain(&trouble));
            tracing::warn!(sandbox, error, "a command cannot be followed for a moment, trying again");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Everything printed so far on both channels; whether there was anything. The beginning of what may be a secret waits
    /// for what follows, unless nothing does.
    async fn drain(&mut self, is_over: bool) -> Result<Result<bool, Error>, Fatal> {
        let before = self.taken;
        for (stdio, channel) in [(Stdio::Out, Channel::Out), (Stdio::Err, Channel::Err)] {
            loop {
                let offset = *self.taken.of(channel);
                let read = self.provider.read(self.sandbox, self.exec, stdio, offset, OUTPUT_CHUNK_BYTES_MAX).await;
                let mut bytes = match read {
                    Ok(bytes) => bytes,
                    Err(error) => return Ok(Err(error)),
                };
                let is_full = bytes.len() == OUTPUT_CHUNK_BYTES_MAX;
                let rest = if is_over && !is_full { Rest::None } else { Rest::Some { must_shrink: is_full } };
                self.mask.cover(&mut bytes, rest);
                if bytes.is_empty() {
                    break;
                }
                let length = bytes.len() as u64;
                self.taker.take(channel, offset, bytes).await?;
                *self.taken.of(channel) += length;
                if !is_full {
                    break;
                }
            }
        }
        Ok(Ok((self.taken.out, self.taken.err) != (before.out, before.err)))
    }
}

impl Taken {
    fn of(&mut self, channel: Channel) -> &mut u64 {
        match channel {
            Channel::Out => &mut self.out,
            Channel::Err => &mut self.err,
        }
    }
}

/// How a command ended, as facts say it.
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
