//! The attempts of one run side by side: a pure function of other views.

mod view;

pub use view::{Column, Comparison, FileClass, FileRow, LineCounts, PatchGroup};
