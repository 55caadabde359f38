//! Subjects: where an event is published. Pure.

use crate::{InstallId, Kind, Stream};

/// `regatta.<install>.events.<family>.<stream>`, with the stream's `/` as `.`. The message itself says the stream's exact
/// name; a subject is only for filtering.
#[must_use]
pub fn subject(install: &InstallId, kind: Kind, stream: &Stream) -> String {
    let mut subject = format!("regatta.{install}.events.{}", kind.family());
    for token in stream.as_str().split(['/', '.']) {
        subject.push('.');
        // NATS knows no empty tokens.
        subject.push_str(if token.is_empty() { "_" } else { token });
    }
    subject
}

/// Every subject of an install, or of all.
#[must_use]
pub fn filter(install: Option<&InstallId>) -> String {
    install.map_or_else(|| super::SUBJECTS.to_owned(), |install| format!("regatta.{install}.events.>"))
}

/// The install a subject names.
pub(super) fn install(subject: &str) -> Option<InstallId> {
    let mut tokens = subject.split('.');
    let (Some("regatta"), Some(install), Some("events")) = (tokens.next(), tokens.next(), tokens.next()) else {
        return None;
    };
    install.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, stream: &str, expected: &str) {
        let of: InstallId = "abcd1234".parse().expect("install");
        let made = subject(&of, kind, &Stream::try_from(stream).expect("stream"));
        assert_eq!(made, expected);
        assert_eq!(install(&made), Some(of));
    }

    #[test]
    fn a_subject_names_install_family_and_stream() {
        check(Kind::RUN_REQUESTED, "run/7q2k9x0m", "regatta.abcd1234.events.run.run.7q2k9x0m");
        check(Kind::ATTEMPT_OUTPUT, "output/7q2k9x0m.b", "regatta.abcd1234.events.attempt.output.7q2k9x0m.b");
        check(Kind(0xff01), "config/install", "regatta.abcd1234.events.unknown.config.install");
    }

    #[test]
    fn a_subject_has_no_empty_token() {
        check(Kind::RUN_DECIDED, "/a//b.", "regatta.abcd1234.events.run._.a._.b._");
    }
}
