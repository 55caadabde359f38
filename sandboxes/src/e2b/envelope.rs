//! The envelopes of a Connect stream: one flag byte, four of length, a message. Cut anywhere by the network, put together
//! here. Knows nothing of what is in them.

/// Bytes one message may have; envd sends output in pieces of 32 KiB.
const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// Bytes before each message.
const HEAD: usize = 5;
/// The message is compressed, which we never ask for.
const COMPRESSED: u8 = 1;
/// The message is the last, and says whether all went well.
const LAST: u8 = 2;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) is_last: bool,
    pub(crate) json: Vec<u8>,
}

/// What cannot be a stream of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("a message of {0} bytes")]
    TooLarge(usize),
    #[error("flags {0:#04x}")]
    Flags(u8),
}

/// Puts messages together from pieces.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pending: Vec<u8>,
}

impl Reader {
    /// Takes what came.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.pending.extend_from_slice(piece);
    }

    /// The next message that is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Broken> {
        let Some((head, rest)) = self.pending.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [flags, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MESSAGE_BYTES_MAX {
            return Err(Broken::TooLarge(length));
        }
        if flags & COMPRESSED != 0 || flags > LAST {
            return Err(Broken::Flags(flags));
        }
        let Some(json) = rest.get(..length) else { return Ok(None) };
        let message = Message { is_last: flags == LAST, json: json.to_vec() };
        self.pending.drain(..HEAD + length);
        Ok(Some(message))
    }
}

/// One message as it is sent.
pub(crate) fn seal(json: &[u8]) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), json].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Message> {
        let mut reader = Reader::default();
        let mut messages = Vec::new();
        for piece in pieces {
            reader.push(piece);
            while let Some(message) = reader.next().expect("whole") {
                messages.push(message);
            }
        }
        messages
    }

    fn stream() -> (Vec<u8>, Vec<Message>) {
        let messages: Vec<Message> = [&br#"{"event":{"start":{"pid":30}}}"#[..], b"", b"{}", br#"{"error":{}}"#]
            .iter()
            .enumerate()
            .map(|(number, json)| Message { is_last: number == 3, json: json.to_vec() })
            .collect();
        let mut bytes: Vec<u8> = messages.iter().flat_map(|message| seal(&message.json)).collect();
        let last = bytes.len() - HEAD - messages.last().expect("messages").json.len();
        *bytes.get_mut(last).expect("flag") = LAST;
        (bytes, messages)
    }

    #[test]
    fn a_stream_cut_at_every_byte_is_the_same_stream() {
        let (bytes, messages) = stream();
        for cut in 0..=bytes.len() {
            let (one, other) = bytes.split_at(cut);
            assert_eq!(read(&[one, other]), messages, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), messages);
    }

    #[test]
    fn what_is_not_whole_is_no_message() {
        let (bytes, messages) = stream();
        let (short, _) = bytes.split_at(bytes.len() - 1);
        assert_eq!(read(&[short]), messages.split_last().expect("messages").1);
    }

    #[test]
    fn what_cannot_be_ours_is_refused() {
        for (head, broken) in [
            ([0, 0xff, 0, 0, 0], Broken::TooLarge(0xff00_0000)),
            ([1, 0, 0, 0, 0], Broken::Flags(1)),
            ([0x80, 0, 0, 0, 0], Broken::Flags(0x80)),
        ] {
            let mut reader = Reader::default();
            reader.push(&head);
            assert_eq!(reader.next(), Err(broken));
        }
    }
}
