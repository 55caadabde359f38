//! Where attempts run: sandboxes, and the providers that make them. Knows nothing of runs or of the log.
//!
//! Every provider keeps the same few promises, shown by one contract suite in `tests/`:
//!
//! - `create` and `start` are idempotent by name, so a call whose answer was lost can simply be made again;
//! - a started command outlives this process, its output and its exit are files, and nothing is lost by not looking;
//! - when a command has ended, every process it left behind has ended too;
//! - `destroy` leaves no file and no process.

pub mod ancestry;
pub mod daytona;
pub mod docker;
pub mod e2b;
pub mod fake;
mod inside;
mod layout;
pub mod local;
mod processes;
pub mod provider;
mod remote;
pub mod runner;
pub mod secrets;
mod tree;

pub use daytona::DaytonaProvider;
pub use docker::DockerProvider;
pub use e2b::E2bProvider;
pub use fake::FakeProvider;
pub use local::LocalProvider;
pub use provider::{
    Bounds, Capability, Created, Ended, Error, Exec, Exit, Found, HomeLink, Images, InboxFile, Provider, Spec, Status,
    Stdio, Term, Warm, Wish,
};
pub use remote::cloud::{KeySource, Price};
pub use secrets::Secrets;
