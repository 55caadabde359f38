//! The outside face: `/api/v1` over a unix socket. Handlers only turn requests into commands or queries: nothing is
//! decided here, nothing is written here, and no handler touches a sandbox.
//!
//! Every error is an RFC 9457 problem with a stable type. Live clients share one reader of the log's tail and have a
//! cursor each, so a slow client holds one read of memory and nothing is missed or sent twice.

mod around;
pub mod auth;
pub mod commands;
mod door;
pub mod event_body;
pub mod event_schema;
mod feed;
mod filter;
pub mod listener;
mod live;
mod numbers;
pub mod openapi;
mod page;
pub mod plane;
pub mod premises;
pub mod problem;
pub mod requests;
mod routes;
pub mod sandboxes;
mod sensitive;
pub mod works;

pub use axum::Router;

pub use auth::{Auth, Door, Identity};
pub use commands::Commands;
pub use event_body::{EventBody, FrameBody, OutputBody, Payload, rfc3339};
pub use feed::Feed;
pub use filter::{Filter, FilterQuery, attempt_of, run_of};
pub use live::LiveClients;
pub use plane::{About, Plane};
pub use premises::Premises;
pub use problem::Problem;
pub use routes::router;
pub use routes::{AnswerOutcome, AnswersBody, GatewayBody, GatewaysBody, RulePreview, RulesBody};
pub use sandboxes::Sandboxes;
pub use works::Works;

/// Largest body of a request: a prompt of 1 MiB whose every byte is escaped in JSON, and room for the rest.
pub const REQUEST_BODY_BYTES_MAX: usize = 8 << 20;
/// Most events in one page.
pub const EVENTS_PAGE_MAX: usize = 1_000;
/// Most events looked at for one page; a filter that matches little gets a cursor instead of a long wait.
pub const EVENTS_SCANNED_MAX: usize = 50_000;
/// The header that says who the owner is, at the socket. Elsewhere it is not looked at.
pub const ACTOR_HEADER: &str = "regatta-actor";
/// The header of an answer made while the views are far behind the log: `1200/90000`, where they are and where it ends.
pub const CATCHING_UP_HEADER: &str = "regatta-catching-up";
/// The header that makes a repeated POST return the first answer.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";
