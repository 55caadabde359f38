//! One thing the doctor looked at.

use regatta_http::premises::{self, FindingState};
use serde::Serialize;

use crate::terminal::escape;
use crate::terminal::paint::Paint;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    /// Not there, and not needed.
    Note,
    /// Works, but worse than it could.
    Warn,
    /// Something will not work.
    Fail,
}

/// One thing the doctor looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) name: String,
    pub(super) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) todo: Option<String>,
}

impl From<premises::Finding> for Finding {
    fn from(told: premises::Finding) -> Self {
        let level = match told.state {
            FindingState::Ok => Level::Ok,
            FindingState::Note => Level::Note,
            FindingState::Warn => Level::Warn,
            FindingState::Fail => Level::Fail,
        };
        Self { level, name: told.name, detail: told.found, todo: told.fix }
    }
}

impl Finding {
    pub(super) fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { level: Level::Ok, name: name.into(), detail: detail.into(), todo: None }
    }

    pub(super) fn note(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::ok(name, detail) }
    }

    pub(super) fn warn(name: impl Into<String>, detail: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Warn, todo: Some(todo.into()), ..Self::ok(name, detail) }
    }

    pub(super) fn fail(name: impl Into<String>, detail: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { level: Level::Fail, todo: Some(todo.into()), ..Self::ok(name, detail) }
    }

    /// As the API tells it.
    pub(super) fn told(self) -> premises::Finding {
        let state = match self.level {
            Level::Ok => FindingState::Ok,
            Level::Note => FindingState::Note,
            Level::Warn => FindingState::Warn,
            Level::Fail => FindingState::Fail,
        };
        premises::Finding { name: self.name, state, found: self.detail, fix: self.todo }
    }

    /// `ok    git            version 2.47.1`, and what to do under it.
    pub(super) fn line(&self, paint: Paint) -> String {
        let level = match self.level {
            Level::Ok => paint.good("ok  "),
            Level::Note => paint.dim("-   "),
            Level::Warn => paint.warn("warn"),
            Level::Fail => paint.bad("fail"),
        };
        let todo = self.todo.as_ref().map(|todo| format!("\n{:21}do: {}", "", escape::line(todo)));
        format!("{level}  {:<14} {}{}", self.name, escape::line(&self.detail), todo.unwrap_or_default())
    }
}
