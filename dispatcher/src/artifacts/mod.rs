//! Artifacts: what a command leaves besides the change. Packed inside its sandbox by `pack.sh`, read here by a pure
//! function that trusts nothing of it. Knows nothing of runs' states, and makes no file under a name somebody gave.

mod gather;
mod glob;
mod pack;

pub use gather::{Gathered, GatheredFile, Known, gather};
pub use glob::check as check_glob;
pub use pack::{LIST_FILE, Source, pack_exec, pack_failure};

/// Most paths one run may ask for.
pub const GLOBS_MAX: usize = 32;
/// Longest path a run may ask for, in bytes.
pub const GLOB_BYTES_MAX: usize = 512;
/// Largest artifact in bytes.
pub const ARTIFACT_BYTES_MAX: u64 = 32 << 20;
/// Most bytes of all artifacts of one attempt together. They are held in memory on their way.
pub const ARTIFACTS_BYTES_MAX: u64 = 64 << 20;
/// Largest list of names in bytes; names behind it are not told apart.
pub const LIST_BYTES_MAX: u64 = 1 << 20;
/// What packing adds to the content: headers, long names and padding.
pub const PACKING_BYTES_MAX: u64 = 4 << 20;
