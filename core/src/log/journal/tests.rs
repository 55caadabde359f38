//! The bytes on disk, against files that are never edited: a change of any of them is a new format number.

use proptest::prelude::*;

use super::anchor::Anchor;
use super::beginning::{Beginning, Carried};
use super::block::{self, Builder, Fault, Header, Records};
use super::record::{Raw, Record};
use super::{GENESIS, fixed, segment};

const NONCE: u64 = 0x0123_4567_89ab_cdef;

const FULL: Record<'_> = Record {
    id: [1; 16],
    stream: "run/7q2k9x0m",
    stream_seq: 2,
    more: 1,
    kind: 0x0104,
    version: 1,
    at_us: 1_700_000_000_000_001,
    actor: "user:ada",
    cause: Some([2; 16]),
    correlation: [3; 16],
    dedup: Some("key"),
    payload: b"{\"winner\":\"b\"}",
};

const BARE: Record<'_> = Record {
    more: 0,
    stream_seq: 3,
    at_us: 1_700_000_000_000_000,
    actor: "regatta",
    cause: None,
    dedup: None,
    payload: b"",
    ..FULL
};

fn builder() -> Builder {
    let mut builder = Builder::default();
    builder.push(&FULL).expect("record");
    builder.push(&BARE).expect("record");
    builder
}

/// A block whose body is worth packing.
fn repetitive() -> Builder {
    let mut builder = builder();
    let payload = "{\"text\":\"again and again\"}".repeat(20);
    builder.push(&Record { stream_seq: 4, payload: payload.as_bytes(), ..BARE }).expect("record");
    builder
}

/// The same as it is stored.
fn packed_block() -> Vec<u8> {
    let mut builder = repetitive();
    let plain = builder.len();
    assert!(builder.pack() < plain);
    builder.finish(41, [9; 32], NONCE).expect("block").0.to_vec()
}

/// The records of a block as it is stored.
fn records(stored: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    let mut room = Vec::new();
    let plain = Header::parse(stored)?.open(stored, NONCE, &mut room)?;
    assert_eq!((plain.stored, plain.header.check_plain(plain.bytes, NONCE)), (stored.len(), Ok(())));
    Records::of(&plain.header, plain.bytes).map(|record| record.map(|(seq, raw)| (seq, raw.bytes.to_vec()))).collect()
}

/// The same block with another checksum: what a program that is wrong, or means harm, may write.
fn signed(mut block: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&NONCE.to_le_bytes()), &block[..76]);
    let checksum = crc32c::crc32c_append(checksum, &block[block::HEADER_BYTES..]);
    block[76..80].copy_from_slice(&checksum.to_le_bytes());
    block
}

fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n");
    lines.collect()
}

/// The bytes of a golden file.
fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let text: String = std::fs::read_to_string(path).expect("golden file").split_whitespace().collect();
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// Makes a golden file that is missing, with `REGATTA_GOLDEN=write`.
fn keep(name: &str, bytes: &[u8]) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("REGATTA_GOLDEN").is_some() && !std::path::Path::new(&path).exists() {
        std::fs::write(&path, hex(bytes)).expect("golden file");
    }
}

/// Compares with a golden file.
fn check(name: &str, bytes: &[u8]) {
    keep(name, bytes);
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(hex(bytes), std::fs::read_to_string(&path).expect("golden file"), "{name}");
}

#[test]
fn the_bytes_of_a_record_are_those_of_the_golden_file() {
    let mut bytes = Vec::new();
    FULL.write(&mut bytes).expect("record");
    check("record.v2.hex", &bytes);
    assert_eq!(Raw { codec: 2, bytes: &bytes }.read(), Ok(FULL));
}

#[test]
fn a_record_and_a_block_of_the_first_codec_are_read() {
    let record = golden("record.v1.hex");
    assert_eq!(Raw { codec: 1, bytes: &record }.read(), Ok(FULL));
    for len in 0..record.len() {
        assert!(Raw { codec: 1, bytes: &record[..len] }.read().is_err(), "cut at {len}");
    }
    let block = golden("block.v1.hex");
    let header = Header::parse(&block).expect("header");
    assert_eq!(header.check(&block, NONCE), Ok(()));
    let read: Vec<_> = Records::of(&header, &block).map(|record| record.expect("record")).collect();
    let read: Vec<_> = read.into_iter().map(|(seq, raw)| (seq, raw.read().expect("record"))).collect();
    assert_eq!(read, [(41, FULL), (42, BARE)]);
}

proptest! {
    #[test]
    fn a_record_comes_back(
        (stream, actor, key) in ("[a-z/]{1,128}", ".{0,40}", proptest::option::of("[a-z ]{0,128}")),
        (stream_seq, at_us, more) in (any::<u64>(), any::<u64>(), 0..1_024_u16),
        (kind, version, cause) in (any::<u16>(), any::<u16>(), any::<Option<[u8; 16]>>()),
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let (stream, actor, dedup) = (stream.as_str(), actor.as_str(), key.as_deref());
        let (id, correlation, payload) = ([5; 16], [6; 16], payload.as_slice());
        let record =
            Record { id, stream, stream_seq, more, kind, version, at_us, actor, cause, correlation, dedup, payload };
        let mut bytes = Vec::new();
        record.write(&mut bytes).expect("record");
        prop_assert_eq!(Raw { codec: 2, bytes: &bytes }.read(), Ok(record));
    }

    #[test]
    fn other_bytes_are_no_record_or_one_without_a_panic(
        codec in 0..4_u8,
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let read = Raw { codec, bytes: &bytes }.read();
        prop_assert!(read.is_err() || (1..=2).contains(&codec));
    }
}

#[test]
fn the_bytes_of_a_block_are_those_of_the_golden_file() {
    let mut builder = builder();
    let block = builder.finish(41, [9; 32], NONCE).expect("block").0.to_vec();
    check("block.v2.hex", &block);
    let header = Header::parse(&block).expect("header");
    assert_eq!((header.first_seq, header.last_seq(), header.prev_hash), (41, 42, [9; 32]));
    assert_eq!((header.t_min_us, header.t_max_us), (1_700_000_000_000_000, 1_700_000_000_000_001));
    assert_eq!(header.check(&block, NONCE), Ok(()));
    let records: Vec<_> = Records::of(&header, &block).map(|record| record.expect("record")).collect();
    let read: Vec<_> = records.iter().map(|(seq, raw)| (*seq, raw.read().expect("record"))).collect();
    assert_eq!(read, [(41, FULL), (42, BARE)]);
}

#[test]
fn the_bytes_of_a_segments_header_of_the_anchor_and_of_the_beginning_are_those_of_the_golden_files() {
    let page = segment::Header::new(2, NONCE, 41, [9; 32], 1_700_000_000_000_000).page();
    assert_eq!(page.len(), 4_096);
    check("segment.v1.hex", &page);
    check("anchor.v1.hex", &fixed(&Anchor::new(42, 41, [8; 32])));
    let carried = vec![Carried { stream: "run/7q2k9x0m".to_owned(), stream_seq: 2, seq: 40 }];
    let beginning = Beginning::new(41, 2, [9; 32], NONCE, carried);
    check("beginning.v1.hex", &beginning.bytes().expect("beginning"));
    assert_eq!(Beginning::parse(&beginning.bytes().expect("beginning")), Ok(beginning));
}

#[test]
fn a_block_is_refused_in_another_segment_and_with_any_flipped_bit() {
    let mut builder = builder();
    let block = builder.finish(41, GENESIS, NONCE).expect("block").0.to_vec();
    let header = Header::parse(&block).expect("header");
    assert_eq!(header.check(&block, NONCE + 1), Err(Fault::Checksum));
    for block in [block, packed_block()] {
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(records(&flipped).is_err(), "bit {bit}");
        }
        for len in 0..block.len() {
            assert!(records(&block[..len]).is_err(), "cut at {len}");
        }
    }
}

#[test]
fn a_packed_block_is_read_as_the_plain_one_and_has_its_hash() {
    keep("block.v2.lz4.hex", &packed_block());
    let packed = golden("block.v2.lz4.hex");
    let (plain, hash) =
        repetitive().finish(41, [9; 32], NONCE).map(|(bytes, hash)| (bytes.to_vec(), hash)).expect("block");
    let mut room = Vec::new();
    let opened = Header::parse(&packed).and_then(|header| header.open(&packed, NONCE, &mut room)).expect("block");
    assert_eq!((opened.bytes, opened.stored), (plain.as_slice(), packed.len()));
    assert_eq!((block::hash(opened.bytes), hash), (hash, block::hash(&plain)));
    // Today's bytes may be others, as LZ4 leaves it open how hard one tries.
    assert_eq!(records(&packed_block()), records(&plain));
}

#[test]
fn a_packed_body_that_is_not_what_its_header_says_is_refused_and_costs_no_memory() {
    let block = packed_block();
    let raw_len = u32::from_le_bytes(block[20..24].try_into().expect("four"));
    let bomb = lz4_flex::block::compress(&vec![0; 16 << 20]);
    for (raw_len, body) in [(raw_len - 1, None), (raw_len + 1, None), (8 << 20, None), (8 << 20, Some(&bomb))] {
        let mut hostile = block.clone();
        hostile[20..24].copy_from_slice(&raw_len.to_le_bytes());
        if let Some(body) = body {
            hostile.truncate(block::HEADER_BYTES);
            hostile.extend(body);
            hostile[24..28].copy_from_slice(&(body.len() as u32).to_le_bytes());
        }
        let refused = records(&signed(hostile)).expect_err("refused");
        assert_eq!((&refused, refused.may_be_unfinished()), (&Fault::Packed, false));
    }
    // A body that did not get smaller is never written.
    let mut hostile = block.clone();
    hostile[20..24].copy_from_slice(&1_u32.to_le_bytes());
    assert_eq!(records(&signed(hostile)), Err(Fault::OutOfBounds));
    // Blocks of a sealed segment are plain.
    assert_eq!(Header::parse(&block).expect("header").check_plain(&block, NONCE), Err(Fault::Packed));
}

#[test]
fn a_block_of_a_newer_version_is_said_to_be_one() {
    for place in [4, 5, 6] {
        let mut builder = builder();
        let mut block = builder.finish(41, GENESIS, NONCE).expect("block").0.to_vec();
        block[place] = 7;
        let block = signed(block);
        let refused = Header::parse(&block).expect("header").check(&block, NONCE).expect_err("refused");
        assert!(!refused.may_be_unfinished(), "it must never be cut off");
        assert!(refused.to_string().contains("update regatta"), "{refused}");
    }
}

#[test]
fn lengths_out_of_bounds_are_refused_before_anything_is_read() {
    let mut builder = builder();
    let block = builder.finish(41, GENESIS, NONCE).expect("block").0.to_vec();
    for (place, value) in [(16, 0), (16, 4_097), (20, u32::MAX), (24, 0), (24, (8 << 20) + 1)] {
        let mut hostile = block.clone();
        hostile[place..place + 4].copy_from_slice(&value.to_le_bytes());
        assert_eq!(Header::parse(&hostile), Err(Fault::OutOfBounds), "{value} at {place}");
    }
}

#[test]
fn records_that_do_not_fill_the_block_are_refused() {
    let mut builder = builder();
    let mut block = builder.finish(41, GENESIS, NONCE).expect("block").0.to_vec();
    let header = Header::parse(&block).expect("header");
    for len in [0_u32, 1, u32::MAX] {
        block[80..84].copy_from_slice(&len.to_le_bytes());
        let read = Records::of(&header, &block).all(|record| record.is_ok_and(|(_, raw)| raw.read().is_ok()));
        assert!(!read, "{len}");
    }
}
