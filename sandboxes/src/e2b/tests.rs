//! What the real envd answered, read by our client; and what our client asks, as the vendor's own does.

use futures_util::FutureExt as _;

use super::inside::Inside;
use super::{E2b, Options, VENDOR};
use crate::provider::{Error, Term};
use crate::remote::cloud::{Answer, Call, Cloud as _, Machine, Wanted};
use crate::remote::replay::Replay;
use crate::remote::wire::Wire;

const RECORDED: &str = include_str!("../../tests/traffic/e2b.jsonl");

fn machine(replay: &Replay) -> Machine {
    Machine { id: "isb1".to_owned(), address: replay.url.clone(), token: Some("envd-token-1".to_owned().into()) }
}

/// What a call becomes of a recorded answer, however it is cut.
async fn call(probe: &str) -> Result<Answer, Error> {
    let mut calls = Vec::new();
    for piece in [1, 7, 64, 1 << 20] {
        let replay = Replay::of(RECORDED, probe, piece);
        let wire = Wire::new().expect("a client");
        let machine = machine(&replay);
        let inside = Inside { wire: &wire, vendor: VENDOR, machine: &machine };
        calls.push(inside.call(&Call { argv: vec!["true".to_owned()], ..Call::default() }).await);
    }
    let first = format!("{:?}", calls.first());
    assert!(calls.iter().all(|call| format!("{:?}", Some(call)) == first), "{calls:?}");
    calls.remove(0)
}

#[tokio::test]
async fn what_a_command_printed_and_how_it_ended_is_read() {
    for (probe, code, out, err) in [
        ("prints_on_both_channels", 0, "out1\ncmdA 1 user /home/user", "err1\n"),
        ("exits_with_7", 7, "", ""),
        ("killed", -1, "", ""),
        ("keepalive_1s", 0, "done\n", ""),
        ("connect_after_exit", 3, "", ""),
        ("orphan_pipe", 0, "parent-done\n", ""),
        ("start_bad_cmd", 127, "", "/usr/bin/nice: '/no/such/bin': No such file or directory\n"),
    ] {
        let answer = Answer { code, out: out.into(), err: err.into() };
        assert_eq!(call(probe).await.expect(probe), answer, "{probe}");
    }
}

#[tokio::test]
async fn a_refusal_in_a_stream_is_told_with_its_reason() {
    for (probe, is_transient, says) in [
        ("unknown_user", false, "invalid username: 'nosuchuser'"),
        ("start_bad_cwd", false, "cwd '/nope' does not exist"),
        ("deadline", true, "understand E2B"),
    ] {
        let error = call(probe).await.expect_err(probe);
        assert!(error.is_transient() == is_transient && error.to_string().contains(says), "{probe}: {error:?}");
    }
}

#[tokio::test]
async fn a_refused_token_means_that_the_sandbox_must_be_found_anew() {
    let error = call("list_no_token").await.expect_err("refused");
    assert!(matches!(&error, Error::Missing(what) if what == "isb1"), "{error:?}");
}

#[tokio::test]
async fn files_and_processes_are_read() {
    let wire = Wire::new().expect("a client");
    let replay = Replay::of(RECORDED, "list", 5);
    let inside = machine(&replay);
    let inside = Inside { wire: &wire, vendor: VENDOR, machine: &inside };
    assert_eq!(inside.processes().await.expect("a list").first().map(|process| process.pid), Some(78));
    let replay = Replay::of(RECORDED, "download_range", 5);
    let inside = machine(&replay);
    let inside = Inside { wire: &wire, vendor: VENDOR, machine: &inside };
    assert_eq!(inside.part("/x", 1, 2).await.expect("a part"), [1, 2]);
    let replay = Replay::of(RECORDED, "missing_file", 5);
    let inside = machine(&replay);
    let inside = Inside { wire: &wire, vendor: VENDOR, machine: &inside };
    assert!(inside.part("/nope", 0, 2).await.expect("nothing").is_empty());
    assert!(matches!(inside.download("/nope", 10).await, Err(Error::Missing(_))));
}

#[tokio::test]
async fn a_command_is_asked_for_as_the_vendors_client_does_and_our_own_without_its_shell() {
    for (login, json) in [
        (
            true,
            r#"{"process":{"cmd":"/bin/bash","args":["-l","-c","exec \"$0\" \"$@\"","exit","7"],"envs":{"A":"1"}},"stdin":false}"#,
        ),
        (false, r#"{"process":{"cmd":"exit","args":["7"],"envs":{"A":"1"}},"stdin":false}"#),
    ] {
        let replay = Replay::of(RECORDED, "exits_with_7", 64);
        let wire = Wire::new().expect("a client");
        let machine = machine(&replay);
        let inside = Inside { wire: &wire, vendor: VENDOR, machine: &machine };
        let (argv, env) = (["exit", "7"].map(str::to_owned).to_vec(), [("A".to_owned(), "1".to_owned())].into());
        inside.call(&Call { argv, env, login }).await.expect("an answer");
        let asked = replay.asked.lock().expect("asked").concat();
        assert!(asked.ends_with(json), "{asked}");
        let asked = asked.to_lowercase();
        assert!(asked.starts_with("post /process.process/start http/1.1"), "{asked}");
        for header in [
            "content-type: application/connect+json",
            "connect-protocol-version: 1",
            "x-access-token: envd-token-1",
            "e2b-sandbox-id: isb1",
            "e2b-sandbox-port: 49983",
        ] {
            assert!(asked.contains(header), "{header}: {asked}");
        }
        assert!(!asked.contains("connect-timeout-ms") && !asked.contains("accept-encoding: gzip"), "{asked}");
    }
}

#[tokio::test]
async fn a_sandbox_is_asked_for_as_the_vendors_client_does() {
    // Any answer will do: it is the question that counts.
    let replay = Replay::of(RECORDED, "list", 64);
    let key = std::sync::Arc::new(|| std::future::ready(Ok("e2b_key".to_owned().into())).boxed());
    let options = Options { api_url: replay.url.clone(), creates_per_second: None, ..Options::new(key) };
    let e2b = E2b { control: super::Control::new(options).expect("a client") };
    let term = Term { epoch: 2, until_ms: Some(1_900_000_000_500) };
    let wanted = Wanted { key: "regatta-a-1", owner: "me", network: false, term };
    e2b.make(&wanted).await.expect_err("no sandbox in the answer");
    let asked = replay.asked.lock().expect("asked").concat();
    assert!(asked.starts_with("POST /v2/sandboxes HTTP/1.1"), "{asked}");
    let head = asked.to_lowercase();
    assert!(head.contains("idempotency-key: regatta-a-1") && head.contains("x-api-key: e2b_key"), "{asked}");
    let body = r#"{"templateID":"base","timeout":1800,"metadata":{"regatta-deadline":"1900000000","regatta-epoch":"2","regatta-key":"regatta-a-1","regatta-owner":"me"},"allow_internet_access":false,"autoPause":false}"#;
    assert!(asked.ends_with(body), "{asked}");
}
