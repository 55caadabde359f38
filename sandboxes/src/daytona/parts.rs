//! The first part of a multipart answer, as `bulk-download` gives it. Knows nothing of files.

/// What an answer of one part has around its content at most.
pub(super) const ROOM: usize = 64 << 10;

/// A part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) name: String,
    pub(super) content: &'a [u8],
}

/// The boundary a content type names.
pub(super) fn boundary(kind: &str) -> Option<String> {
    let (_, boundary) = kind.split_once("boundary=")?;
    Some(boundary.trim().trim_matches('"').to_owned())
}

/// The first part; nothing when there is none.
pub(super) fn first<'a>(body: &'a [u8], boundary: &str) -> Option<Part<'a>> {
    let opening = format!("--{boundary}\r\n");
    let begin = find(body, opening.as_bytes())? + opening.len();
    let rest = body.get(begin..)?;
    let head_end = find(rest, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(rest.get(..head_end)?).into_owned();
    let content = rest.get(head_end + 4..)?;
    // A length says where it ends, whatever is in it.
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let end = match length {
        Some(length) => length,
        None => find(content, format!("\r\n--{boundary}").as_bytes())?,
    };
    let (_, name) = head.split_once("name=\"")?;
    let (name, _) = name.split_once('"')?;
    Some(Part { name: name.to_owned(), content: content.get(..end)? })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_an_error_are_told_apart() {
        let file = b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"/x\"\r\nContent-Length: 6\r\n\r\nhello\n\r\n--B--\r\n";
        assert_eq!(first(file, "B"), Some(Part { name: "file".to_owned(), content: b"hello\n" }));
        let error =
            b"--B\r\nContent-Disposition: form-data; name=\"error\"; filename=\"/x\"\r\n\r\n{\"a\":1}\r\n--B--\r\n";
        assert_eq!(first(error, "B"), Some(Part { name: "error".to_owned(), content: b"{\"a\":1}" }));
        assert_eq!(first(b"--B--\r\n", "B"), None);
        assert_eq!(
            boundary("multipart/form-data; boundary=DAYTONA-FILE-BOUNDARY").as_deref(),
            Some("DAYTONA-FILE-BOUNDARY")
        );
    }
}
