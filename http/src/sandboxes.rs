//! What a handler may ask about providers and sandboxes. Handlers touch none themselves: whoever answers here does.

use async_trait::async_trait;
use regatta_core::{Actor, SandboxKey};
use regatta_dispatcher::sandboxes::{Limit, ProviderRow, Reaping, SandboxesView};
use regatta_dispatcher::{Asked, Entered, Handle, Refusal};

/// The questions. The dispatcher's handle answers them; so does whatever a test brings.
#[async_trait]
pub trait Sandboxes: Send + Sync + 'static {
    /// Every provider, asked now whether a sandbox could be made.
    async fn providers(&self) -> Vec<ProviderRow>;

    /// How many attempts may be under way at once: over all providers, then at each.
    fn limits(&self) -> Vec<Limit>;

    /// Every sandbox there is, asked of the providers now.
    async fn sandboxes(&self) -> Result<SandboxesView, Refusal>;

    /// Removes a sandbox; one that an attempt uses only with `force`, which cancels the attempt.
    async fn remove(&self, key: SandboxKey, force: bool, asked: Asked) -> Result<(), Refusal>;

    /// Removes every sandbox without a right to exist; with `images`, also what providers keep and nothing uses.
    async fn reap(&self, images: bool, by: Actor) -> Result<Reaping, Refusal>;

    /// Makes a copy of the sandbox of an attempt under way, for so many milliseconds; its name.
    async fn fork(&self, of: SandboxKey, for_ms: u64, by: Actor) -> Result<SandboxKey, Refusal>;

    /// Runs a person's command in the sandbox of an attempt under way.
    async fn enter(&self, key: SandboxKey, argv: Vec<String>, timeout_ms: u64, by: Actor) -> Result<Entered, Refusal>;
}

#[async_trait]
impl Sandboxes for Handle {
    async fn providers(&self) -> Vec<ProviderRow> {
        Self::providers(self).await
    }

    fn limits(&self) -> Vec<Limit> {
        Self::limits(self)
    }

    async fn sandboxes(&self) -> Result<SandboxesView, Refusal> {
        Self::sandboxes(self).await
    }

    async fn remove(&self, key: SandboxKey, force: bool, asked: Asked) -> Result<(), Refusal> {
        self.remove_sandbox(key, force, asked).await
    }

    async fn reap(&self, images: bool, by: Actor) -> Result<Reaping, Refusal> {
        Self::reap(self, images, &by).await
    }

    async fn fork(&self, of: SandboxKey, for_ms: u64, by: Actor) -> Result<SandboxKey, Refusal> {
        Self::fork(self, of, for_ms, by).await
    }

    async fn enter(&self, key: SandboxKey, argv: Vec<String>, timeout_ms: u64, by: Actor) -> Result<Entered, Refusal> {
        Self::enter(self, key, argv, timeout_ms, by).await
    }
}
