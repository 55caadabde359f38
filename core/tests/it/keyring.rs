//! The vault's key in a real keyring: a session bus and a keyring of the test's own, in a process of its own.

use std::process::{Command, Stdio};
use std::sync::Arc;

use regatta_core::log::MemoryLog;
use regatta_core::vault::{ExposeSecret as _, KeyKind, NewKey, Standing};
use regatta_core::{Actor, SecretName, SystemClock, Vault};

/// Where the process that has a keyring keeps its vault.
const DIR: &str = "REGATTA_TEST_KEYRING_DIR";
/// Starts a keyring that is open, waits for it, runs what comes next, and ends it.
const SESSION: &str = r#"
export HOME="$REGATTA_TEST_KEYRING_DIR" XDG_DATA_HOME="$REGATTA_TEST_KEYRING_DIR/data" XDG_RUNTIME_DIR="$REGATTA_TEST_KEYRING_DIR"
printf login | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 &
daemon=$!
# Whoever asked before it is there would have another one started, which is closed.
asked="--session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner"
tries=0
until dbus-send $asked string:org.freedesktop.secrets | grep -q true || [ "$tries" -gt 200 ]; do
    tries=$((tries + 1)); sleep 0.05
done
"$@"
code=$?
kill "$daemon"
exit "$code"
"#;

fn works(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn the_key_can_be_in_the_machines_keyring() {
    let missing =
        ["dbus-run-session", "dbus-send", "gnome-keyring-daemon", "secret-tool"].into_iter().find(|name| !works(name));
    if let Some(missing) = missing {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "{missing} is missing");
        return println!("skipped: {missing} is missing");
    }
    let folder = tempfile::tempdir().expect("folder");
    let mut session = Command::new("dbus-run-session");
    session.args(["--", "sh", "-c", SESSION, "sh"]).arg(std::env::current_exe().expect("this test"));
    session.args(["--exact", "keyring::with_a_keyring_of_its_own", "--nocapture"]).env(DIR, folder.path());
    let output = session.output().expect("a session");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("it is all as it should be"), "{said}");
}

/// In a process of its own, with a keyring.
#[tokio::test]
async fn with_a_keyring_of_its_own() {
    let Some(folder) = std::env::var_os(DIR) else { return };
    let (folder, log) = (std::path::PathBuf::from(folder).join("vault"), Arc::new(MemoryLog::default()));
    let vault = || Vault::of(&folder, log.clone(), Arc::new(SystemClock)).expect("vault");
    let (ada, name): (Actor, SecretName) = (Actor::user("ada"), "openai".parse().expect("name"));
    let first = vault();
    first.set(&name, "sk-canary-wren".into(), None, &ada).await.expect("set");
    assert_eq!(first.rotate(NewKey::Keyring, &ada).await.expect("rotated"), 1);
    assert!(!folder.join("key").exists() && !folder.join("key.next").exists());
    let kept = key_in_the_keyring(&folder);
    // A start opens it without being asked.
    let again = vault();
    let value = again.known(std::slice::from_ref(&name)).await.remove(0).1;
    assert_eq!(value.expose_secret(), "sk-canary-wren");
    assert!(matches!(again.standing().await, Ok(Standing::Open { key: KeyKind::Keyring, .. })));
    again.rotate(NewKey::Keyring, &ada).await.expect("rotated");
    assert!(!has(&kept) && has(&key_in_the_keyring(&folder)), "the old key is gone");
    let last = key_in_the_keyring(&folder);
    again.rotate(NewKey::File, &ada).await.expect("rotated");
    assert!(folder.join("key").exists() && !has(&last));
    again.rotate(NewKey::Keyring, &ada).await.expect("rotated");
    let gone =
        Command::new("secret-tool").args(["clear", "service", "regatta", "key", &key_in_the_keyring(&folder)]).status();
    assert!(gone.expect("cleared").success());
    let error = vault().standing().await.expect_err("no key");
    assert_eq!(error.to_string(), "the vault's key is missing in the machine's keyring");
    println!("it is all as it should be");
}

/// The id of the key the vault's file names.
fn key_in_the_keyring(folder: &std::path::Path) -> String {
    let text = std::fs::read_to_string(folder.join("secrets")).expect("the vault");
    let header = text.lines().next().and_then(|line| line.split_once(' ')).expect("a line").1;
    let header: serde_json::Value = serde_json::from_str(header).expect("json");
    assert_eq!(header["key"], "keyring");
    header["key_id"].as_str().expect("an id").to_owned()
}

fn has(id: &str) -> bool {
    let found = Command::new("secret-tool").args(["lookup", "service", "regatta", "key", id]).output().expect("asked");
    found.status.success()
}
