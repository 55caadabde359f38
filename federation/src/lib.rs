//! Every gateway of this installation: which there are, one connection to each for everybody, all they say recorded before
//! anybody acts on it, and the questions of their agents, each answered once.
//!
//! `registry`, `asks`, `questions`, `record` and `calls` are pure; [`Gateways`] is what others ask. Knows nothing
//! of runs, attempts, views or requests, and no secret but on its way from the vault to a gateway.

mod asks;
mod broker;
mod calls;
mod handle;
mod keeper;
mod keyring;
mod questions;
mod record;
mod registry;
mod status;
mod test;

pub use calls::need;
pub use handle::{Called, Gateways, Wanted};
pub use keyring::Secret;
pub use registry::GATEWAYS_MAX;
pub use status::{LinkNow, LinkState};
pub use test::{Step, Tested};

use regatta_core::{AppendError, Refusal, RefusalKind, VaultError};

/// What the log does not take, as an expected "no".
fn unrecorded(error: &AppendError) -> Refusal {
    let kind = match error {
        AppendError::ReadOnly(_) => RefusalKind::ReadOnly,
        AppendError::Busy => RefusalKind::Busy,
        AppendError::Conflict { .. } => RefusalKind::WrongState,
        AppendError::OutOfBounds(_) => RefusalKind::Invalid,
        AppendError::Poisoned(_) => RefusalKind::Unusable,
    };
    Refusal::new(kind, error.to_string()).hint("nothing was done; try again once the log can be written")
}

/// What the vault does not do, as an expected "no".
fn sealed(error: &VaultError) -> Refusal {
    let kind = match error {
        VaultError::Name(_) | VaultError::Value(_) => RefusalKind::Invalid,
        VaultError::NotThere(_) => RefusalKind::NotFound,
        VaultError::Log(_) => RefusalKind::ReadOnly,
        VaultError::Full
        | VaultError::NotAllowed { .. }
        | VaultError::Locked
        | VaultError::NoPassphrase
        | VaultError::WrongKey(_) => RefusalKind::WrongState,
        VaultError::KeyMissing(_)
        | VaultError::KeyOpenToOthers { .. }
        | VaultError::Damaged { .. }
        | VaultError::Missing(_)
        | VaultError::Older { .. }
        | VaultError::Disk { .. }
        | VaultError::Machine(_) => RefusalKind::Unusable,
    };
    Refusal::new(kind, error.to_string()).hint(error.hint())
}
