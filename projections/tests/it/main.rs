//! Views as whoever looks at them sees them: histories go in, views come out.

#[cfg(test)]
mod attempts;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod example;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod gateways;
#[cfg(test)]
mod history;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod threads;
#[cfg(test)]
mod timeline;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod walk;
