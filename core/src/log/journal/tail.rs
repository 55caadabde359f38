//! Finds blocks in a segment: the one at an offset, and, after a bad one, whether any valid block follows. Trusts no
//! length field on the way. Only reads.

use std::io;

use super::block::{Fault, HEADER_BYTES, Header, MAGIC, Plain};
use super::window::Window;

/// Bytes searched at once for the beginning of a block.
const SEARCH_BYTES: usize = 1 << 20;

/// The block at an offset, checked; its bytes stay in the window, or in `room` when it was packed.
pub(crate) fn block_at<'a>(
    window: &'a mut Window,
    room: &'a mut Vec<u8>,
    at: u64,
    nonce: u64,
) -> io::Result<Result<Plain<'a>, Fault>> {
    let header = match Header::parse(window.get(at, HEADER_BYTES)?) {
        Ok(header) => header,
        Err(fault) => return Ok(Err(fault)),
    };
    let stored = window.get(at, header.block_bytes())?;
    Ok(header.open(stored, nonce, room))
}

/// The next offset from `from` on where a block of this segment stands that holds an event at or after `seq`.
pub(crate) fn next_block(window: &mut Window, from: u64, nonce: u64, seq: u64) -> io::Result<Option<(u64, Header)>> {
    let magic = MAGIC.to_le_bytes();
    let mut from = from;
    loop {
        let piece = window.get(from, SEARCH_BYTES)?;
        let searched = piece.len();
        let candidates: Vec<u64> =
            memchr::memmem::find_iter(piece, &magic).map(|offset| from + offset as u64).collect();
        for at in candidates {
            let Ok(header) = Header::parse(window.get(at, HEADER_BYTES)?) else { continue };
            let checked = header.check(window.get(at, header.block_bytes())?, nonce);
            // A checked block of a newer format is a block nevertheless.
            if matches!(checked, Ok(()) | Err(Fault::Newer { .. })) && header.last_seq() >= seq {
                return Ok(Some((at, header)));
            }
        }
        if searched < SEARCH_BYTES {
            return Ok(None);
        }
        // The last bytes may be the beginning of a magic that goes on in the next piece.
        from += (searched - (magic.len() - 1)) as u64;
    }
}

/// Whether everything from `from` on is zero: space prepared for blocks to come.
pub(crate) fn is_blank(window: &mut Window, from: u64) -> io::Result<bool> {
    let mut at = from;
    while at < window.end() {
        let piece = window.get(at, SEARCH_BYTES)?;
        if piece.is_empty() {
            break;
        }
        if piece.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += piece.len() as u64;
    }
    Ok(true)
}
