//! Secrets through the real binary: kept, declared, given, masked, and nowhere to be found.

#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::install::{Install, can_race, until};

/// Nothing else holds this.
const CANARY: &str = "canary-5kvq-wren\"tweet-7719";
/// A plain variable, to show that what is looked for would be found.
const PLAIN: &str = "visible-plumage-3313";

/// A command with something on its standard input.
pub(crate) fn piped(install: &Install, arguments: &[&str], input: &str) -> crate::install::Done {
    let mut child = started(install, arguments);
    child.stdin.take().expect("input").write_all(input.as_bytes()).expect("written");
    crate::install::Done::of(child.wait_with_output().expect("ended"))
}

pub(crate) fn started(install: &Install, arguments: &[&str]) -> Child {
    let mut command = install.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

/// Every way a text is usually written down: as it is, in JSON, in hexadecimal, and in base 64 wherever it begins.
fn guises(text: &str) -> Vec<Vec<u8>> {
    let quoted = serde_json::to_string(text).expect("json");
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut guises = vec![text.into(), quoted.trim_matches('"').into(), hex.to_uppercase().into(), hex.into()];
    for shift in 0..3 {
        let shifted = [vec![b'.'; shift], text.as_bytes().to_vec()].concat();
        // The first and the last characters depend on what stands around it.
        let encoded = STANDARD_NO_PAD.encode(shifted).into_bytes();
        guises.push(encoded[4..encoded.len() - 4].to_vec());
    }
    guises
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    guises(text).iter().any(|guise| bytes.windows(guise.len()).any(|window| window == guise.as_slice()))
}

/// Files of a folder that hold a text in any guise.
pub(crate) fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(folder, &mut all);
    assert!(all.len() > 5, "the folder was found");
    all.retain(|path| holds(&fs::read(path).unwrap_or_default(), text));
    all
}

pub(crate) fn command_lines() -> Vec<u8> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok()).flatten().collect()
}

/// The workspace of the one sandbox there is, once its agent has begun.
fn begun(install: &Install) -> PathBuf {
    let sandboxes = install.data().join("sandboxes/local");
    until("the agent begins", || {
        let found = fs::read_dir(&sandboxes).ok()?.flatten().map(|entry| entry.path().join("work"));
        found.into_iter().find(|work| work.join("begun").exists())
    })
}

#[test]
fn a_secret_reaches_the_agent_and_nothing_else() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let declared =
        "[environment]\nPLUMAGE = \"visible-plumage-3313\"\nAPI_KEY = { secret = \"openai\", for = [\"agent\"] }\n";
    install.write("regatta.toml", declared);
    install.commit("declare");
    let agent = "command=printf '%s' \"$API_KEY\" | wc -c > size; echo out $API_KEY $PLUMAGE; echo err $API_KEY >&2; \
                 printf '%s' \"$API_KEY\" | cut -c1-12 | tr -d '\\n'; touch begun; while ! [ -e go ]; do sleep 0.05; done; \
                 printf '%s\\n' \"$API_KEY\" | cut -c13-; rm begun go; env | grep -c API_KEY";
    let run = ["run", "use it", "--wait", "-a", agent, "--check", "alone=test -z \"$API_KEY\" && test -n \"$PLUMAGE\""];
    let missing = install.regatta(&run).exits(3).says("there is no secret `openai`");
    assert!(missing.err.contains("hint: regatta secret set openai --repository "), "{}", missing.err);
    let elsewhere = tempfile::tempdir().expect("folder");
    fs::create_dir(elsewhere.path().join(".git")).expect("a repository");
    let other = elsewhere.path().to_str().expect("text");
    piped(&install, &["secret", "set", "openai", "--repository", other], CANARY).exits(0);
    install.regatta(&run).exits(3).says("may not be used by runs of").says("regatta secret allow openai --repository");
    install.regatta(&["secret", "allow", "openai"]).exits(0).says("may use it");

    let mut waiting = started(&install, &run);
    drop(waiting.stdin.take());
    let work = begun(&install);
    assert!(!holds(&command_lines(), CANARY), "a command line holds it");
    fs::write(work.join("go"), "").expect("written");
    let done = crate::install::Done::of(waiting.wait_with_output().expect("ended")).exits(0);
    let id = done.out.trim().to_owned();
    until("the sandbox is removed", || {
        fs::read_dir(install.data().join("sandboxes/local")).ok()?.next().is_none().then_some(())
    });

    let size = install.git(&["show", &format!("regatta/{id}/a:size")]).out;
    assert_eq!(size.trim(), CANARY.len().to_string(), "the agent got the whole value");
    let printed = install.regatta(&["show", &format!("{id}.a"), "--output"]).exits(0).out;
    assert!(printed.contains(&format!("out {} {PLAIN}", "*".repeat(CANARY.len()))), "{printed}");
    assert!(printed.contains(&format!("err {}", "*".repeat(CANARY.len()))), "{printed}");

    assert_ne!(holding(&install.data(), PLAIN), [""; 0].map(PathBuf::from), "the search finds what is there");
    assert_eq!(holding(&install.data(), CANARY), [""; 0].map(PathBuf::from));
    assert_eq!(holding(&install.repository(), CANARY), [""; 0].map(PathBuf::from));
    let answers =
        [&["secret", "ls", "--json"][..], &["log", "tail", "--json", "-n", "1000"], &["compare", &id, "--json"]];
    for arguments in answers {
        let done = install.regatta(arguments);
        assert!(!holds(&done.raw, CANARY) && !holds(done.err.as_bytes(), CANARY), "{arguments:?}");
    }
    let row = &install.view(&["secret", "ls"])["rows"][0];
    assert_eq!((&row["name"], &row["last_use"]["by"]), (&"openai".into(), &format!("{id}.a (agent)").into()));
}

#[test]
fn a_change_that_holds_a_secret_is_not_kept() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.write("regatta.toml", "[environment]\nAPI_KEY = { secret = \"openai\" }\n");
    install.commit("declare");
    piped(&install, &["secret", "set", "openai"], CANARY).exits(0).says("runs of");
    install.race(&["-a", "command=echo \"$API_KEY\" > leaked"], 1);
    let row = install.view(&["compare", "last"]);
    let failure = row["columns"][0]["collect_failure"].as_str().unwrap_or_default().to_owned();
    assert!(failure.contains("it holds the value of the secret `openai`"), "{row}");
    until("the sandbox is removed", || {
        fs::read_dir(install.data().join("sandboxes/local")).ok()?.next().is_none().then_some(())
    });
    assert_eq!(holding(&install.data(), CANARY), [""; 0].map(PathBuf::from));
}

#[test]
fn secrets_are_kept_listed_rotated_locked_and_removed() {
    let install = Install::new();
    piped(&install, &["secret", "set", "openai"], "").exits(2).says("standard input is empty");
    piped(&install, &["secret", "set", "not a name"], "value").exits(2).says("cannot be a secret's name");
    piped(&install, &["secret", "set", "openai", "--everywhere"], "first-value\n").exits(0).says("every repository");
    install.regatta(&["secret", "rotate"]).exits(0).says("sealed 1 again");
    piped(&install, &["secret", "rotate", "--passphrase"], "correct horse\n").exits(0).says("regatta secret unlock");
    install.regatta(&["down"]).exits(0);
    install.regatta(&["secret", "ls"]).exits(0).says("the vault is locked: regatta secret unlock");
    piped(&install, &["secret", "set", "npm"], "value").exits(3).says("the vault is locked");
    piped(&install, &["secret", "unlock"], "wrong horse\n").exits(3).says("that passphrase does not open the vault");
    piped(&install, &["secret", "unlock"], "correct horse\n").exits(0);
    piped(&install, &["secret", "set", "npm"], "value").exits(0);
    install.regatta(&["secret", "rm", "npm"]).exits(3).says("say so: --yes");
    install.regatta(&["secret", "rm", "npm", "--yes"]).exits(0).says("removed npm");
    install.regatta(&["secret", "rm", "npm", "--yes"]).exits(3).says("there is no secret");
    assert_eq!(install.view(&["secret", "ls"])["rows"].as_array().map(Vec::len), Some(1));
}
