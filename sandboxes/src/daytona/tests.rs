//! What the real toolbox answered, read by our client.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};

use super::control::Control;
use super::inside::{self, Inside, Session};
use super::{Daytona, Options};
use crate::provider::Error;
use crate::remote::cloud::{Call, Machine};
use crate::remote::replay::Replay;

const RECORDED: &str = include_str!("../../tests/traffic/daytona.jsonl");

fn parts(probe: &str, piece: usize) -> (Daytona, Machine, Replay) {
    let replay = Replay::of(RECORDED, probe, piece);
    let key = Arc::new(|| std::future::ready(Ok("dtn_key".to_owned().into())).boxed());
    let options = Options { api_url: replay.url.clone(), ..Options::new(key) };
    let daytona = Daytona { control: Arc::new(Control::new(options).expect("a client")) };
    let machine = Machine { id: "sb-1".to_owned(), address: format!("{}/toolbox/sb-1", replay.url), token: None };
    (daytona, machine, replay)
}

#[tokio::test]
async fn a_call_is_read_with_its_exit() {
    for (probe, code, out) in [("execute", 0, "out\nerr\n2\n/home/user\n"), ("execute_exit_7", 7, "")] {
        let (daytona, machine, replay) = parts(probe, 9);
        let inside = Inside { control: &daytona.control, machine: &machine };
        let env = BTreeMap::from([("B".to_owned(), "2".to_owned())]);
        let call = Call { argv: vec!["it's".to_owned()], env, login: code != 0 };
        let answer = inside.call(&call).await.expect(probe);
        assert_eq!((answer.code, answer.out), (code, out.as_bytes().to_vec()));
        let asked = replay.asked.lock().expect("asked").concat();
        assert!(asked.starts_with("POST /toolbox/sb-1/process/execute HTTP/1.1"), "{asked}");
        assert!(asked.to_lowercase().contains("authorization: bearer dtn_key"), "{asked}");
        assert!(asked.contains(r"'it'\\''s'") && asked.contains(r#""envs":{"B":"2"}"#), "{asked}");
        assert_eq!(asked.contains("bash -l -c"), call.login, "{asked}");
    }
    let (daytona, machine, _replay) = parts("execute_timeout", 9);
    let inside = Inside { control: &daytona.control, machine: &machine };
    let error = inside.call(&Call { argv: vec!["x".to_owned()], ..Call::default() }).await.expect_err("408");
    assert!(error.is_transient() && error.to_string().contains("408"), "{error}");
}

#[tokio::test]
async fn a_file_is_read_from_many_parts_or_found_missing() {
    for piece in [1, 20, 1 << 20] {
        let (daytona, machine, _replay) = parts("download", piece);
        let inside = Inside { control: &daytona.control, machine: &machine };
        assert_eq!(inside.download("/tmp/w/a.txt", 6).await.expect("a file"), b"hello\n");
        assert!(matches!(inside.download("/tmp/w/a.txt", 5).await, Err(Error::TooLarge { .. })));
    }
    let (daytona, machine, _replay) = parts("download_missing", 50);
    let inside = Inside { control: &daytona.control, machine: &machine };
    assert!(matches!(inside.download("/nope", 10).await, Err(Error::Missing(_))));
}

#[tokio::test]
async fn the_log_of_a_command_is_its_output_line_by_line() {
    for piece in [1, 3, 100, 1 << 20] {
        let (daytona, machine, _replay) = parts("log", piece);
        let session = Session::of("/process/session/agent-1", "c60d4f94");
        let lines = inside::lines(Arc::clone(&daytona.control), machine, session).take(3);
        let lines: Vec<String> = lines.map(|line| line.expect("a line")).collect().await;
        assert_eq!(lines, ["o1", "o2", "o3"], "in pieces of {piece}");
    }
}
