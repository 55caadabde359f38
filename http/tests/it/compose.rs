//! What attempts left behind, over the API: diffs of one against another, files, merge previews. With the real git.

use std::fs;
use std::path::Path;
use std::process::Command;

use axum::http::{Response, StatusCode, header};
use regatta_core::event::attempt::{self, Collected, DiffStat, Queued};
use regatta_core::event::run::{Entry, Limits, Prepared, Prompt, Requested, Strategy};
use regatta_core::event::{AttemptEvent, RunEvent};
use regatta_core::{AttemptId, Event, Stream};
use regatta_http::Problem;

use crate::world::{RUN, World, text};

/// Lines `1` to `30`, so that hunks can lie apart.
const LINES: std::ops::RangeInclusive<u32> = 1..=30;

pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    String::from_utf8_lossy(&printed(folder, args)).trim_end().to_owned()
}

fn printed(folder: &Path, args: &[&str]) -> Vec<u8> {
    let mut git = Command::new("git");
    git.current_dir(folder).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
    }
    let output = git.output().expect("git");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn lines(change: impl Fn(u32) -> String) -> String {
    LINES.map(|n| change(n) + "\n").collect()
}

/// A plane, and a user's repository with `numbers.txt` on `main`.
pub(crate) struct Repository {
    pub(crate) world: World,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) base: String,
}

impl Repository {
    /// A run of three attempts: `a` changes line 2, `b` changes line 2 and adds files, `c` changes nothing yet.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        git(folder.path(), &["init", "-q", "-b", "main"]);
        fs::write(folder.path().join("numbers.txt"), lines(|n| n.to_string())).expect("file");
        git(folder.path(), &["add", "-A"]);
        git(folder.path(), &["commit", "-q", "-m", "numbers"]);
        let base = git(folder.path(), &["rev-parse", "HEAD"]);
        let repository = Self { world: World::new(), folder, base };
        repository.requested().await;
        repository
            .collected("a", &[("numbers.txt", &lines(|n| if n == 2 { "two".into() } else { n.to_string() }))])
            .await;
        let b = lines(|n| if n == 2 { "zwei".into() } else { n.to_string() });
        repository
            .collected(
                "b",
                &[("numbers.txt", &b), ("new <b>.html", "<script>alert(1)</script>\n"), ("raw.bin", "a\0b")],
            )
            .await;
        repository
    }

    async fn requested(&self) {
        let entry = Entry { agent: "command".into(), command: Some("x".into()), model: None, sandbox: "local".into() };
        let requested = Requested {
            title: "fix".into(),
            prompt: Prompt::Inline("fix".into()),
            repository: self.folder.path().to_string_lossy().into_owned(),
            base_ref: "main".into(),
            base_commit: self.base.clone(),
            uncommitted_included: 0,
            attempts: vec![entry.clone(); 3],
            strategy: Strategy::All,
            setup: None,
            checks: vec![],
            artifacts: vec![],
            limits: Limits::default(),
            environment: vec![],
        };
        let run = RUN.parse().expect("run");
        self.world.append(Stream::run(run), RunEvent::Requested(requested).into()).await;
        let prepared = Prepared { base_commit: self.base.clone() };
        self.world.append(Stream::run(run), RunEvent::Prepared(prepared).into()).await;
        for slot in ["a", "b", "c"] {
            let id: AttemptId = format!("{RUN}.{slot}").parse().expect("attempt");
            let queued = Queued { run, slot: id.slot, entry: entry.clone(), setup: false, checks: 0, starts_max: 1 };
            self.world.append(Stream::attempt(id), AttemptEvent::Queued(queued).into()).await;
            self.world.started(&id.to_string(), 1).await;
        }
    }

    /// An attempt wrote these files, and what it changed was collected.
    pub(crate) async fn collected(&self, slot: &str, files: &[(&str, &str)]) {
        let tree = tempfile::tempdir().expect("folder");
        git(tree.path(), &["clone", "-q", &self.folder.path().to_string_lossy(), "."]);
        for (name, content) in files {
            fs::write(tree.path().join(name), content).expect("file");
        }
        git(tree.path(), &["add", "-A"]);
        let patch = printed(tree.path(), &["diff", "--cached", "--binary", "--full-index", "--no-renames"]);
        let patch = Some(self.world.blobs.put(&patch).expect("kept"));
        let stat = DiffStat { files: u32::try_from(files.len()).expect("few"), added: 1, removed: 1 };
        let collected = Collected { epoch: 1, patch, stat, files: vec![], failure: None };
        let id: AttemptId = format!("{RUN}.{slot}").parse().expect("attempt");
        let event = Event::Attempt(AttemptEvent::Collected(collected));
        self.world.append(Stream::attempt(id), event).await;
        let finished = attempt::Finished { outcome: attempt::Outcome::Passed, elapsed_ms: 1 };
        self.world.append(Stream::attempt(id), AttemptEvent::Finished(finished).into()).await;
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        text(self.world.get(path).await).await
    }
}

fn header_of(response: &Response<axum::body::Body>, name: header::HeaderName) -> String {
    response.headers().get(name).expect("header").to_str().expect("ascii").to_owned()
}

fn problem(body: &str) -> Problem {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[tokio::test]
async fn one_attempt_is_compared_with_another_by_letter_or_name() {
    let repository = Repository::new().await;
    for against in ["a", "7q2k9x0m.a", "7q2.a"] {
        let (status, diff) = repository.get(&format!("/attempts/7q2k9x0m.b/diff?against={against}")).await;
        assert_eq!(status, StatusCode::OK, "{diff}");
        assert!(diff.contains("-two\n+zwei\n"), "{diff}");
        assert!(diff.contains("raw.bin"), "{diff}");
    }
    let (status, same) = repository.get("/attempts/7q2k9x0m.b/diff?against=b").await;
    assert_eq!((status, same.as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn what_cannot_be_compared_is_said() {
    let repository = Repository::new().await;
    for (path, status, name) in [
        ("/attempts/7q2k9x0m.b/diff?against=c", 409, "not_collected"),
        ("/attempts/7q2k9x0m.b/diff?against=z", 404, "not_found"),
        ("/attempts/7q2k9x0m.b/diff?against=", 400, "invalid"),
        ("/attempts/7q2k9x0m.b/diff?agianst=a", 400, "invalid"),
        ("/attempts/7q2k9x0m.c/files", 409, "not_collected"),
        ("/runs/7q2k9x0m/merge-preview?into=mian", 422, "repository"),
        ("/runs/7q2k9x0m/merge-preview?into=--all", 422, "repository"),
    ] {
        let (got, body) = repository.get(path).await;
        assert_eq!((got.as_u16(), problem(&body).name()), (status, name), "{path}: {body}");
    }
}

#[tokio::test]
async fn files_come_with_what_was_done_to_them() {
    let repository = Repository::new().await;
    let (status, body) = repository.get("/attempts/7q2k9x0m.b/files").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).expect("json");
    let expected = serde_json::json!({ "rows": [
        { "path": "new <b>.html", "status": "added", "mode": "100644", "mode_before": null, "added": 1, "removed": 0, "binary": false },
        { "path": "numbers.txt", "status": "modified", "mode": "100644", "mode_before": "100644", "added": 1, "removed": 1, "binary": false },
        { "path": "raw.bin", "status": "added", "mode": "100644", "mode_before": null, "added": null, "removed": null, "binary": true },
    ]});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_file_is_given_as_bytes_that_no_browser_runs() {
    let repository = Repository::new().await;
    let response = repository.world.get("/attempts/7q2k9x0m.b/files/new%20%3Cb%3E.html").await;
    assert_eq!(header_of(&response, header::CONTENT_TYPE), "text/plain; charset=utf-8");
    assert_eq!(header_of(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(header_of(&response, header::CONTENT_SECURITY_POLICY), "default-src 'none'; sandbox");
    assert_eq!(text(response).await, (StatusCode::OK, "<script>alert(1)</script>\n".to_owned()));
    let response = repository.world.get("/attempts/7q2k9x0m.b/files/raw.bin").await;
    assert_eq!(header_of(&response, header::CONTENT_TYPE), "application/octet-stream");
}

#[tokio::test]
async fn no_path_leads_out_of_the_tree() {
    let repository = Repository::new().await;
    for path in [
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "..",
        "a%00b",
        "numbers.txt/",
        "nothing",
        "%2e%2e/x",
        ".git/config",
    ] {
        let (status, body) = repository.get(&format!("/attempts/7q2k9x0m.a/files/{path}")).await;
        assert_eq!((status, problem(&body).name()), (StatusCode::NOT_FOUND, "not_found"), "{path}: {body}");
    }
}

#[tokio::test]
async fn a_merge_is_previewed_for_every_attempt() {
    let repository = Repository::new().await;
    let changed = lines(|n| if n == 2 { "deux".into() } else { n.to_string() });
    fs::write(repository.folder.path().join("numbers.txt"), changed).expect("file");
    git(repository.folder.path(), &["commit", "-qam", "meanwhile"]);
    let row = |slot: &str, state: &str, conflicts: &[&str], behind: u64, reason: Option<&str>| serde_json::json!({ "slot": slot, "state": state, "conflicts": conflicts, "behind": behind, "reason": reason });
    let waits = "nothing has been collected from 7q2k9x0m.c yet";
    for (query, into, rows) in [
        (
            String::new(),
            "main".to_owned(),
            [
                row("a", "conflicts", &["numbers.txt"], 1, None),
                row("b", "conflicts", &["numbers.txt"], 1, None),
                row("c", "unknown", &[], 1, Some(waits)),
            ],
        ),
        (
            format!("?into={}", repository.base),
            repository.base.clone(),
            [
                row("a", "clean", &[], 0, None),
                row("b", "clean", &[], 0, None),
                row("c", "unknown", &[], 0, Some(waits)),
            ],
        ),
    ] {
        let (status, body) = repository.get(&format!("/runs/7q2k9x0m/merge-preview{query}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("json");
        let commit = git(repository.folder.path(), &["rev-parse", &into]);
        assert_eq!(body, serde_json::json!({ "into": into, "commit": commit, "rows": rows }));
    }
}

#[tokio::test]
async fn what_can_be_taken_of_an_attempt_is_listed() {
    let repository = Repository::new().await;
    let (status, body) = repository.get("/attempts/7q2k9x0m.b/hunks").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).expect("json");
    let row = |row: usize| body["rows"][row].clone();
    assert_eq!((&row(0)["whole"], &row(0)["hunk"]), (&"it is new".into(), &serde_json::Value::Null));
    assert_eq!((&row(1)["path"], &row(1)["hunk"]), (&"numbers.txt".into(), &1.into()));
    assert_eq!((&row(1)["header"], &row(2)["whole"]), (&"@@ -1,5 +1,5 @@".into(), &"it is new".into()));
}

#[tokio::test]
async fn a_synthesis_is_asked_for_tried_or_in_conflict() {
    let repository = Repository::new().await;
    let post = async |path: &str, body: &str| text(repository.world.post(path, body.to_owned()).await).await;
    let one = r#"{"hunks":[{"slot":"a","path":"f","hunk":1}],"reason":"mine"}"#;
    let two = r#"{"hunks":[{"slot":"a","path":"f","hunk":1},{"slot":"b","path":"f"}]}"#;
    let (status, body) = post("/runs/7q2k9x0m/synthesize", one).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert!(body.contains(r#""slot":"d""#), "{body}");
    let (status, body) = post("/runs/7q2k9x0m/synthesize?dry_run=true", one).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (status, body) = post("/runs/7q2k9x0m/synthesize", two).await;
    let problem = problem(&body);
    assert_eq!((status, problem.name(), problem.conflicts.len()), (StatusCode::CONFLICT, "conflicts", 1), "{body}");
    let (status, _) = post("/runs/7q2k9x0m/synthesize", r#"{"hunk":[]}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = post("/runs/7q2k9x0m/attempts/b/discard", r#"{"reason":"no"}"#).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let asked = repository.world.told.asked.lock().expect("lock").clone();
    let expected = [
        r#"synthesize 7q2k9x0m a:f "mine" false by user:ana"#,
        r#"synthesize 7q2k9x0m a:f "mine" true by user:ana"#,
        r#"synthesize 7q2k9x0m a:f b:f "" false by user:ana"#,
        r#"discard 7q2k9x0m.b "no" by user:ana"#,
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_blind_vote_hides_names_before_it_and_tells_them_after() {
    let repository = Repository::new().await;
    let (status, body) = repository.get("/runs/7q2k9x0m/compare?blind=true").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let view: serde_json::Value = serde_json::from_str(&body).expect("json");
    assert_eq!((&view["blind"], &view["columns"][0]["agent"]), (&true.into(), &"hidden".into()));
    assert!(!view["columns"].to_string().contains("command\":\"x"), "{body}");
    let pick = r#"{"slot":"b","reason":"reads best","blind":true}"#;
    let (status, body) = text(repository.world.post("/runs/7q2k9x0m/pick", pick).await).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let told: serde_json::Value = serde_json::from_str(&body).expect("json");
    assert_eq!((&told["winner"], &told["attempts"][1]["command"]), (&"b".into(), &"x".into()));
    let asked = repository.world.told.asked.lock().expect("lock").clone();
    assert_eq!(asked, [r#"pick 7q2k9x0m.b "reads best" blind by user:ana"#]);
}
