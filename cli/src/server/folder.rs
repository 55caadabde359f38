//! The data directory: one folder that only its owner can look into.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::failure::{Exit, Failure};

/// Output of a server in the background.
pub(super) const SERVER_LOG: &str = "server.log";
/// Where local sandboxes are.
pub(super) const SANDBOXES: &str = "sandboxes";
/// Where secrets are sealed.
pub(super) const VAULT: &str = "vault";
/// Where patches and long prompts are.
pub(crate) const BLOBS: &str = "blobs";

/// Makes the data directory, or sees to it that nobody else can look into it.
pub(crate) fn make(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| close(path));
    made.map_err(|error| {
        Failure::new(Exit::Failed, format!("the data directory {} cannot be used: {error}", path.display()))
            .hint("name another one: --data-dir DIR or REGATTA_DATA_DIR")
    })
}

fn close(path: &Path) -> io::Result<()> {
    let found = path.metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else"));
    }
    if found.mode() & 0o077 == 0 { Ok(()) } else { std::fs::set_permissions(path, Permissions::from_mode(0o700)) }
}
