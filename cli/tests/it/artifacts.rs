//! What attempts leave besides their changes, from the sandbox to the file somebody saves.

use std::fs;

use crate::install::{Install, can_race};

const AGENT: &str = "command=echo two >> file; mkdir -p build/report $REGATTA_ARTIFACTS/shots; \
                     printf 'one\\0\\377' > $REGATTA_ARTIFACTS/shots/page.png; echo r > build/report/r.xml; \
                     ln -s /etc/passwd $REGATTA_ARTIFACTS/passwd";
const CHECK: &str = "tests=echo junit > $REGATTA_ARTIFACTS/junit.xml; echo again > build/report/r.xml";

#[test]
fn what_an_agent_and_its_checks_leave_is_kept_listed_and_saved() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.write(".gitignore", "build\n");
    install.commit("ignore");
    let run = install.race(&["-a", AGENT, "--check", CHECK, "--artifact", "build/report/**"], 0);
    let attempt = format!("{run}.a");
    let left = install.view(&["artifacts", &attempt]);
    let rows = left["rows"].as_array().expect("rows");
    let shown: Vec<String> = rows.iter().map(|row| format!("{} {}", row["name"], row["bytes"])).collect();
    assert_eq!(
        shown,
        [r#""agent/shots/page.png" 5"#, r#""check-0/junit.xml" 6"#, r#""workspace/build/report/r.xml" 6"#],
        "{left}"
    );
    assert_eq!((&left["omitted_count"], &left["omitted"][0]["name"]), (&1.into(), &"passwd".into()));
    // It is no part of the change.
    assert_eq!(install.view(&["show", &attempt])["changes"]["stat"]["files"], 1);
    assert_eq!(install.view(&["show", &attempt])["artifacts"]["count"], 3);
    let listed = install.regatta(&["artifacts", &attempt]).exits(0);
    assert!(listed.out.contains("agent/shots/page.png") && listed.err.contains("not kept: passwd"), "{listed:?}");

    assert_eq!(install.regatta(&["artifacts", &attempt, "page.png"]).exits(0).raw, b"one\0\xff");
    assert_eq!(install.regatta(&["artifacts", &attempt, "workspace/build/report/r.xml"]).exits(0).out, "again\n");
    let file = install.folder().join("saved.png");
    let saving = ["artifacts", &attempt, "page.png", "-o", file.to_str().expect("path")];
    install.regatta(&saving).exits(0);
    assert_eq!(fs::read(&file).expect("saved"), b"one\0\xff");
    install.regatta(&saving).exits(4).says("cannot be written");
    install.regatta(&["artifacts", &attempt, "nothing"]).exits(3).says("left no artifact");

    // The blobs are known to whoever proves and copies the log.
    let told = install.regatta(&["log", "verify"]).exits(0);
    assert!(told.out.contains("5 blobs whole"), "{}", told.out);
    let to = install.folder().join("backup");
    let (to, back) = (to.to_str().expect("path"), install.folder().join("back"));
    install.regatta(&["log", "backup", to]).exits(0);
    install.regatta(&["log", "restore", "--from", to, "--data-dir", back.to_str().expect("path")]).exits(0);
    let hash = rows[0]["hash"].as_str().expect("hash");
    fs::remove_file(back.join("blobs").join(hash.get(..2).expect("digits")).join(hash)).expect("removed");
    let missing = install.regatta(&["log", "verify", "--data-dir", back.to_str().expect("path")]).exits(1);
    assert!(format!("{}{}", missing.out, missing.err).contains("names it as an artifact"), "{missing:?}");
}

#[test]
fn artifacts_alone_are_no_change_and_paths_that_lead_elsewhere_are_refused() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", "command=echo review > $REGATTA_ARTIFACTS/review.md", "--sandbox", "local"], 1);
    let view = install.view(&["show", &format!("{run}.a")]);
    assert_eq!((&view["state"]["outcome"], &view["artifacts"]["count"]), (&"unchanged".into(), &1.into()));
    assert_eq!(install.regatta(&["artifacts", &format!("{run}.a"), "review.md"]).exits(0).out, "review\n");
    for (path, why) in
        [("/etc/*", "is not relative"), ("../x", "leaves the workspace"), (".git/**", "reaches into .git")]
    {
        let ask = ["run", "x", "-a", "command=true", "--artifact", path];
        install.regatta(&ask).exits(2).says(why);
    }
}
