//! The client of an OpenClaw gateway: protocol 4 over a WebSocket. One connection per gateway for the whole
//! installation, that finds its way back by itself, says what it missed, and answers every call exactly once.
//!
//! Knows nothing of runs, attempts, the log or browsers: it hands over frames as they came and says what it is doing.
//! The protocol was measured against `openclaw` 2026.9.6; frames captured from it are under `tests/frames`.

mod call;
mod connect;
mod frame;
mod hello;
mod identity;
mod link;
mod method;
mod progress;
mod refusal;
mod state;

pub use call::CallError;
pub use connect::{CONNECT_BYTES_MAX, Client, Credential, PROTOCOL};
pub use frame::{Decoded, EventHead, FRAME_BYTES_MAX, FrameError, ResponseHead, RpcError, StateVersion, decode};
pub use hello::{Features, Granted, Hello, Policy, Server};
pub use identity::{Device, DeviceError, SEED_BYTES};
pub use link::{AddressError, CONTROL_CAPS, Link, Notice, OPERATOR_SCOPES, Options, Received};
pub use method::{METHODS, Method, Scope, UNLISTED, method};
pub use progress::{Gap, Progress, Step};
pub use refusal::{Refusal, Retry};
pub use state::{Loss, Reason, State, Tries};
