//! Of a segment that is there in both forms, the one that counts. As it was written, when it is the last one or reaches
//! to the next one: then it is about to be sealed again, whatever the sealed form is. Otherwise the sealed one: the
//! segment was the last of a backup, which has that beginning of it still.

use std::io;
use std::path::Path;

use super::disk::Disk;
use super::segment::{self, Form};
use super::tail::block_at;
use super::window::Window;

/// Bytes read at once.
const STEP_BYTES: usize = 1 << 20;

/// The form that counts of a segment that is there in both, where the one after it begins with `next`.
pub(super) fn counts(disk: &dyn Disk, dir: &Path, first: u64, next: Option<u64>) -> io::Result<Form> {
    let Some(next) = next else { return Ok(Form::Written) };
    let file = match disk.open(&segment::path(dir, first, Form::Written)) {
        // It was sealed since.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Form::Sealed),
        file => file?,
    };
    let Ok(header) = segment::read_header(&*file, first, Form::Written)? else { return Ok(Form::Sealed) };
    let end = file.size()?;
    let mut window = Window::new(file, end, STEP_BYTES);
    let mut room = Vec::new();
    let (mut at, mut reached) = (segment::HEADER_BYTES as u64, first);
    while let Ok(plain) = block_at(&mut window, &mut room, at, header.nonce)? {
        at += plain.stored as u64;
        reached = plain.header.last_seq() + 1;
    }
    Ok(if reached == next { Form::Written } else { Form::Sealed })
}
