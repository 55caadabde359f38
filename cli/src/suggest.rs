//! The name somebody probably meant.

/// How alike two names must be before one is suggested for the other.
const SIMILARITY_MIN: f64 = 0.7;

/// The known name closest to what was written, when one is close.
pub(crate) fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(written, name), name));
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.filter(|(score, _)| *score >= SIMILARITY_MIN).map(|(_, name)| name)
}
