//! Topics: which events belong to each, and how each is told. Pure.

use regatta_core::event::attempt::AttemptEvent;
use regatta_core::{Event, Seq};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::message::Answer;
use crate::feed::Published;
use crate::{Filter, OutputBody, run_of};

/// What can be told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TopicName {
    /// Which runs changed.
    Runs,
    /// Every event of one run but output.
    Run,
    /// What one attempt prints.
    Output,
    /// That where attempts run, or who waits, changed.
    Fleet,
    /// Every event but output.
    Timeline,
}

/// A topic with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) id: Option<String>,
}

impl Topic {
    /// The filter for its events, or what is wrong with it.
    pub(crate) fn filter(&self) -> Result<Filter, String> {
        let id = self.id.as_deref();
        match (self.name, id) {
            (TopicName::Run, Some(id)) => id.parse().map(Filter::of_run).map_err(|error| format!("{error}")),
            (TopicName::Output, Some(id)) => id.parse().map(Filter::output_of).map_err(|error| format!("{error}")),
            (TopicName::Run, None) => Err("the topic run needs the id of a run".to_owned()),
            (TopicName::Output, None) => Err("the topic output needs the id of an attempt".to_owned()),
            (TopicName::Runs | TopicName::Fleet | TopicName::Timeline, None) => Ok(Filter::without_output()),
            (TopicName::Runs | TopicName::Fleet | TopicName::Timeline, Some(_)) => {
                Err("this topic takes no id".to_owned())
            }
        }
    }

    /// Whether its changes are told together, and not event by event.
    pub(crate) fn is_gathered(&self) -> bool {
        matches!(self.name, TopicName::Runs | TopicName::Fleet)
    }

    /// The run an event is about, when this topic tells of runs and the event may have changed one.
    pub(crate) fn changed(&self, event: &Published) -> Option<String> {
        run_of(&event.envelope.stream).map(|run| run.to_string())
    }

    /// Says one event.
    pub(crate) fn tell(&self, event: &Published) -> Option<String> {
        let about = Answer::about(self.name, self.id.as_deref(), event.envelope.seq);
        if self.name == TopicName::Output {
            let Ok(Event::Attempt(AttemptEvent::Output(output))) = event.envelope.event() else { return None };
            return said(&Answer { output: Some(OutputBody::from(&output)), ..about });
        }
        let json = str::from_utf8(event.json()).ok()?;
        said(&Answer { event: serde_json::from_str(json).ok(), ..about })
    }

    /// Says what changed up to a position.
    pub(crate) fn tell_changed(&self, changed: Vec<String>, seq: Seq) -> Option<String> {
        said(&Answer { changed: Some(changed), ..Answer::about(self.name, self.id.as_deref(), seq) })
    }
}

/// As JSON.
pub(crate) fn said(answer: &Answer<'_>) -> Option<String> {
    serde_json::to_string(answer).inspect_err(|error| tracing::error!(%error, "an answer could not be written")).ok()
}
