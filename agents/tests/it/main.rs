//! The agents from outside: what is run for a task, and what captured output says.

#[cfg(test)]
mod read;
#[cfg(test)]
mod start;
