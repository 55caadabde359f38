//! Makes the body of a block smaller, and gives it back: LZ4, because it costs a group commit next to nothing and a reader
//! even less. Knows nothing of headers and files.

/// Bodies of fewer bytes stay as they are: there is nothing in them that repeats.
const BODY_BYTES_MIN: usize = 256;
/// A body is kept packed when at least one byte in so many is saved.
const SAVED_MIN: usize = 16;

/// Adds the packed body to a buffer. Says whether it paid; the buffer is as before when it did not.
pub(super) fn pack(body: &[u8], into: &mut Vec<u8>) -> bool {
    if body.len() < BODY_BYTES_MIN {
        return false;
    }
    let begins = into.len();
    into.resize(begins + lz4_flex::block::get_maximum_output_size(body.len()), 0);
    let room = into.get_mut(begins..).unwrap_or_default();
    let packed = lz4_flex::block::compress_into(body, room).unwrap_or(body.len());
    let pays = packed + body.len() / SAVED_MIN <= body.len();
    into.truncate(if pays { begins + packed } else { begins });
    pays
}

/// Fills `body` with what was packed. Says whether it is full, and whether that was all.
pub(super) fn unpack(packed: &[u8], body: &mut [u8]) -> bool {
    lz4_flex::block::decompress_into(packed, body).is_ok_and(|len| len == body.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(body: &[u8]) -> Option<Vec<u8>> {
        let mut packed = vec![7; 3];
        let pays = pack(body, &mut packed);
        assert_eq!(packed[..3], [7; 3]);
        assert!(pays || packed.len() == 3);
        pays.then(|| packed.split_off(3))
    }

    #[test]
    fn a_body_is_packed_when_it_pays() {
        let text = "{\"text\":\"again and again\"}".repeat(20);
        let packed_text = packed(text.as_bytes()).expect("it repeats");
        assert!(packed_text.len() < 80, "{}", packed_text.len());
        assert_eq!(packed(&text.as_bytes()[..BODY_BYTES_MIN - 1]), None);
        let mut noise = [0; 4_096];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        assert_eq!(packed(&noise), None);
    }

    proptest! {
        #[test]
        fn a_body_comes_back(piece in proptest::collection::vec(any::<u8>(), 1..80), times in 1..200_usize) {
            let body = piece.repeat(times);
            if let Some(packed) = packed(&body) {
                let mut back = vec![0; body.len()];
                prop_assert!(unpack(&packed, &mut back));
                prop_assert_eq!(&back, &body);
                prop_assert!(!unpack(&packed, &mut vec![0; body.len() - 1]));
                prop_assert!(!unpack(&packed, &mut vec![0; body.len() + 1]));
            }
        }

        #[test]
        fn other_bytes_are_refused_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            len in 0..2_000_usize,
        ) {
            unpack(&bytes, &mut vec![0; len]);
        }
    }
}
