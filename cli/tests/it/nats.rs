//! NATS beside a server: the relay's lag on screen, the events read back, a lost data directory rebuilt.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::install::Install;
use crate::nats_server::Nats;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at the fleet until its relay is as wanted.
pub(crate) fn relay(install: &Install, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let relay = install.view(&["fleet"]).get("relay").cloned().unwrap_or_default();
        if holds(&relay) {
            return relay;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come to hold: {relay}");
    }
}

pub(crate) fn has_everything(relay: &Value) -> bool {
    relay["connected"] == true && relay["acked"] == relay["head"]
}

#[test]
fn an_outage_is_on_screen_and_a_lost_data_directory_comes_back() {
    let Some(mut nats) = Nats::start() else { return };
    let url = nats.server().url;
    let install = Install::new();
    install.regatta(&["up", "--detach", "--nats", &url]).exits(0);
    relay(&install, has_everything);
    let shown = install.regatta(&["fleet"]).exits(0).out;
    assert!(shown.contains(&format!("{url} has every event, up to ")), "{shown}");

    nats.kill();
    nats.wipe();
    relay(&install, |relay| relay["connected"] == false && relay["last_error"].is_string());
    let shown = install.regatta(&["fleet"]).exits(0).out;
    assert!(shown.contains("not connected: ") && !shown.contains("0 events behind"), "{shown}");
    nats.again();
    relay(&install, has_everything);

    let tail = install.regatta(&["log", "tail", "--nats", &url]).exits(0).out;
    assert!(tail.contains("config.applied"), "{tail}");
    assert_eq!(install.regatta(&["log", "tail", "--nats", &url, "--kind", "run"]).exits(0).out, "");

    install.regatta(&["down"]).exits(0);
    let export = |data: &str| install.regatta(&["log", "export", "--data-dir", data]).exits(0).out;
    let before = export(install.data().to_str().expect("path"));
    let rebuilt = install.folder().join("rebuilt");
    let rebuilt = rebuilt.to_str().expect("path");
    let restore = ["log", "restore", "--from-nats", &url, "--data-dir", rebuilt];
    // The last line says only that it is the last.
    let events = before.lines().count() - 1;
    assert_eq!(tail.lines().count(), events);
    install
        .regatta(&restore)
        .exits(0)
        .says(&format!("restored {events} events of install"))
        .says("the chain is that of the log that was lost");
    install.regatta(&restore).exits(0).says(&format!("{events} were there already"));
    assert_eq!(export(rebuilt), before);
    install.regatta(&["log", "verify", "--data-dir", rebuilt]).exits(0);
    let name = |data: &std::path::Path| std::fs::read_to_string(data.join("install")).expect("name");
    assert_eq!(name(rebuilt.as_ref()), name(&install.data()));
}

#[test]
fn a_password_is_neither_taken_from_the_command_line_nor_kept() {
    let install = Install::new();
    let url = "nats://ana:canary-7f3a@127.0.0.1:9";
    let commands =
        [&["up", "--nats", url][..], &["log", "tail", "--nats", url], &["log", "restore", "--from-nats", url]];
    for arguments in commands {
        let done = install.regatta(arguments).exits(2).says("nats://***@127.0.0.1:9 has a password in it");
        assert!(!done.err.contains("canary-7f3a"), "{}", done.err);
    }
    let with_url = |arguments: &[&str]| {
        let mut command = install.command(arguments);
        let output = command.env("REGATTA_NATS_URL", url).output().expect("regatta");
        assert!(output.status.success(), "{output:?}");
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains("canary-7f3a"), "{arguments:?}");
    };
    with_url(&["doctor", "--config"]);
    with_url(&["up", "--detach"]);
    let shown = relay(&install, |relay| relay["last_error"].is_string());
    assert_eq!(shown["server"], "nats://***@127.0.0.1:9");
    assert!(!shown.to_string().contains("canary-7f3a"), "{shown}");
    install.regatta(&["down"]).exits(0);
    let mut folders = vec![install.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).expect("file");
                let found = bytes.windows(11).any(|window| window == b"canary-7f3a");
                assert!(!found, "{}", path.display());
            }
        }
    }
}

#[test]
fn a_user_and_a_password_in_the_configuration_reach_the_server() {
    let folder = tempfile::tempdir().expect("folder");
    let config = folder.path().join("nats.conf");
    std::fs::write(&config, "authorization { users: [ { user: ana, password: canary-7f3a } ] }\n").expect("config");
    let Some(nats) = Nats::start_with(&["-c", config.to_str().expect("path")]) else { return };
    let bare = nats.server().url;
    let install = Install::new();
    std::fs::create_dir(install.data()).expect("data");
    let written = format!("[nats]\nurl = \"{}\"\n", bare.replace("nats://", "nats://ana:canary-7f3a@"));
    std::fs::write(install.data().join("regatta.toml"), written).expect("configuration");
    install.regatta(&["up", "--detach"]).exits(0);
    let relay = relay(&install, has_everything);
    assert!(!relay.to_string().contains("canary"), "{relay}");
    // Named without its password, the configured server is meant.
    let tail = install.regatta(&["log", "tail", "--nats", &bare]).exits(0);
    assert!(tail.out.contains("config.applied"), "{}", tail.out);
    install.regatta(&["down"]).exits(0);
    let told = std::fs::read_to_string(install.data().join("server.log")).expect("log");
    assert!(!told.contains("canary") && !told.contains("async_nats"), "{told}");
}
