//! What a handler may ask of the dispatcher. The one way in which this crate changes anything.

use async_trait::async_trait;
use regatta_core::event::cleaning::Wish;
use regatta_core::{Actor, RunId, Slot};
use regatta_dispatcher::compose::NotComposed;
use regatta_dispatcher::{Asked, Handle, Refusal, RunRequest, SynthesisRequest, Synthesized};

/// The commands people can give. The dispatcher's handle is one; so is whatever a test brings.
#[async_trait]
pub trait Commands: Send + Sync + 'static {
    /// Asks for a run. The same key again returns the first answer.
    async fn request_run(&self, request: RunRequest, by: Actor, key: Option<String>) -> Result<RunId, Refusal>;

    /// Makes an attempt the winner and has it delivered; `blind` says that nobody's name was seen.
    async fn pick(&self, run: RunId, slot: Slot, reason: String, blind: bool, asked: Asked) -> Result<(), Refusal>;

    /// Stops a run, or one attempt of it.
    async fn cancel(&self, run: RunId, slot: Option<Slot>, reason: String, asked: Asked) -> Result<(), Refusal>;

    /// Brings an attempt back: one that was put aside is shown again; else its work becomes a branch, whoever won.
    async fn restore(&self, run: RunId, slot: Slot, asked: Asked) -> Result<(), Refusal>;

    /// Puts an attempt aside.
    async fn discard(&self, run: RunId, slot: Slot, reason: String, asked: Asked) -> Result<(), Refusal>;

    /// Has what an attempt left moved into an archive, put back, or forgotten.
    async fn clean(&self, run: RunId, slot: Slot, wish: Wish, asked: Asked) -> Result<(), Refusal>;

    /// Puts hunks of several attempts together as a further attempt.
    async fn synthesize(&self, run: RunId, request: SynthesisRequest, asked: Asked)
    -> Result<Synthesized, NotComposed>;
}

#[async_trait]
impl Commands for Handle {
    async fn request_run(&self, request: RunRequest, by: Actor, key: Option<String>) -> Result<RunId, Refusal> {
        Self::request_run(self, request, by, key).await
    }

    async fn pick(&self, run: RunId, slot: Slot, reason: String, blind: bool, asked: Asked) -> Result<(), Refusal> {
        Self::pick(self, run, slot, reason, blind, asked).await
    }

    async fn cancel(&self, run: RunId, slot: Option<Slot>, reason: String, asked: Asked) -> Result<(), Refusal> {
        Self::cancel(self, run, slot, reason, asked).await
    }

    async fn restore(&self, run: RunId, slot: Slot, asked: Asked) -> Result<(), Refusal> {
        Self::restore(self, run, slot, asked).await
    }

    async fn discard(&self, run: RunId, slot: Slot, reason: String, asked: Asked) -> Result<(), Refusal> {
        Self::discard(self, run, slot, Some(reason), asked).await
    }

    async fn clean(&self, run: RunId, slot: Slot, wish: Wish, asked: Asked) -> Result<(), Refusal> {
        Self::clean(self, run, slot, wish, asked).await
    }

    async fn synthesize(
        &self,
        run: RunId,
        request: SynthesisRequest,
        asked: Asked,
    ) -> Result<Synthesized, NotComposed> {
        Self::synthesize(self, run, request, asked).await
    }
}
