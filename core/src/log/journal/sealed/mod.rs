//! Sealed segments: full ones, compressed and never changed again. What is sealed is the bytes of the plain
//! blocks, so every hash of the chain can be recomputed from them.
//!
//! # Shape on disk (final; a change is a new format number)
//!
//! `journal/<first seq, 20 digits>.sealed`:
//! - the segment's own header page, with form 1;
//! - *bundles* from byte 4,096 on, back to back: whole plain blocks of the segment, in order, as one zstd frame each;
//! - *pages*, back to back, as one zstd frame each: where the events of each stream are, in the order of the streams'
//!   names;
//! - the [`shape::Summary`]: totals, amounts by kind, and length, checksum, positions and times of each bundle and page;
//! - the [`shape::Trailer`], 60 bytes: where the summary is, its checksum, and BLAKE3 of everything before that hash.
//!
//! Every byte is in exactly one of these and under its checksum, so that damage has a place; the BLAKE3 is over all.
//! A name exists only once the whole file was on disk and had been read back; only then may the segment as it was
//! written be removed. Knows nothing of the index and of who asks for sealing.

pub(crate) mod check;
mod gather;
pub(crate) mod read;
pub(crate) mod shape;
pub(crate) mod write;

pub(crate) use gather::{StreamEntry, entries};
pub(crate) use read::Sealed;
