//! The door for cleaning. What comes of it is told by facts, once it is done.

use regatta_core::event::cleaning::Wish;
use regatta_core::{RunId, Slot};

use super::{Handle, Input};
use crate::{Asked, Refusal, run};

impl Handle {
    /// Has what an attempt left moved into an archive, put back, or forgotten; the answer means that this is on disk and
    /// will be done.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn clean(&self, run: RunId, slot: Slot, wish: Wish, asked: impl Into<Asked>) -> Result<(), Refusal> {
        if let Wish::Clean { to: Some(folder) } = &wish {
            self.world.archives.check(folder)?;
        }
        let asked = asked.into();
        self.ask(|reply| Input::Command { run, command: run::Command::Clean(slot, wish), asked, reply }).await
    }
}
