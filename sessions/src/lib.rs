//! Attempts whose agent is a session of an OpenClaw gateway of this installation: the provider `gateway`.
//!
//! A sandbox here is a workspace of another provider, in which setup and checks run behind its fence, and a seat at a
//! gateway, whose agent works in that workspace: the gateway must be on this machine. What the session says is recorded by
//! the federation before anybody acts on it; here it becomes the output of the command `agent`, in a file that is read by
//! offset as any command's. Knows nothing of runs, and no secret: the connection is the federation's.
//!
//! `line` and `choose` are pure, `kept` knows the files, `seats` who is where, `turn` follows one session to its end.

mod choose;
mod kept;
mod line;
mod provider;
mod seats;
mod turn;

pub use choose::Caps;
pub use provider::{After, GatewayProvider, NAME, Options};
