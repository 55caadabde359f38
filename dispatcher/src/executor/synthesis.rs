//! An attempt that was put together of others: its change is applied in its sandbox where an agent would run, and what
//! it is made of stands in its commit's message.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regatta_core::event::run::{Entry, SynthesisRequested};
use regatta_sandboxes::{Exec, InboxFile, Secrets};

use super::{Job, World, chain};

/// The file of the inbox that holds the change.
const PATCH_FILE: &str = "synthesis.patch";

/// The change, for the inbox of its sandbox.
pub(super) async fn inbox(world: &World, synthesis: &SynthesisRequested) -> Result<InboxFile, String> {
    let (blobs, hash) = (world.blobs.clone(), synthesis.patch.hash.clone());
    let read = tokio::task::spawn_blocking(move || blobs.get(&hash)).await;
    let content = read.map_err(|error| error.to_string())?.map_err(|error| chain(&error))?;
    Ok(InboxFile { name: PATCH_FILE.to_owned(), content })
}

/// The command that applies it.
pub(super) fn exec(name: String, inbox: &str, timeout_ms: u64, output_bytes_max: u64) -> Exec {
    let patch = format!("{inbox}/{PATCH_FILE}");
    let argv =
        ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "apply", "--verbose", "--binary"];
    let argv = argv.into_iter().chain(["--whitespace=nowarn", &patch]).map(str::to_owned).collect();
    let env = [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("LC_ALL", "C")];
    let env: BTreeMap<String, String> =
        env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Exec { name, argv, env, env_pass: vec![], secrets: Secrets::default(), timeout_ms, output_bytes_max }
}

/// Every hunk with whose it is, for the commit's message.
pub(super) fn credits(job: &Job, synthesis: &SynthesisRequested) -> String {
    let mut text = format!("{}\n\nPut together of:\n", synthesis.reason);
    for hunk in &synthesis.hunks {
        let who = job.entry(hunk.slot).map_or_else(String::new, |entry| format!("  ({})", who(entry)));
        let slot = hunk.slot.to_string().to_uppercase();
        // Line ends in a path would end the line. Writing to a String cannot fail.
        writeln!(text, "{slot} {} {}{who}", hunk.path.replace(char::is_control, "?"), hunk.header).ok();
    }
    text
}

/// Agent and model.
pub(super) fn who(entry: &Entry) -> String {
    entry.model.as_ref().map_or(entry.agent.clone(), |model| format!("{} ({model})", entry.agent))
}
