//! Moments as people write them: a time, or how long ago. Knows nothing of what happened then.

use crate::commands::now_us;
use crate::config::duration_ms;

/// What a moment looks like.
pub(crate) const EXAMPLES: &str = "a time, as 2026-11-22T08:00:00Z, or how long ago, as 2h or 90d";

/// A time, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// Reads a time of RFC 3339, or an age: `2h`, `90d`, `2h ago`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        Self::read_at(text, now_us())
    }

    fn read_at(text: &str, now_us: u64) -> Result<Self, String> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            let at_us = u64::try_from(at.as_microsecond()).map_err(|_| format!("{text} is before 1970"))?;
            return Ok(Self(at_us));
        }
        let age = text.strip_suffix("ago").unwrap_or(text).trim();
        let age_us = duration_ms(age).and_then(|age_ms| age_ms.checked_mul(1_000)).ok_or(EXAMPLES)?;
        Ok(Self(now_us.saturating_sub(age_us)))
    }

    /// As RFC 3339, in UTC.
    pub(crate) fn shown(self) -> String {
        let at = i64::try_from(self.0).ok().and_then(|at_us| jiff::Timestamp::from_microsecond(at_us).ok());
        at.map_or_else(|| "a time that no calendar has".to_owned(), |at| at.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T08:00:00Z.
    const NOW_US: u64 = 1_795_334_400_000_000;

    fn check(text: &str, shown: &str) {
        let read = Moment::read_at(text, NOW_US).map(Moment::shown);
        assert_eq!(read.as_deref().unwrap_or_else(String::as_str), shown, "{text}");
    }

    #[test]
    fn a_moment_is_a_time_or_an_age() {
        check("2026-11-22T08:00:00Z", "2026-11-22T08:00:00Z");
        check("2026-11-22T09:30:00.5+01:00", "2026-11-22T08:30:00.5Z");
        for age in ["2h", "2h ago", "120m", "1h 60m ago"] {
            check(age, "2026-11-22T06:00:00Z");
        }
        check("1d", "2026-11-21T08:00:00Z");
        check("100000d", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "ago", "yesterday", "-2h", "2026-11-22", "2026-11-22T08:00:00", "1200"] {
            check(text, EXAMPLES);
        }
        check("1969-12-31T00:00:00Z", "1969-12-31T00:00:00Z is before 1970");
    }
}
