//! The inside of a container: a program of ours that keeps the sandbox's folder there as [`crate::LocalProvider`] keeps one
//! on this machine, and answers calls on its standard input. What a command printed and how it ended are files in the
//! container, so this program, the connection to it and the server may die at any moment. It knows no engine.
//!
//! ```text
//! /regatta/bin/run        starts the program below with the libraries it came with
//! /regatta/sandbox/       the folder of the sandbox, see `layout`
//! /regatta/secrets/       in memory; what is shown in the sandbox's home
//! ```

pub(crate) mod fill;
mod serve;
pub(crate) mod wire;

pub(crate) use serve::serve;

/// The first argument that makes a program answer calls.
pub(crate) const SERVE: &str = "sandbox-serve";
/// The second argument for the one that is the container's main process, and ends when it is told to.
pub(crate) const MAIN: &str = "main";
/// A variable of the main process: whose sandbox the folder is, so that it is made new in a copy.
pub(crate) const WHOSE: &str = "REGATTA_WHOSE";
/// A variable of the main process: whether the folder holds what an earlier sandbox's setup made, which is kept.
pub(crate) const WARMED: &str = "REGATTA_WARMED";
/// Its value when it does.
pub(crate) const WARM: &str = "1";
/// The file that says it, once the folder is filled. It is in the folder, which may be all that can be written.
pub(crate) const WHOSE_FILE: &str = "/regatta/sandbox/whose";
/// What holds everything of ours in a container.
pub(crate) const ROOT: &str = "/regatta";
/// What starts this program.
pub(crate) const RUN: &str = "/regatta/bin/run";
/// Where what is shown in a home lies, in memory.
pub(crate) const SECRETS: &str = "/regatta/secrets";
/// The only sandbox in a container, as a name of a folder.
pub(crate) const SANDBOX: &str = "sandbox";
/// Who commands are run as, user and group.
pub(crate) const USER: u32 = 1000;
