//! Positions of neighbouring events of one stream, packed: how many, then each as the distance from the one before, in
//! seven bits a byte. Kept by the index and by sealed segments; knows nothing of either.

/// Most bytes of a chunk. Values of sled 0.34 above 7,000 bytes may become files it never syncs.
pub(crate) const BYTES_MAX: usize = 7_000;
/// Most bytes of one distance.
const DISTANCE_BYTES_MAX: usize = 10;
/// Bytes of the count.
const COUNT_BYTES: usize = 4;

/// Packs positions, which ascend, into as few chunks as fit: how many each holds, and its bytes.
pub(crate) fn pack(seqs: &[u64]) -> Vec<(u32, Vec<u8>)> {
    let mut chunks = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    let (mut count, mut last) = (0_u32, 0);
    for seq in seqs {
        if open.is_empty() || open.len() + DISTANCE_BYTES_MAX > BYTES_MAX {
            close(&mut chunks, count, std::mem::replace(&mut open, vec![0; COUNT_BYTES]));
            (count, last) = (0, 0);
        }
        write(&mut open, seq.wrapping_sub(last));
        count += 1;
        last = *seq;
    }
    close(&mut chunks, count, open);
    chunks
}

fn close(chunks: &mut Vec<(u32, Vec<u8>)>, count: u32, mut bytes: Vec<u8>) {
    if let Some(place) = bytes.get_mut(..COUNT_BYTES) {
        place.copy_from_slice(&count.to_le_bytes());
        chunks.push((count, bytes));
    }
}

fn write(bytes: &mut Vec<u8>, mut distance: u64) {
    while distance >= 0x80 {
        bytes.push((distance & 0x7f) as u8 | 0x80);
        distance >>= 7;
    }
    bytes.push(distance as u8);
}

/// How many positions a chunk holds.
pub(crate) fn count(chunk: &[u8]) -> Option<u64> {
    chunk.first_chunk::<COUNT_BYTES>().map(|count| u64::from(u32::from_le_bytes(*count)))
}

/// The positions of a chunk; nothing when it is not one.
pub(crate) fn unpack(chunk: &[u8]) -> Option<Vec<u64>> {
    let count = usize::try_from(count(chunk)?).ok().filter(|count| *count <= BYTES_MAX)?;
    let mut rest = chunk.get(COUNT_BYTES..)?.iter();
    let mut seqs = Vec::with_capacity(count);
    let mut last = 0_u64;
    for _ in 0..count {
        let (mut distance, mut shift) = (0_u64, 0);
        loop {
            let byte = *rest.next()?;
            distance |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        last = last.wrapping_add(distance);
        seqs.push(last);
    }
    rest.next().is_none().then_some(seqs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(seqs: &[u64]) {
        let chunks = pack(seqs);
        assert!(chunks.iter().all(|(_, bytes)| bytes.len() <= BYTES_MAX));
        let unpacked: Vec<u64> = chunks.iter().flat_map(|(_, bytes)| unpack(bytes).expect("chunk")).collect();
        let counted: u64 = chunks.iter().map(|(count, _)| u64::from(*count)).sum();
        assert_eq!((unpacked.as_slice(), counted), (seqs, seqs.len() as u64));
    }

    #[test]
    fn many_positions_take_several_chunks_of_few_bytes() {
        let seqs: Vec<u64> = (1..=20_000).map(|n| n * 64).collect();
        check(&seqs);
        assert_eq!(pack(&seqs).len(), 3);
        assert_eq!(pack(&[]), []);
    }

    proptest! {
        #[test]
        fn positions_come_back(seqs in proptest::collection::btree_set(any::<u64>(), 0..2_000)) {
            check(&seqs.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn other_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(seqs) = unpack(&bytes) {
                prop_assert_eq!(seqs.len() as u64, count(&bytes).expect("count"));
            }
        }
    }
}
