//! Times and sizes for people.

/// `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn elapsed(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, ms % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// `just now`, `12 s ago`, `3 min ago`, `2 h ago`, `5 d ago`.
pub(crate) fn ago(at_us: u64, now_us: u64) -> String {
    let seconds = now_us.saturating_sub(at_us) / 1_000_000;
    match seconds {
        0..2 => "just now".to_owned(),
        2..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// `512 B`, `1.5 KiB`, `3.2 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// `1 file`, `2 files`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_long_as_they_need_to_be() {
        let shown: Vec<String> = [0, 440, 9_999, 12_300, 200_000, 7_500_000].into_iter().map(elapsed).collect();
        assert_eq!(shown, ["0.0 s", "0.4 s", "9.9 s", "12 s", "3 min 20 s", "2 h 5 min"]);
        let ages: Vec<String> =
            [0, 12, 200, 7_200, 500_000].into_iter().map(|seconds| ago(0, seconds * 1_000_000)).collect();
        assert_eq!(ages, ["just now", "12 s ago", "3 min ago", "2 h ago", "5 d ago"]);
        assert_eq!(ago(5, 0), "just now");
    }
}
