//! A log as text and back.

use std::path::Path;

use regatta_core::log::transfer::{ImportError, LINE_BYTES_MAX, Moved};
use regatta_core::log::{DurableLog, Reader, export, import, verify};
use regatta_core::{Append, Appended, Expect, Kind, Log, ReadMax, Seq};

use crate::given::{append, draft, keyed, one, open, small, stream};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

const PAYLOADS: &[&[u8]] = &[
    b"{\"b\":1,\"a\":2, \"spaced\" : 1.50e3}",
    b"{\"same\":1,\"same\":2}",
    b"[\"\\u00e9\",\"\xc3\xa9\",18446744073709551616]",
    b"null",
    b" {}",
    b"{\n}",
    b"",
    b"\"text\"",
    b"\xff\x00\xfe",
    b"{broken",
];

fn given(dir: &Path) -> Vec<u8> {
    let log = open(dir);
    for (payload, n) in PAYLOADS.iter().zip(1..) {
        let mut events = vec![draft(n, *payload)];
        events[0].kind = if n % 3 == 0 { Kind::ATTEMPT_OUTPUT } else { Kind(0x7777) };
        append(&log, Append { stream: stream("run/a"), expect: Expect::Any, events }).expect("appended");
    }
    let mut many = keyed("run/b", Expect::Empty, 20, "key");
    many.events.extend((21..=25).map(|n| draft(n, "{}")));
    append(&log, many).expect("appended");
    append(&log, one("run/a", Expect::Any, 26)).expect("appended");
    let mut text = Vec::new();
    let moved = export(log.reader(), Seq(1), Seq(u64::MAX), &mut text).expect("exported");
    assert_eq!(moved, Moved { events: 17, same: 0, last: Seq(17) });
    text
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8(text.to_vec()).expect("text").lines().map(|line| format!("{line}\n")).collect()
}

fn imported(dir: &Path, text: &[u8]) -> Result<Moved, ImportError> {
    import(small(dir), &mut &*text).map(|imported| imported.moved)
}

fn refused(dir: &Path, text: &[u8]) -> String {
    imported(dir, text).expect_err("refused").to_string()
}

#[test]
fn nothing_is_lost_on_the_way() {
    let (from, to) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let text = given(from.path());
    assert_eq!(imported(to.path(), &text).expect("imported"), Moved { events: 17, same: 0, last: Seq(17) });
    let (theirs, ours) = (open(from.path()), open(to.path()));
    assert_eq!(theirs.read(Seq(1), ALL).expect("read"), ours.read(Seq(1), ALL).expect("read"));
    let first_answer = Appended { first: Seq(11), last: Seq(16), stream_seq: 6, duplicate: true };
    assert_eq!(append(&ours, keyed("run/b", Expect::Any, 30, "key")), Ok(first_answer));
    let mut again = Vec::new();
    export(ours.reader(), Seq(1), Seq(u64::MAX), &mut again).expect("exported");
    assert_eq!(text, again);
    assert!(verify(to.path()).expect("verifies").is_clean());
}

#[test]
fn json_is_shown_as_json_and_everything_else_as_base64() {
    let dir = tempfile::tempdir().expect("folder");
    let lines = lines(&given(dir.path()));
    assert!(lines[0].contains(r#""payload":{"b":1,"a":2, "spaced" : 1.50e3}"#), "{}", lines[0]);
    assert!(lines[0].contains(",\"export\":2}"), "{}", lines[0]);
    assert_eq!(lines[17], "{\"end\":17,\"events\":17}\n");
    assert!(lines[16].contains(r#""kind":260,"name":"run.decided","version":1"#), "{}", lines[16]);
    let as_json: Vec<bool> = lines.iter().take(10).map(|line| line.contains("\"payload\":")).collect();
    assert_eq!(as_json, [true, true, true, false, false, false, false, true, false, false]);
}

#[test]
fn an_import_goes_on_where_it_stopped() {
    let (from, to) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let text = given(from.path());
    let lines = lines(&text);
    let part = lines[..13].concat();
    let error = refused(to.path(), part.as_bytes());
    assert!(error.contains("the export ends where 3 more events of one append belong"), "{error}");
    assert_eq!(Reader::open(to.path()).expect("opens").head(), Seq(10), "an append comes whole or not at all");
    assert_eq!(imported(to.path(), &text).expect("all of it"), Moved { events: 7, same: 10, last: Seq(17) });
    assert_eq!(imported(to.path(), &text).expect("again"), Moved { events: 0, same: 17, last: Seq(17) });
    assert_eq!(imported(to.path(), b"").expect("nothing"), Moved { events: 0, same: 0, last: Seq(17) });
    let mut rest = Vec::new();
    export(open(from.path()).reader(), Seq(11), Seq(u64::MAX), &mut rest).expect("exported");
    let half = tempfile::tempdir().expect("folder");
    let error = refused(half.path(), lines[..10].concat().as_bytes());
    assert!(error.contains("line 11: the export is cut off after event 10: its end is missing"), "{error}");
    assert_eq!(imported(half.path(), &rest).expect("the rest"), Moved { events: 7, same: 0, last: Seq(17) });
}

#[test]
fn a_line_that_cannot_be_accepted_is_named() {
    let from = tempfile::tempdir().expect("folder");
    let lines = lines(&given(from.path()));
    let check = |text: &str, then: &str| {
        let to = tempfile::tempdir().expect("folder");
        let error = refused(to.path(), text.as_bytes());
        assert!(error.contains(then), "{error}");
        let report = verify(to.path()).expect("verifies");
        assert!(report.is_clean(), "{report:?}");
    };
    check(&lines[1], "line 1: it is event 2, but 1 belongs here");
    check(&[&lines[0], &lines[2]].map(String::as_str).concat(), "line 2: it is event 3, but 2 belongs here");
    check(&[&lines[0], &lines[0]].map(String::as_str).concat(), "line 2: the export is cut off after event 1");
    let older = lines[0].replace(",\"export\":2", "");
    check(&older.repeat(2), "line 2: it is event 1, but 2 belongs here");
    check("{\"seq\":1}\n", "line 1: missing field `stream`");
    check("nonsense\n", "line 1: expected");
    check(&lines[0].replace("\"stream_seq\":1", "\"stream_seq\":2"), "line 1: it is number 2 of run/a, but 1");
    check(&lines[0].replace("\"stream_seq\":1", "\"stream_seq\":0"), "line 1: it is number 0 of run/a, but 1");
    check(&lines[0].replace("run/a", "RUN"), "is not a stream name");
    check(&lines[0].replace("\"seq\"", "\"extra\":1,\"seq\""), "line 1: unknown field `extra`");
    check(
        &lines[2]
            .replace("\"seq\":3,", "\"seq\":1,")
            .replace("_seq\":3", "_seq\":1")
            .replace("attempt.output", "run.x"),
        "not run.x",
    );
    check(&lines[0].replace("\"payload\"", "\"payload_base64\":\"\",\"payload\""), "exactly one of");
    let twice = lines[16].replace("\"dedup\":null", "\"dedup\":\"key\"");
    let again = twice
        .replace("-001a-", "-001b-")
        .replace("\"seq\":17", "\"seq\":2")
        .replace("\"stream_seq\":11", "\"stream_seq\":2");
    let twice = twice.replace("\"seq\":17", "\"seq\":1").replace("\"stream_seq\":11", "\"stream_seq\":1");
    check(&(twice + &again), "line 2: the dedup key \"key\" was used before in run/a");
    let mut middle = lines.clone();
    middle.remove(12);
    check(&middle.concat(), "line 13: it is event 14, but 13 belongs here");
    let other = lines.concat().replace("\"seq\":13,\"stream\":\"run/b\"", "\"seq\":13,\"stream\":\"run/c\"");
    check(&other, "line 13: it does not go on with the append");
}

#[test]
fn a_line_without_end_is_refused_without_reading_it_all() {
    let to = tempfile::tempdir().expect("folder");
    let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
    let error = import(small(to.path()), &mut endless).expect_err("refused").to_string();
    assert_eq!(error, format!("line 1: it is longer than {LINE_BYTES_MAX} bytes"));
}

#[test]
fn an_import_into_another_log_is_refused() {
    let (from, to) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let text = given(from.path());
    let log = open(to.path());
    append(&log, one("run/z", Expect::Any, 1)).expect("appended");
    log.close().expect("stops");
    let error = refused(to.path(), &text);
    assert_eq!(error, "line 1: event 1 in the data directory is another one: import into an empty directory");
    assert_eq!(Reader::open(to.path()).expect("opens").head(), Seq(1));
}

#[test]
fn no_server_starts_on_half_an_import_and_the_rest_of_it_mends_that() {
    let (from, to) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let text = given(from.path());
    let lines = lines(&text);
    let check_unfinished = |dir: &Path| {
        let refused = DurableLog::open(small(dir)).expect_err("half a log").to_string();
        assert!(refused.starts_with("an import into ") && refused.contains("/restoring"), "{refused}");
    };
    for part in [lines[..3].concat(), lines[..13].concat(), lines[..17].concat(), lines[..5].concat() + "nonsense\n"] {
        refused(to.path(), part.as_bytes());
        check_unfinished(to.path());
    }
    assert_eq!(imported(to.path(), &text).expect("all of it").last, Seq(17));
    assert_eq!(open(to.path()).head(), Seq(17));
    // What cannot begin changes nothing: a log that is there stays one that a server starts on.
    let other = text.strip_prefix(lines[0].as_bytes()).expect("a line");
    for wrong in [other, &b"nonsense\n"[..]] {
        refused(from.path(), wrong);
        assert_eq!(open(from.path()).head(), Seq(17));
    }
    // One that goes on with a whole log may stop, too.
    let log = open(from.path());
    append(&log, one("run/a", Expect::Any, 27)).expect("appended");
    append(&log, one("run/a", Expect::Any, 28)).expect("appended");
    let mut more = Vec::new();
    export(log.reader(), Seq(18), Seq(u64::MAX), &mut more).expect("exported");
    let first = more.split_inclusive(|byte| *byte == b'\n').next().expect("a line");
    refused(to.path(), first);
    check_unfinished(to.path());
    assert_eq!(imported(to.path(), &more).expect("the rest"), Moved { events: 1, same: 1, last: Seq(19) });
    assert_eq!(open(to.path()).head(), Seq(19));
}

#[test]
fn an_export_that_was_cut_off_is_not_taken_for_a_whole_one() {
    let from = tempfile::tempdir().expect("folder");
    let text = given(from.path());
    let lines = lines(&text);
    let fresh = || tempfile::tempdir().expect("folder");
    let end = "{\"end\":17,\"events\":17}\n";
    for (cut, wanted) in [
        (lines[..17].concat(), "the export is cut off after event 17: its end is missing"),
        (lines[..10].concat() + end, "ends here with event 17 after 17 events, but 10 came, up to 10"),
        (lines[..16].concat() + &lines[0], "the export is cut off after event 16"),
        (lines[..17].concat().replace("\"export\":2", "\"export\":3"), "written by a newer version (format 3)"),
        (lines[..13].concat() + end, "the export ends where 3 more events of one append belong"),
    ] {
        let error = refused(fresh().path(), cut.as_bytes());
        assert!(error.contains(wanted), "{error}");
    }
    // An older one says nothing of its end; whether it is whole cannot be told.
    let older = lines[..17].concat().replace(",\"export\":2", "");
    let import = |text: &[u8]| import(small(fresh().path()), &mut &*text).expect("imported");
    assert_eq!((import(older.as_bytes()).ended, import(&text).ended), (false, true));
    let log = open(from.path());
    append(&log, one("run/a", Expect::Any, 27)).expect("appended");
    let mut rest = Vec::new();
    export(log.reader(), Seq(18), Seq(u64::MAX), &mut rest).expect("exported");
    let twice = import(&[&text[..], &rest[..]].concat());
    assert_eq!((twice.ended, twice.moved.events), (true, 18), "one after the other");
}

#[test]
fn an_id_that_comes_twice_is_refused() {
    let from = tempfile::tempdir().expect("folder");
    let lines = lines(&given(from.path()));
    let id = |line: &str| line.split("\"id\":\"").nth(1).and_then(|rest| rest.get(..36)).expect("an id").to_owned();
    let again = lines[8].replace(&id(&lines[8]), &id(&lines[2]));
    let to = tempfile::tempdir().expect("folder");
    let error = refused(to.path(), [&lines[..8].concat(), again.as_str()].concat().as_bytes());
    assert_eq!(error, format!("line 9: the id {} came before, with another event", id(&lines[2])));
}
