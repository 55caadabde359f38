//! Text from outside (agents, paths, prompts) made safe to show: nothing in it can move the cursor, change colours,
//! set a title, or turn the reading direction around. Bytes that go to a pipe are never touched.

use std::borrow::Cow;

/// Shows one line of text; control characters become `\u{1b}` and the like, a tab becomes spaces.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) { Cow::Owned(escaped(text, false)) } else { Cow::Borrowed(text) }
}

/// Shows text of several lines; line feeds stay, a carriage return before one is dropped.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c != '\n' && is_unsafe(c)) { Cow::Owned(escaped(text, true)) } else { Cow::Borrowed(text) }
}

/// Shows JSON that came as text: what could drive the terminal becomes an escape of JSON, so that it stays the same value.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    let is_fine = |c: char| matches!(c, '\n' | '\t') || !is_unsafe(c);
    if text.chars().all(is_fine) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            // Only between values.
            '\r' => shown.push(' '),
            _ if is_fine(c) => shown.push(c),
            // Only in texts.
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    Cow::Owned(shown)
}

fn escaped(text: &str, keep_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' if keep_lines => shown.push('\n'),
            '\r' if keep_lines && chars.peek() == Some(&'\n') => {}
            '\t' => shown.push_str("    "),
            '\n' | '\r' => shown.extend(c.escape_default()),
            _ if is_unsafe(c) => shown.extend(c.escape_unicode()),
            _ => shown.push(c),
        }
    }
    shown
}

/// Control characters, and those that are invisible and change what is seen around them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Makes a stream of bytes safe to show, piece by piece: a character cut in two by a piece's end is put together.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    /// What can be shown now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let whole = whole_characters(&self.rest);
        let shown: Vec<u8> = self.rest.drain(..whole).collect();
        lines(&String::from_utf8_lossy(&shown)).into_owned()
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> String {
        lines(&String::from_utf8_lossy(&std::mem::take(&mut self.rest))).into_owned()
    }
}

/// How many bytes are not the beginning of a character whose end may still come, or of a line's `\r\n`.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail_start = bytes.len().saturating_sub(3);
    let tail = bytes.get(tail_start..).unwrap_or_default();
    for (place, byte) in tail.iter().enumerate() {
        let length = match byte {
            0b1100_0000..=0b1101_1111 => 2,
            0b1110_0000..=0b1110_1111 => 3,
            0b1111_0000..=0b1111_0111 => 4,
            b'\r' => 2,
            _ => 1,
        };
        if place + length > tail.len() {
            return tail_start + place;
        }
    }
    bytes.len()
}

/// At most so many characters; the last says when something was cut off.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_the_terminal_is_shown_instead() {
        for (raw, shown) in [
            ("plain ünï 🚣", "plain ünï 🚣"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{1b}]52;c;ZXZpbA==\u{1b}\\", "\\u{1b}]52;c;ZXZpbA==\\u{1b}\\"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("over\rwritten", "over\\rwritten"),
            ("two\nlines", "two\\nlines"),
            ("tab\there", "tab    here"),
            ("\u{8}\u{8}back", "\\u{8}\\u{8}back"),
        ] {
            assert_eq!(line(raw), shown);
        }
        assert_eq!(lines("two\r\nlines\u{1b}c"), "two\nlines\\u{1b}c");
    }

    #[test]
    fn json_stays_the_same_value() {
        let raw = "{\r\n\t\"a\": \"\u{9b}2J\u{202e}x\u{e0041}\u{7f}\"}";
        let shown = json(raw);
        assert_eq!(shown, "{ \n\t\"a\": \"\\u009b2J\\u202ex\\udb40\\udc41\\u007f\"}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&shown), read(raw));
    }

    #[test]
    fn a_character_cut_in_two_is_put_together() {
        let raw = "a€🚣\r\nz".as_bytes();
        for cut in 0..=raw.len() {
            let (first, second) = raw.split_at(cut);
            let mut decoder = Decoder::default();
            let shown = [decoder.push(first), decoder.push(second), decoder.finish()].concat();
            assert_eq!(shown, "a€🚣\nz", "cut at {cut}");
        }
        let mut decoder = Decoder::default();
        assert_eq!([decoder.push(b"x\xf0\x9f"), decoder.finish()].concat(), "x\u{fffd}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_shown_holds_a_control_character(text in ".*") {
            assert!(!line(&text).chars().any(is_unsafe));
            assert!(!lines(&text).chars().any(|c| c != '\n' && is_unsafe(c)));
        }
    }
}
