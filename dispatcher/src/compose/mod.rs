//! Putting hunks of several attempts together into one patch. Pure: patches against one base and a choice go in, one
//! patch against that base or a list of conflicts comes out. Knows nothing of git's trees, of runs or of sandboxes.
//!
//! What is taken is not a hunk as printed, context and all, but the lines it really replaces: two hunks whose context
//! overlaps go together, two that replace the same lines, or insert at the same place, do not. A new, deleted, binary
//! or retyped file goes as a whole or not at all.

mod choice;
mod patch;
mod together;
#[cfg(test)]
mod tests;

pub use choice::{CHOICES_MAX, Choice};
pub use patch::{BrokenPatch, FilePatch, Hunk, read};
pub use together::{Composed, Conflict, NotComposed, compose};
