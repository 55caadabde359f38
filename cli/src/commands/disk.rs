//! `regatta disk`: what takes the room, and what of it may go.

use std::fmt::Write as _;

use regatta_core::cleaning::Place;
use regatta_http::premises::{DiskBody, DiskSort};
use regatta_projections::disk::{LeftRow, LeftView};

use super::{Target, now_us};
use crate::config::duration_ms;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::server;
use crate::terminal::numbers::{ago, bytes, counted};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// Show what takes the disk, attempt by attempt, and what of it may go
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Bytes that several attempts left are counted once. What an attempt left may go when its run is over
and it neither won nor was delivered; what others need as well stays. `regatta clean` moves it into
archives.

Examples:
  regatta disk
  regatta disk last --older-than 30d
  regatta disk --json | jq .left.may_go")]
pub(crate) struct Args {
    /// Only these runs and attempts
    #[arg(value_name = "RUN|ATTEMPT")]
    only: Vec<Target>,

    /// As if only what ended longer ago might go, as 30d
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<u64>,

    /// Attempts shown at most, those that take most first
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
}

pub(super) fn age(text: &str) -> Result<u64, String> {
    duration_ms(text).ok_or_else(|| "a time, as 30d or 12h".to_owned())
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let path = path(&args.only, args.older_than, args.limit, None);
    let disk: DiskBody = block_on(async {
        server::ensure(context).await?;
        context.client().get(&path).await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&disk)?;
    } else {
        terminal.out(render(&disk, terminal, now_us()))?;
    }
    Ok(Exit::Done)
}

/// Where the server tells of the disk; with a wish, of those to whom it can be done.
pub(super) fn path(only: &[Target], older_than: Option<u64>, limit: u16, wish: Option<&str>) -> String {
    let mut path = format!("/disk?limit={limit}");
    let names: Vec<String> = only.iter().map(ToString::to_string).collect();
    if !names.is_empty() {
        // Writing to a String cannot fail.
        write!(path, "&only={}", names.join(",")).ok();
    }
    if let Some(older_than) = older_than {
        write!(path, "&older_than_ms={older_than}").ok();
    }
    if let Some(wish) = wish {
        write!(path, "&for={wish}").ok();
    }
    path
}

fn render(disk: &DiskBody, terminal: &Terminal, now_us: u64) -> String {
    let all = disk.parts.iter().map(|part| part.bytes).sum();
    let mut shown = format!(
        "{} in {}; {} of the {} of its disk are free",
        bytes(all),
        escape::line(&disk.folder),
        bytes(disk.free_bytes),
        bytes(disk.total_bytes)
    );
    let mut parts = table(terminal);
    parts.set_header(["what", "size", ""].map(|name| cell(name, Tone::Dim)));
    for part in &disk.parts {
        let (name, about) = told(part.sort);
        parts.add_row([cell(name, Tone::Strong), cell(bytes(part.bytes), Tone::Plain), cell(about, Tone::Dim)]);
    }
    // Writing to a String cannot fail.
    write!(shown, "\n\n{}", text(&parts)).ok();
    let LeftView { rows, rows_left_out, may_go, cleaned, .. } = &disk.left;
    if !rows.is_empty() {
        write!(shown, "\n\n{}", attempts(rows, terminal, now_us)).ok();
    }
    if *rows_left_out > 0 {
        write!(shown, "\n… and {}: --limit shows more", counted(*rows_left_out, "attempt")).ok();
    }
    if may_go.attempts == 0 {
        shown.push_str("\n\nnothing that attempts left may go");
    } else {
        let (go, freed) = (counted(may_go.attempts, "attempt"), bytes(may_go.bytes));
        write!(shown, "\n\nwhat {go} left may go and frees {freed}: regatta clean").ok();
    }
    if cleaned.attempts > 0 {
        let archives = counted(cleaned.attempts, "archive");
        let takes = bytes(cleaned.bytes);
        write!(shown, "\n{archives} of what was cleaned, {takes}: regatta clean --restore ATTEMPT, or --forget").ok();
    }
    shown
}

/// What a part is called, and what can be done about it.
fn told(sort: DiskSort) -> (&'static str, &'static str) {
    match sort {
        DiskSort::Log => ("log", "events; regatta log prune removes old ones"),
        DiskSort::Index => ("index", "rebuilt from the log when it is lost"),
        DiskSort::Patches => ("patches", "what attempts changed"),
        DiskSort::Artifacts => ("artifacts", "what they left besides"),
        DiskSort::Prompts => ("prompts", "long ones; they stay with their runs"),
        DiskSort::Unnamed => ("other blobs", "of archived runs, or kept just before a crash"),
        DiskSort::Archives => ("archives", "of what was cleaned"),
        DiskSort::Workspaces => ("workspaces", "removed when their attempts are over"),
        DiskSort::Mirrors => ("mirrors", "of repositories; packs linked from there free nothing"),
        DiskSort::Seeds => ("seeds", "work trees to copy; made again when they are missing"),
        DiskSort::Other => ("other", ""),
    }
}

/// Attempts with what they left, one a line.
pub(super) fn attempts<'a>(rows: impl IntoIterator<Item = &'a LeftRow>, terminal: &Terminal, now_us: u64) -> String {
    let mut shown = table(terminal);
    shown.set_header(
        ["attempt", "ended", "patch", "artifacts", "workspace", "frees", ""].map(|name| cell(name, Tone::Dim)),
    );
    let size = |size: u64| cell(if size == 0 { "-".to_owned() } else { bytes(size) }, Tone::Plain);
    for row in rows {
        let (what, tone) = stands(row);
        shown.add_row([
            cell(row.attempt.to_string(), Tone::Strong),
            cell(row.ended_at_us.map_or_else(|| "-".to_owned(), |at_us| ago(at_us, now_us)), Tone::Plain),
            size(row.patch_bytes),
            size(row.artifacts_bytes),
            size(row.workspace_bytes),
            size(if row.stays.is_none() { row.alone_bytes } else { 0 }),
            cell(what, tone),
        ]);
    }
    text(&shown)
}

/// Whether it may go, and why not.
fn stands(row: &LeftRow) -> (String, Tone) {
    let failed = row.failure.as_ref().map(|reason| format!("; failed: {reason}")).unwrap_or_default();
    let (what, tone) = match (row.place, &row.stays, &row.archive) {
        (Place::Archived, _, Some(archive)) => {
            (format!("cleaned: {}, {}", archive.path, bytes(archive.bytes)), Tone::Busy)
        }
        (Place::Archiving | Place::Removing, ..) => ("being cleaned".to_owned(), Tone::Busy),
        (Place::Returning, ..) => ("being put back".to_owned(), Tone::Busy),
        (Place::Forgetting, ..) => ("its archive is being removed".to_owned(), Tone::Busy),
        (Place::Forgotten, ..) => ("gone for good".to_owned(), Tone::Dim),
        (Place::Here | Place::Archived, Some(reason), _) => (format!("stays: {reason}"), Tone::Plain),
        (Place::Here | Place::Archived, None, _) => ("may go".to_owned(), Tone::Good),
    };
    let tone = if failed.is_empty() { tone } else { Tone::Bad };
    (format!("{what}{failed}"), tone)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(slot: &str, bytes: u64, place: &str, stays: Option<&str>) -> serde_json::Value {
        json!({
            "attempt": format!("7q2k9x0m.{slot}"), "title": "fix", "ended_at_us": 1_000_000, "patch_bytes": bytes,
            "artifacts_bytes": 4 * bytes, "workspace_bytes": 0, "alone_bytes": bytes, "place": place, "stays": stays,
            "archive": null, "failure": null,
        })
    }

    #[test]
    fn what_takes_room_and_what_may_go_is_told() {
        let mut cleaned = row("d", 4_096, "archived", Some("it was cleaned already"));
        cleaned["archive"] = json!({ "path": "cleaned/7q2k9x0m.d.tar.zst", "bytes": 2_048, "blake3": "ab" });
        let mut failed = row("e", 100, "here", None);
        failed["failure"] = json!("the folder \u{1b}[2Jis gone");
        let part = |sort: &str, bytes: u64| json!({ "sort": sort, "bytes": bytes });
        let disk = json!({
            "folder": "/home/ada/regatta", "total_bytes": 100_u64 << 30, "free_bytes": 41_u64 << 30,
            "parts": [part("log", 3 << 30), part("artifacts", 200 << 20), part("archives", 2_048)],
            "archives": "/home/ada/regatta/cleaned",
            "left": {
                "rows": [
                    row("a", 9 << 20, "here", Some("it won")), row("b", 8 << 20, "here", None),
                    row("c", 7 << 20, "removing", Some("it is being worked on")), cleaned, failed,
                ],
                "rows_left_out": 12, "may_go": { "attempts": 2, "bytes": 8 << 20 },
                "cleaned": { "attempts": 1, "bytes": 2_048 },
                "patches_bytes": 1, "artifacts_bytes": 1, "prompts_bytes": 0,
            },
        });
        let disk: DiskBody = serde_json::from_value(disk).expect("a body");
        let now_us = 3 * 86_400 * 1_000_000;
        let shown = render(&disk, &Terminal::plain(120), now_us);
        let empty = DiskBody { parts: vec![], left: LeftView::default(), ..disk };
        insta::assert_snapshot!(format!("{shown}\n\n---\n\n{}", render(&empty, &Terminal::plain(120), now_us)));
    }
}
