//! Tests of the core from outside: one binary, one module per subject.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod backup_refused;
#[cfg(test)]
mod backup_stopped;
#[cfg(test)]
mod bad_sectors;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod full;
#[cfg(test)]
mod given;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod index;
#[cfg(test)]
mod keyring;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod mounted;
#[cfg(feature = "nats")]
#[cfg(test)]
mod nats;
#[cfg(test)]
mod power;
#[cfg(test)]
mod property;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod rot;
#[cfg(test)]
mod scrub;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod sealing;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod stats;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod witness;
