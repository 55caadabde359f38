//! A projection's state as bytes and back. Where the bytes are kept is the caller's business; a snapshot that cannot be
//! restored is no loss, since the log has everything.

use regatta_core::Seq;
use serde::{Deserialize, Serialize};

use crate::Projection;

/// Why a snapshot could not be restored. The way out is always to rebuild from the log.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is of another projection or version.
    #[error("snapshot is of {name} version {version}, not of {wanted} version {wanted_version}; rebuild from the log")]
    Other {
        /// Whose it is.
        name: String,
        /// Of which version.
        version: u32,
        /// Whose was wanted.
        wanted: &'static str,
        /// Of which version.
        wanted_version: u32,
    },
    /// It is not what [`save`] wrote.
    #[error("snapshot is damaged; rebuild from the log")]
    Damaged(#[from] serde_json::Error),
}

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// Whose it is: [`Projection::NAME`].
    pub name: String,
    /// Of which version: [`Projection::VERSION`].
    pub version: u32,
    /// The last position in it.
    pub seq: Seq,
}

#[derive(Serialize)]
struct Written<'a, P> {
    head: SnapshotHead,
    state: &'a P,
}

#[derive(Deserialize)]
struct Headed {
    head: SnapshotHead,
}

#[derive(Deserialize)]
struct Kept<P> {
    head: SnapshotHead,
    state: P,
}

/// The state as bytes. The same state always gives the same bytes.
#[must_use]
pub fn save<P: Projection>(projection: &P) -> Vec<u8> {
    let head = SnapshotHead { name: P::NAME.to_owned(), version: P::VERSION, seq: projection.seq() };
    #[expect(clippy::expect_used, reason = "states have text keys and derived impls, so they always serialize")]
    serde_json::to_vec(&Written { head, state: projection }).expect("state serializes")
}

/// The state a snapshot holds. Go on with the log from the state's own position.
///
/// # Errors
/// When the snapshot is of another projection or version, or damaged.
pub fn restore<P: Projection>(bytes: &[u8]) -> Result<P, RestoreError> {
    // A state of another version may not even be readable; its head always is.
    let kept: Result<Kept<P>, _> = serde_json::from_slice(bytes);
    let SnapshotHead { name, version, .. } = match &kept {
        Ok(kept) => kept.head.clone(),
        Err(_) => head(bytes)?,
    };
    if name != P::NAME || version != P::VERSION {
        return Err(RestoreError::Other { name, version, wanted: P::NAME, wanted_version: P::VERSION });
    }
    Ok(kept?.state)
}

/// What a snapshot says of itself.
///
/// # Errors
/// When it is damaged.
pub fn head(bytes: &[u8]) -> Result<SnapshotHead, RestoreError> {
    let headed: Headed = serde_json::from_slice(bytes)?;
    Ok(headed.head)
}
