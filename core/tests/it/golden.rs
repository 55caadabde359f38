//! One payload of every kind and version, in files that are never edited: what was ever written can be read.
//!
//! `REGATTA_GOLDEN=write` makes a file that is missing; an existing one is never touched.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use regatta_core::event::SecretEvent;
use regatta_core::event::approval::{self, ApprovalEvent, Decision, Question};
use regatta_core::event::attempt::{
    self, AttemptEvent, Channel, Collected, DiffStat, Exit, FileChange, Outcome, Output, Phase, PhaseEnded,
    PhaseStarted, RetryScheduled,
};
use regatta_core::event::cleaning::{self, Archive, CleaningEvent, Wish};
use regatta_core::event::config::{Applied, Changed, ConfigEvent, Setting};
use regatta_core::event::delivery::{self, DeliveryEvent};
use regatta_core::event::gateway::{self, GatewayEvent, Proof, Why};
use regatta_core::event::log::{self, LogEvent};
use regatta_core::event::rule::{self, KnownRule, Rule, RuleAnswer, RuleEvent, RuleScope};
use regatta_core::event::run;
use regatta_core::event::run::{
    AttemptEnded, Check, Decided, Entry, Judge, Limits, Prepared, Prompt, Requested, RunEvent, RunOutcome, Strategy,
};
use regatta_core::event::sandbox::{self, SandboxEvent};
use regatta_core::event::secret::{self, Scope, UsedBy};
use regatta_core::event::user::{self, Means, Role, SignedOutReason, UserEvent};
use regatta_core::{AttemptId, BlobRef, Event, Kind, SandboxKey, Seq, Slot};

fn slot(text: &str) -> Slot {
    text.parse().expect("slot")
}

fn attempt_id() -> AttemptId {
    "7q2k9x0m.b".parse().expect("attempt")
}

fn key() -> SandboxKey {
    "regatta-abcd-7q2k9x0m-b-1".parse().expect("key")
}

fn entry() -> Entry {
    Entry {
        agent: "command".to_owned(),
        command: Some("make fix".to_owned()),
        model: None,
        sandbox: "local".to_owned(),
    }
}

const COMMIT: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const STAT: DiffStat = DiffStat { files: 2, added: 10, removed: 3 };

fn run_events() -> Vec<RunEvent> {
    vec![
        RunEvent::Requested(Requested {
            title: "Fix the parser".to_owned(),
            prompt: Prompt::Inline("Fix the parser.\nTests are in tests/.".to_owned()),
            repository: "/home/ada/parser".to_owned(),
            base_ref: "main".to_owned(),
            base_commit: COMMIT.to_owned(),
            uncommitted_included: 1,
            attempts: vec![entry(), Entry { agent: "claude".to_owned(), command: None, ..entry() }],
            strategy: Strategy::Best,
            setup: Some("make deps".to_owned()),
            checks: vec![Check { name: "tests".to_owned(), command: "make test".to_owned() }],
            artifacts: vec![],
            limits: Limits::default(),
            environment: vec![],
        }),
        RunEvent::Prepared(Prepared { base_commit: COMMIT.to_owned() }),
        RunEvent::AttemptEnded(AttemptEnded {
            slot: slot("b"),
            outcome: Outcome::ChecksFailed { failed: 1 },
            stat: STAT,
            elapsed_ms: 61_500,
        }),
        RunEvent::Decided(Decided {
            winner: Some(slot("a")),
            judge: Judge::Checks,
            reason: "the smallest change of those that pass".to_owned(),
            blind: true,
        }),
        RunEvent::CancelRequested(run::CancelRequested { reason: "not needed any more".to_owned() }),
        RunEvent::Finished(run::Finished { outcome: RunOutcome::Delivered { winner: slot("a") } }),
        RunEvent::SynthesisRequested(run::SynthesisRequested {
            slot: slot("c"),
            entry: Entry { agent: run::SYNTHESIS.to_owned(), command: None, ..entry() },
            patch: BlobRef { hash: "cd".repeat(32), bytes: 512 },
            hunks: vec![
                run::TakenHunk {
                    slot: slot("b"),
                    path: "logo.png".to_owned(),
                    hunk: None,
                    header: "(whole file: it is binary)".to_owned(),
                    hash: None,
                },
                run::TakenHunk {
                    slot: slot("a"),
                    path: "src/parser.rs".to_owned(),
                    hunk: Some(2),
                    header: "@@ -41,3 +41,3 @@".to_owned(),
                    hash: Some("0123456789abcdef".to_owned()),
                },
            ],
            reason: "a's fix with b's logo".to_owned(),
        }),
        RunEvent::AttemptDiscarded(run::AttemptDiscarded { slot: slot("b"), reason: "off topic".to_owned() }),
        RunEvent::DiscardUndone(run::DiscardUndone { slot: slot("b") }),
    ]
}

fn artifacts_collected() -> AttemptEvent {
    AttemptEvent::ArtifactsCollected(attempt::ArtifactsCollected {
        epoch: 1,
        phase: Phase::Check(0),
        artifacts: vec![attempt::Artifact {
            name: "check-0/report/index.html".to_owned(),
            blob: BlobRef { hash: "ef".repeat(32), bytes: 2_048 },
            mode: 0o644,
        }],
        omitted: vec![attempt::OmittedArtifact {
            name: "core.dump".to_owned(),
            reason: "larger than 32 MiB".to_owned(),
        }],
        omitted_count: 1,
        failure: None,
        kept_count: 3,
        kept_bytes: 9_000,
    })
}

fn attempt_events() -> Vec<AttemptEvent> {
    vec![
        AttemptEvent::Queued(attempt::Queued {
            run: "7q2k9x0m".parse().expect("run"),
            slot: slot("b"),
            entry: entry(),
            setup: true,
            checks: 1,
            starts_max: 3,
        }),
        AttemptEvent::Waiting(attempt::Waiting { reason: "provider local at 4/4".to_owned() }),
        AttemptEvent::Started(attempt::Started { epoch: 1, sandbox: key() }),
        AttemptEvent::PhaseStarted(PhaseStarted { epoch: 1, phase: Phase::Agent }),
        AttemptEvent::Output(Output {
            epoch: 1,
            phase: Phase::Check(2),
            channel: Channel::Err,
            offset: 4_096,
            bytes: Bytes::from_static(b"not \xff text\n"),
        }),
        AttemptEvent::PhaseEnded(PhaseEnded {
            epoch: 1,
            phase: Phase::Check(0),
            exit: Exit::Code(1),
            elapsed_ms: 1_200,
            out_bytes: 5_000,
            err_bytes: 12,
            oom_kills: 0,
        }),
        AttemptEvent::Collected(Collected {
            epoch: 1,
            patch: Some(BlobRef { hash: "ab".repeat(32), bytes: 512 }),
            stat: STAT,
            files: vec![
                FileChange { path: "logo.png".to_owned(), added: None, removed: None },
                FileChange { path: "src/parser.rs".to_owned(), added: Some(10), removed: Some(3) },
            ],
            failure: None,
        }),
        artifacts_collected(),
        AttemptEvent::RetryScheduled(RetryScheduled {
            epoch: 1,
            reason: "the provider was busy".to_owned(),
            not_before_ms: 1_700_000_000_000,
            is_spared: false,
        }),
        AttemptEvent::CancelRequested(attempt::CancelRequested { reason: "another attempt won".to_owned() }),
        AttemptEvent::Finished(attempt::Finished {
            outcome: Outcome::AgentFailed { exit: Exit::OverLimit { limit: "memory 8 GiB".to_owned() } },
            elapsed_ms: 61_500,
        }),
    ]
}

fn other_events() -> Vec<Event> {
    let branch = || "regatta/7q2k9x0m/b".to_owned();
    let values = [("limits.local", "4", "default"), ("server.listen", "127.0.0.1:7433", "REGATTA_LISTEN")];
    let setting = |(key, value, from): (&str, &str, &str)| {
        (key.to_owned(), Setting { value: value.to_owned(), from: from.to_owned() })
    };
    vec![
        Event::Sandbox(SandboxEvent::Intended(sandbox::Intended {
            key: key(),
            provider: "local".to_owned(),
            attempt: attempt_id(),
            epoch: 1,
        })),
        Event::Sandbox(SandboxEvent::Created(sandbox::Created { key: key(), fence: "bubblewrap".to_owned() })),
        Event::Sandbox(SandboxEvent::Failed(sandbox::Failed {
            key: key(),
            reason: "no space left: free some".to_owned(),
            transient: true,
        })),
        Event::Sandbox(SandboxEvent::Destroyed(sandbox::Destroyed { key: key() })),
        Event::Sandbox(SandboxEvent::Reaped(sandbox::Reaped { key: key(), provider: "local".to_owned() })),
        Event::Sandbox(SandboxEvent::Entered(sandbox::Entered {
            key: key(),
            exec: "person-01".to_owned(),
            program: "ls".to_owned(),
        })),
        Event::Sandbox(SandboxEvent::Forked(sandbox::Forked {
            key: "regatta-abcd-7q2k9x0m-b-1000001".parse().expect("key"),
            of: key(),
            provider: "docker".to_owned(),
            until_ms: 1_700_000_000_000,
        })),
        Event::Sandbox(SandboxEvent::ForkEnded(sandbox::ForkEnded {
            key: "regatta-abcd-7q2k9x0m-b-1000001".parse().expect("key"),
        })),
        Event::Delivery(DeliveryEvent::Intended(delivery::Intended {
            attempt: attempt_id(),
            repository: "/home/ada/parser".to_owned(),
            branch: branch(),
        })),
        Event::Delivery(DeliveryEvent::Delivered(delivery::Delivered {
            attempt: attempt_id(),
            branch: branch(),
            commit: COMMIT.to_owned(),
        })),
        Event::Delivery(DeliveryEvent::Failed(delivery::Failed {
            attempt: attempt_id(),
            branch: branch(),
            reason: "the repository is gone".to_owned(),
        })),
        Event::Config(ConfigEvent::Applied(Applied { values: values.map(setting).into() })),
        Event::Config(ConfigEvent::Changed(Changed {
            key: "limits.local".to_owned(),
            from: "4".to_owned(),
            to: Some("8".to_owned()),
            is_live: false,
        })),
    ]
}

fn user_events() -> Vec<UserEvent> {
    let ada = || "ada".to_owned();
    vec![
        UserEvent::Added(user::Added { user: ada(), role: Role::Operator }),
        UserEvent::RoleChanged(user::RoleChanged { user: ada(), from: Role::Operator, to: Role::Approver }),
        UserEvent::Removed(user::Removed { user: ada() }),
        UserEvent::TokenIssued(user::TokenIssued {
            token: "t0k3n1d0".to_owned(),
            name: "nightly".to_owned(),
            user: ada(),
            role: Role::Viewer,
            hash: "ab".repeat(32),
            expires_at_us: Some(1_700_000_000_000_000),
        }),
        UserEvent::TokenRevoked(user::TokenRevoked { token: "t0k3n1d0".to_owned() }),
        UserEvent::TokenExpired(user::TokenExpired { token: "t0k3n1d0".to_owned() }),
        UserEvent::TokenUsed(user::TokenUsed { token: "t0k3n1d0".to_owned(), source: "127.0.0.1".to_owned() }),
        UserEvent::SignedIn(user::SignedIn {
            session: "5e5510n0".to_owned(),
            user: ada(),
            role: Role::Operator,
            means: Means::Token("t0k3n1d0".to_owned()),
            hash: "cd".repeat(32),
            source: "127.0.0.1".to_owned(),
            expires_at_us: 1_700_000_000_000_000,
        }),
        UserEvent::SignedOut(user::SignedOut {
            session: "5e5510n0".to_owned(),
            user: ada(),
            reason: SignedOutReason::Idle,
        }),
        UserEvent::Refused(user::Refused {
            counts: [("credential".to_owned(), 12), ("host".to_owned(), 1)].into(),
            sources: vec!["127.0.0.1".to_owned()],
            since_us: 1_700_000_000_000_000,
        }),
        restated(),
    ]
}

fn secret_events() -> Vec<SecretEvent> {
    let openai = || "openai".to_owned();
    let scope = || Scope { everywhere: false, repositories: ["/home/ada/parser".to_owned()].into() };
    let by = UsedBy::Attempt { attempt: attempt_id(), epoch: 1, phase: Phase::Agent };
    vec![
        SecretEvent::Set(secret::Set { secret: openai(), generation: 7, scope: scope() }),
        SecretEvent::Removed(secret::Removed { secret: openai(), generation: 10 }),
        SecretEvent::Allowed(secret::Allowed { secret: openai(), generation: 8, scope: scope() }),
        SecretEvent::Rotated(secret::Rotated { generation: 9, key: "passphrase".to_owned(), secrets: 1 }),
        SecretEvent::Used(secret::Used { secrets: vec![openai(), "npm".to_owned()], by }),
    ]
}

fn gateway_events() -> Vec<GatewayEvent> {
    let main = || "main".parse().expect("gateway");
    let (boot_id, conn_id) = (|| "05daf75a".to_owned(), || "e96aabfe".to_owned());
    let added = || gateway::Added {
        gateway: main(),
        url: "ws://127.0.0.1:18789".to_owned(),
        allow_plain: false,
        proof: Proof::Token,
    };
    let restated = || gateway::RestatedGateway {
        added: added(),
        added_at_us: 1_700_000_000_000_000,
        added_by: "user:ada".to_owned(),
    };
    vec![
        GatewayEvent::Added(added()),
        GatewayEvent::Removed(gateway::Removed { gateway: main() }),
        GatewayEvent::Restated(gateway::Restated { gateways: vec![restated()] }),
        GatewayEvent::Connected(gateway::Connected {
            gateway: main(),
            boot_id: boot_id(),
            conn_id: conn_id(),
            version: "2026.9.6".to_owned(),
            scopes: vec!["operator.read".to_owned(), "operator.approvals".to_owned()],
            methods: 466,
        }),
        GatewayEvent::Disconnected(gateway::Disconnected {
            gateway: main(),
            boot_id: boot_id(),
            conn_id: conn_id(),
            reason: "the gateway closed the connection with code 1012 (service restart)".to_owned(),
            last_seq: 184,
        }),
        GatewayEvent::Stopped(gateway::Stopped {
            gateway: main(),
            reason: "the gateway does not know this device yet".to_owned(),
            advice: Some("on the gateway's machine run: openclaw devices approve r-1".to_owned()),
            pairing: Some("r-1".to_owned()),
            is_tried_again: false,
        }),
        GatewayEvent::Missed(gateway::Missed {
            gateway: main(),
            boot_id: boot_id(),
            conn_id: conn_id(),
            last: 2,
            next: 5,
            why: Why::NotRecorded("the disk is nearly full".to_owned()),
        }),
        GatewayEvent::Called(gateway::Called { gateway: main(), method: "chat.send".to_owned() }),
        GatewayEvent::Frame(gateway::Frame {
            gateway: main(),
            boot_id: boot_id(),
            conn_id: conn_id(),
            seq: Some(7),
            event: "tick".to_owned(),
            text: Bytes::from_static(b"{\"type\":\"event\",\"event\":\"tick\",\"payload\":{\"ts\":1},\"seq\":7}"),
        }),
    ]
}

fn rule_events() -> Vec<RuleEvent> {
    let rule = Rule {
        name: "builds".parse().expect("rule"),
        answer: RuleAnswer::Allow,
        scope: RuleScope {
            agent: Some("main".to_owned()),
            gateway: Some("main".parse().expect("gateway")),
            cwd: Some("/work/**".to_owned()),
            command: Some("make *".to_owned()),
            run: Some("7q2k9x0m".parse().expect("run")),
        },
        reason: "builds are harmless".to_owned(),
    };
    let known = KnownRule { rule: rule.clone(), added_at_us: 7, added_by: "user:ana".to_owned() };
    vec![
        RuleEvent::Added(rule::RuleAdded { rule: rule.clone() }),
        RuleEvent::Removed(rule::RuleRemoved { rule: rule.name }),
        RuleEvent::Restated(rule::RulesRestated { rules: vec![known] }),
    ]
}

fn approval_events() -> Vec<ApprovalEvent> {
    let id = || "main.a734987a-e5f9-4cc1-9920-e234a03b6053".parse().expect("approval");
    vec![
        ApprovalEvent::Requested(approval::Requested {
            approval: id(),
            boot_id: "05daf75a".to_owned(),
            question: Question {
                command: "uname -s".to_owned(),
                argv: vec!["uname".to_owned(), "-s".to_owned()],
                cwd: Some("/lab/run/workspace".to_owned()),
                program: Some("/usr/bin/uname".to_owned()),
                host: Some("gateway".to_owned()),
                agent: Some("main".to_owned()),
                session: Some("agent:main:main".to_owned()),
                run: Some("636ac1ba".to_owned()),
                plugin: None,
                warnings: vec!["writes outside the workspace".to_owned()],
                is_cut: false,
            },
            decisions: vec![Decision::AllowOnce, Decision::Deny],
            asked_at_ms: 1_795_329_087_696,
            expires_at_ms: 1_795_330_887_696,
            is_reconstructed: false,
        }),
        ApprovalEvent::Answered(approval::Answered {
            approval: id(),
            decision: Decision::AllowOnce,
            note: "looks safe".to_owned(),
        }),
        ApprovalEvent::AnswerFailed(approval::AnswerFailed {
            approval: id(),
            reason: "the gateway gave no answer within 20000 ms".to_owned(),
        }),
        ApprovalEvent::Resolved(approval::Resolved {
            approval: id(),
            decision: Decision::Deny,
            by: "cli".to_owned(),
            is_reconstructed: true,
            at_ms: None,
        }),
        ApprovalEvent::Expired(approval::Expired { approval: id(), at_ms: None }),
        ApprovalEvent::Cancelled(approval::Cancelled {
            approval: id(),
            reason: "gateway-restart".to_owned(),
            at_ms: None,
        }),
        ApprovalEvent::Escalated(approval::Escalated {
            approval: id(),
            to: approval::EscalatedTo::Slack,
            failed: Some("it answered 404".to_owned()),
        }),
    ]
}

/// Who may do what, said again.
fn restated() -> UserEvent {
    let ada = || "ada".to_owned();
    UserEvent::Restated(user::Restated {
        users: vec![user::Added { user: ada(), role: Role::Approver }],
        tokens: vec![user::RestatedToken {
            issued: user::TokenIssued {
                token: "t0k3n1d0".to_owned(),
                name: "nightly".to_owned(),
                user: ada(),
                role: Role::Viewer,
                hash: "ab".repeat(32),
                expires_at_us: None,
            },
            issued_at_us: 1_600_000_000_000_000,
            revoked_at_us: Some(1_700_000_000_000_000),
            is_known_expired: false,
            used_at_us: None,
        }],
        sessions: vec![user::RestatedSession {
            signed_in: user::SignedIn {
                session: "5e5510n0".to_owned(),
                user: ada(),
                role: Role::Operator,
                means: Means::Link,
                hash: "cd".repeat(32),
                source: "127.0.0.1".to_owned(),
                expires_at_us: 1_700_000_000_000_000,
            },
            signed_in_at_us: 1_600_000_000_000_000,
        }],
    })
}

fn log_event() -> Event {
    Event::Log(LogEvent::Released(log::Released {
        first_kept: Seq(1_201),
        archive: "/mnt/elsewhere/regatta".to_owned(),
        segments: vec![log::ReleasedSegment {
            first: Seq(1),
            last: Seq(1_200),
            bytes: 20_480,
            blake3: "ef".repeat(32),
        }],
    }))
}

fn cleaning_events() -> Vec<CleaningEvent> {
    let attempt = attempt_id();
    let archive = Archive { path: "cleaned/7q2k9x0m.b.tar.zst".to_owned(), bytes: 2_048, blake3: "ab".repeat(32) };
    let wish = Wish::Clean { to: Some("/mnt/elsewhere".to_owned()) };
    vec![
        CleaningEvent::Requested(cleaning::Requested { attempt, wish }),
        CleaningEvent::Archived(cleaning::Archived { attempt, archive, blobs: 3, blob_bytes: 9_512 }),
        CleaningEvent::Removed(cleaning::Removed { attempt, blobs: 2, blob_bytes: 9_000, kept: 1 }),
        CleaningEvent::Returned(cleaning::Returned { attempt, blobs: 3, blob_bytes: 9_512 }),
        CleaningEvent::Forgotten(cleaning::Forgotten { attempt }),
        CleaningEvent::Failed(cleaning::Failed { attempt, reason: "the folder is gone".to_owned() }),
    ]
}

/// One fact of every kind.
fn facts() -> Vec<Event> {
    let runs = run_events().into_iter().map(Event::Run);
    let attempts = attempt_events().into_iter().map(Event::Attempt);
    runs.chain(attempts)
        .chain(other_events())
        .chain(user_events().into_iter().map(Event::User))
        .chain(secret_events().into_iter().map(Event::Secret))
        .chain(gateway_events().into_iter().map(Event::Gateway))
        .chain(approval_events().into_iter().map(Event::Approval))
        .chain(rule_events().into_iter().map(Event::Rule))
        .chain([log_event()])
        .chain(cleaning_events().into_iter().map(Event::Cleaning))
        .collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn what_is_written_today_is_what_the_golden_files_hold() {
    for fact in facts() {
        let (kind, version, payload) = fact.encode();
        let ending = if kind.is_raw() { "bin" } else { "json" };
        let path = folder().join(format!("{kind}.v{version}.{ending}"));
        if std::env::var_os("REGATTA_GOLDEN").is_some() && !path.exists() {
            fs::write(&path, &payload).expect("golden file");
        }
        let golden = Bytes::from(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        assert_eq!(payload, golden, "{kind}: a changed payload is a new version with a step in upcast.rs");
        assert_eq!(Event::decode(kind, version, &golden).expect("decodes"), fact);
    }
}

#[test]
fn every_kind_has_a_golden_file() {
    let known: Vec<Kind> = facts().iter().map(|fact| fact.encode().0).collect();
    let missing: Vec<&str> =
        Kind::ALL.iter().filter(|(kind, _)| !known.contains(kind)).map(|(_, name)| *name).collect();
    assert_eq!(missing, [""; 0], "add a fact of it above");
}

#[test]
fn every_golden_file_of_any_version_is_read_as_a_known_fact() {
    let mut read = 0;
    for entry in fs::read_dir(folder()).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.file_stem().expect("name").to_string_lossy().into_owned();
        let Some((kind, version)) = name.split_once(".v").filter(|(name, _)| name.contains('.')) else { continue };
        let kind = Kind::named(kind).unwrap_or_else(|| panic!("{kind} is no kind; kinds are never removed"));
        let payload = Bytes::from(fs::read(&path).expect("golden file"));
        let event = Event::decode(kind, version.parse().expect("version"), &payload).expect("decodes");
        assert!(!matches!(event, Event::Unknown { .. }), "{name}");
        read += 1;
    }
    assert!(read >= Kind::ALL.len());
}

#[test]
fn unknown_kinds_and_versions_of_the_future_are_kept_as_they_are() {
    let payload = Bytes::from_static(b"\x00 anything");
    let future = [(Kind(0x7777), 1), (Kind::RUN_DECIDED, 3), (Kind::ATTEMPT_OUTPUT, 9), (Kind(0x01ff), u16::MAX)];
    for (kind, version) in future {
        let event = Event::decode(kind, version, &payload).expect("opaque");
        assert_eq!(event, Event::Unknown { kind, version, payload: payload.clone() });
        assert_eq!(event.encode(), (kind, version, payload.clone()));
    }
}
