//! Integration tests of the dispatcher: one binary, one module per subject.

#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod simulation;
