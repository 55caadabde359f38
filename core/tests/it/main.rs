//! Tests of the core from outside: one binary, one module per subject.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod given;
