//! The client against frames captured from a real gateway, and against one of our own that does what it is told.

#[cfg(test)]
mod captured;
#[cfg(test)]
mod link;
