//! Who asks for something, and the key under which they ask: the same key again means the same request, whose first
//! answer holds. The key stands in the log, on the first fact that came of the request.

use std::sync::Arc;

use regatta_core::Actor;

use crate::{Refusal, RefusalKind};

/// Marks a request's key among other keys of facts.
const MARK: &str = "c:";
/// Between a key's name and what was asked under it.
const BETWEEN: char = '/';

/// The key of a request, and what was asked under it. Both are short texts that stand for something longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandKey {
    /// Stands for the caller, what the request is about, and the key they gave.
    pub name: Arc<str>,
    /// Stands for the request's content.
    pub content: Arc<str>,
}

impl CommandKey {
    /// As it stands in the log.
    #[must_use]
    pub fn to_dedup(&self) -> Arc<str> {
        format!("{MARK}{}{BETWEEN}{}", self.name, self.content).into()
    }

    /// Out of the log; nothing when a fact was recorded under a key of another sort.
    #[must_use]
    pub fn from_dedup(dedup: &str) -> Option<Self> {
        let (name, content) = dedup.strip_prefix(MARK)?.split_once(BETWEEN)?;
        Some(Self { name: name.into(), content: content.into() })
    }
}

/// The refusal of a key that came with another request before.
#[must_use]
pub fn reused() -> Refusal {
    Refusal::new(RefusalKind::KeyReused, "this idempotency key came with another request before")
        .hint("take a new key for a new request")
}

/// Who asks, and under which key.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who.
    pub by: Actor,
    /// The key, when there is one.
    pub key: Option<CommandKey>,
}

impl From<Actor> for Asked {
    fn from(by: Actor) -> Self {
        Self { by, key: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_out_of_the_log_and_others_are_none() {
        let key = CommandKey { name: "abc".into(), content: "12".into() };
        assert_eq!(&*key.to_dedup(), "c:abc/12");
        assert_eq!(CommandKey::from_dedup("c:abc/12"), Some(key));
        for other in ["", "c:", "abc/12", "c:abc"] {
            assert_eq!(CommandKey::from_dedup(other), None, "{other}");
        }
    }
}
