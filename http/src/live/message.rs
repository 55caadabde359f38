//! What is said over a live WebSocket, in both directions. Plain data.

use regatta_core::Seq;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::topic::TopicName;
use crate::OutputBody;

/// What a client says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Begin to tell about a topic. The same topic and id again begins anew.
    Subscribe(Subscribe),
    /// Stop telling about it.
    Unsubscribe(Unsubscribe),
}

/// Which topic, and from where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscribe {
    /// About what.
    pub(crate) topic: TopicName,
    /// Of `run`: the run's id. Of `output`: the attempt's id.
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// The first position wanted; after the last event there is, when absent.
    #[serde(default)]
    pub(crate) from_seq: Option<u64>,
}

/// Which topic no longer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribe {
    /// About what.
    pub(crate) topic: TopicName,
    /// As it was subscribed.
    #[serde(default)]
    pub(crate) id: Option<String>,
}

/// What the server says: which topic, up to which position, and one of the rest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer<'a> {
    /// About what; nothing in an answer to something that was not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) topic: Option<TopicName>,
    /// As it was subscribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) id: Option<&'a str>,
    /// Everything up to this position is told with this; to resume, subscribe from the one after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<u64>)]
    pub(crate) seq: Option<Seq>,
    /// An event, as `EventBody`. Of `run` and `timeline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<crate::EventBody>)]
    pub(crate) event: Option<&'a RawValue>,
    /// Ids of runs that changed; read them again. Of `runs` and `fleet`; empty when it is not about runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) changed: Option<Vec<String>>,
    /// A piece of output. Of `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) output: Option<OutputBody>,
    /// Too far behind: nothing from this position up to `seq` is told; read it another way. What comes goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<u64>)]
    pub(crate) reread: Option<Seq>,
    /// It begins: everything after `seq` will be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) subscribed: Option<bool>,
    /// What was wrong with the last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) problem: Option<String>,
}

impl<'a> Answer<'a> {
    pub(crate) fn about(topic: TopicName, id: Option<&'a str>, seq: Seq) -> Self {
        Self { topic: Some(topic), id, seq: Some(seq), ..Self::empty() }
    }

    pub(crate) fn wrong(reason: String) -> Self {
        Self { problem: Some(reason), ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            topic: None,
            id: None,
            seq: None,
            event: None,
            changed: None,
            output: None,
            reread: None,
            subscribed: None,
            problem: None,
        }
    }
}
