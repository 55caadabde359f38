//! The fakes, driven by the vendors' own clients: what those can do with the real service they can do here.

use std::process::Command;

use regatta_sandbox_fakes::daytona::{FakeDaytona, Options as DaytonaOptions};
use regatta_sandbox_fakes::e2b::{FakeE2b, Options as E2bOptions};

use super::program;

/// The interpreter that has the vendors' packages.
fn python() -> String {
    std::env::var("REGATTA_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Runs a script of this folder; what it printed. `None`, and said so, when the vendor's package is missing.
async fn drive(package: &str, script: &'static str, variables: Vec<(&'static str, String)>) -> Option<String> {
    let has = Command::new(python()).args(["-c", &format!("import {package}")]).output();
    if !has.is_ok_and(|has| has.status.success()) {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "pip install {package}");
        eprintln!("skipped: the Python package {package} is missing");
        return None;
    }
    let run = tokio::task::spawn_blocking(move || {
        Command::new(python()).args(["-u", "-c", script]).envs(variables).output().unwrap()
    });
    let output = run.await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    Some(out.into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2bs_own_client_works_with_the_fake() {
    let options = E2bOptions::default();
    let fake = FakeE2b::start(program(), options.clone()).await;
    let variables = vec![
        ("E2B_API_URL", fake.url.clone()),
        ("E2B_SANDBOX_URL", fake.url.clone()),
        ("E2B_API_KEY", options.key.clone()),
    ];
    let Some(out) = drive("e2b", include_str!("drive_e2b.py"), variables).await else { return };
    assert!(out.ends_with("all well\n"), "{out}");
    assert_eq!(fake.live(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daytonas_own_client_works_with_the_fake() {
    let options = DaytonaOptions { strange_state: Some("creating"), ..DaytonaOptions::default() };
    let fake = FakeDaytona::start(program(), options.clone()).await;
    let variables = vec![
        ("DAYTONA_API_URL", fake.url.clone()),
        ("DAYTONA_API_KEY", options.key.clone()),
        ("DAYTONA_TARGET", "us".to_owned()),
    ];
    let Some(out) = drive("daytona", include_str!("drive_daytona.py"), variables).await else { return };
    assert!(out.ends_with("all well\n"), "{out}");
}
