//! The name somebody probably meant.

/// How alike two names must be before one is suggested for the other.
const SIMILARITY_MIN: f64 = 0.7;
/// How alike two dotted names must be as a whole before their parts are not looked at.
const WHOLE_SIMILARITY_MIN: f64 = 0.9;

/// The known name closest to what was written, when one is close.
pub(crate) fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(written, name), name));
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(score, _)| *score >= SIMILARITY_MIN).map(|(_, name)| name)
}

/// How alike one part of a dotted name must be to a part of another.
const PART_SIMILARITY_MIN: f64 = 0.9;
/// Most names suggested when several are as close.
const SUGGESTED_MAX: usize = 3;

/// The dotted names probably meant: the closest one as a whole, else those with a part like one that was written, so
/// that the right word in the wrong section is found.
pub(crate) fn closest_keys<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let part = |name: &str| {
        let pairs =
            written.split('.').flat_map(|own| name.split('.').map(move |other| strsim::jaro_winkler(own, other)));
        pairs.fold(0.0, f64::max)
    };
    let whole = |name: &&&str| strsim::jaro_winkler(written, name) >= WHOLE_SIMILARITY_MIN;
    if known.iter().any(|name| whole(&name)) {
        return closest(written, known).into_iter().collect();
    }
    let best = known.iter().map(|name| part(name)).fold(0.0, f64::max);
    if best < PART_SIMILARITY_MIN {
        return closest(written, known).into_iter().collect();
    }
    known.into_iter().filter(|name| part(name) >= best).take(SUGGESTED_MAX).collect()
}

/// `did you mean a, b or c?`, each as `show` writes it.
pub(crate) fn did_you_mean(names: &[&str], show: impl Fn(&str) -> String) -> Option<String> {
    let shown: Vec<String> = names.iter().map(|name| show(name)).collect();
    let (last, others) = shown.split_last()?;
    Some(if others.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", others.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_wrong_section_is_found_by_its_parts() {
        let known = ["limits.attempts", "limits.local", "sandbox.fence", "run.attempts", "run.timeout"];
        for (written, meant) in [
            ("limits.attemps", &["limits.attempts"][..]),
            ("server.limit", &["limits.attempts", "limits.local"]),
            ("server.timeout", &["run.timeout"]),
            ("attempts", &["limits.attempts", "run.attempts"]),
            ("zebra", &[]),
        ] {
            assert_eq!(closest_keys(written, known), meant, "{written}");
        }
        let quoted = |name: &str| format!("`{name}`");
        assert_eq!(did_you_mean(&["a", "b", "c"], quoted).as_deref(), Some("did you mean `a`, `b` or `c`?"));
        assert_eq!(did_you_mean(&[], quoted), None);
    }
}
