//! The keyring of a desktop session (the Secret Service), through its own program `secret-tool`: a place for the vault's key
//! that is open only while its person is signed in. The key goes through pipes, never through an argument list or a file.
//! Knows nothing of what it opens.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::VaultError;
use super::key::MasterKey;

/// The program; part of libsecret.
const PROGRAM: &str = "secret-tool";
/// What a person sees of our entries in their keyring.
const LABEL: &str = "Regatta: key of the vault";
/// What our entries are found by, besides the key's id.
const SERVICE: [&str; 3] = ["service", "regatta", "key"];
/// How long it may take; a keyring that is locked asks its person meanwhile.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of an answer that are read; a key is one short line.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// The key of that id; nothing when the keyring has none.
pub(super) fn get(id: &str) -> Result<Option<MasterKey>, VaultError> {
    match ask("lookup", &[], id, "")? {
        Said::Yes(text) => Ok(MasterKey::from_text(&text)),
        Said::No => Ok(None),
    }
}

/// Keeps a key; it is there when this returns.
pub(super) fn put(key: &MasterKey) -> Result<(), VaultError> {
    let (id, text) = (key.id(), key.to_text());
    ask("store", &["--label", LABEL], &id, text.trim_end())?;
    match get(&id)? {
        Some(kept) if kept.id() == id => Ok(()),
        Some(_) | None => Err(VaultError::Keyring("it does not give back what it was given".to_owned())),
    }
}

/// Removes a key; one that is gone is fine.
pub(super) fn remove(id: &str) -> Result<(), VaultError> {
    ask("clear", &[], id, "").map(drop)
}

enum Said {
    Yes(Zeroizing<String>),
    No,
}

fn ask(verb: &str, options: &[&str], id: &str, input: &str) -> Result<Said, VaultError> {
    let failed = |why: String| VaultError::Keyring(why);
    let mut command = Command::new(PROGRAM);
    command.arg(verb).args(options).args(SERVICE).arg(id);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        let is_missing = error.kind() == std::io::ErrorKind::NotFound;
        let install = if is_missing { "; apt install libsecret-tools" } else { "" };
        failed(format!("{PROGRAM} cannot be started: {error}{install}"))
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not want it says why when it ends.
        stdin.write_all(input.as_bytes()).ok();
    }
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < ANSWER_MAX => std::thread::sleep(LOOK),
            Ok(None) => {
                child.kill().and_then(|()| child.wait()).ok();
                return Err(failed(format!(
                    "no answer within {} s; is it waiting to be unlocked?",
                    ANSWER_MAX.as_secs()
                )));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    };
    // Both are shorter than what a pipe holds, so that it could end before they were read.
    let (mut out, mut told) = (Zeroizing::new(String::new()), String::new());
    let read = child.stdout.take().map_or(Ok(0), |from| from.take(ANSWER_BYTES_MAX).read_to_string(&mut out));
    read.map_err(|error| failed(error.to_string()))?;
    child.stderr.take().map_or(Ok(0), |from| from.take(ANSWER_BYTES_MAX).read_to_string(&mut told)).ok();
    match (status.success(), told.trim()) {
        (true, _) => Ok(Said::Yes(out)),
        // It has nothing to say when there is nothing to be found.
        (false, "") => Ok(Said::No),
        (false, told) => Err(failed(told.lines().next_back().unwrap_or_default().to_owned())),
    }
}
