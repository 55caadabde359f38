//! The suite again as somebody without privileges, when it runs as root: users are not root, and neither are fences.

use std::process::Command;

/// What differs without privileges.
const SUITES: [&str; 6] = [
    "contract::life::bubblewrap",
    "contract::life::landlock",
    "contract::sight",
    "contract::workspace",
    "contract::crash::bubblewrap",
    "contract::crash::landlock",
];

/// An engine is root's: whoever may ask it for a container is root.
const NOT: [&str; 2] = ["--skip", "docker"];

#[test]
fn the_promises_are_kept_without_privileges() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let mut nobody = Command::new("setpriv");
    nobody
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .env("HOME", "/nonexistent")
        .current_dir("/");
    let can_run = nobody.arg(&own).arg("--list").output().is_ok_and(|output| output.status.success());
    if !can_run {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "setpriv cannot run {}", own.display());
        eprintln!("skipped: setpriv cannot run {} as nobody", own.display());
        return;
    }
    let mut nobody = Command::new("setpriv");
    nobody
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .env("HOME", "/nonexistent")
        .current_dir("/");
    let output = nobody.arg(&own).args(SUITES).args(NOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
