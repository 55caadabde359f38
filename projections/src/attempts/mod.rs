//! Attempts: everything about one agent's try.

mod view;

pub use view::{AttemptState, AttemptView, ChangesView, CheckState, CheckView, DeliveredView, OutputTail};
