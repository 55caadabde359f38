//! What a handler may ask of the dispatcher. The one way in which this crate changes anything.

use async_trait::async_trait;
use regatta_core::{Actor, RunId, Slot};
use regatta_dispatcher::compose::NotComposed;
use regatta_dispatcher::{Handle, Refusal, RunRequest, SynthesisRequest, Synthesized};

/// The commands people can give. The dispatcher's handle is one; so is whatever a test brings.
#[async_trait]
pub trait Commands: Send + Sync + 'static {
    /// Asks for a run. The same key again returns the first answer.
    async fn request_run(&self, request: RunRequest, by: Actor, key: Option<String>) -> Result<RunId, Refusal>;

    /// Makes an attempt the winner and has it delivered; `blind` says that nobody's name was seen.
    async fn pick(&self, run: RunId, slot: Slot, reason: String, blind: bool, by: Actor) -> Result<(), Refusal>;

    /// Stops a run, or one attempt of it.
    async fn cancel(&self, run: RunId, slot: Option<Slot>, reason: String, by: Actor) -> Result<(), Refusal>;

    /// Brings an attempt back: one that was put aside is shown again; else its work becomes a branch, whoever won.
    async fn restore(&self, run: RunId, slot: Slot, by: Actor) -> Result<(), Refusal>;

    /// Puts an attempt aside.
    async fn discard(&self, run: RunId, slot: Slot, reason: String, by: Actor) -> Result<(), Refusal>;

    /// Puts hunks of several attempts together as a further attempt.
    async fn synthesize(&self, run: RunId, request: SynthesisRequest, by: Actor) -> Result<Synthesized, NotComposed>;
}

#[async_trait]
impl Commands for Handle {
    async fn request_run(&self, request: RunRequest, by: Actor, key: Option<String>) -> Result<RunId, Refusal> {
        Self::request_run(self, request, by, key).await
    }

    async fn pick(&self, run: RunId, slot: Slot, reason: String, blind: bool, by: Actor) -> Result<(), Refusal> {
        Self::pick(self, run, slot, reason, blind, by).await
    }

    async fn cancel(&self, run: RunId, slot: Option<Slot>, reason: String, by: Actor) -> Result<(), Refusal> {
        Self::cancel(self, run, slot, reason, by).await
    }

    async fn restore(&self, run: RunId, slot: Slot, by: Actor) -> Result<(), Refusal> {
        Self::restore(self, run, slot, by).await
    }

    async fn discard(&self, run: RunId, slot: Slot, reason: String, by: Actor) -> Result<(), Refusal> {
        Self::discard(self, run, slot, Some(reason), by).await
    }

    async fn synthesize(&self, run: RunId, request: SynthesisRequest, by: Actor) -> Result<Synthesized, NotComposed> {
        Self::synthesize(self, run, request, by).await
    }
}
