//! Views as text: pure functions from what the server answers to what a person reads. Numbers and rules come from the
//! views; nothing is decided here.

pub(crate) mod attempt;
pub(crate) mod comparison;
pub(crate) mod events;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod words;

#[cfg(test)]
mod tests;
