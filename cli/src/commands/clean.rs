//! `regatta clean`: what finished attempts left goes into archives, comes back, or is forgotten.

use std::path::{Path, PathBuf};
use std::time::Duration;

use regatta_core::AttemptId;
use regatta_core::cleaning::Place;
use regatta_http::premises::DiskBody;
use regatta_http::requests::{CleanAnswer, CleanRow};
use regatta_projections::attempts::{AttemptView, CleaningView};
use serde_json::json;

use super::{Target, confirmed, disk, now_us};
use crate::client::Client;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::numbers::{bytes, counted};
use crate::terminal::{Terminal, escape};

/// Attempts asked for at once.
const AT_ONCE: usize = 200;
/// Between two looks at whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Move what finished attempts left into archives, to free disk; and put it back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What goes: patches and artifacts of attempts that neither won nor were delivered, in runs that are
over. Each attempt's are first written into an archive of its own, which is read back and checked;
only then they are removed, and what somebody else needs stays. Such an attempt can still be looked
at; to pick it, or to see its changes, put it back first.

An archive is in the data directory's `cleaned` folder unless --to names another one, best on
another disk. Any tar opens it: tar --zstd -tf FILE.

Examples:
  regatta clean --older-than 30d --dry-run
  regatta clean 7q2k9x0m zes9ew2x.b --to /mnt/elsewhere
  regatta clean --restore 7q2k9x0m.c
  regatta clean --forget --older-than 365d    the archives go, and nothing brings that back")]
pub(crate) struct Args {
    /// Only these runs and attempts
    #[arg(value_name = "RUN|ATTEMPT")]
    only: Vec<Target>,

    /// Only what ended longer ago, as 30d
    #[arg(long, value_name = "TIME", value_parser = disk::age)]
    older_than: Option<u64>,

    /// Write the archives into this folder, on the server's machine
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["restore", "forget"])]
    to: Option<PathBuf>,

    /// Put back what was cleaned
    #[arg(long, requires = "only", conflicts_with_all = ["forget", "older_than"])]
    restore: bool,

    /// Remove the archives of what was cleaned, for good
    #[arg(long)]
    forget: bool,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Clean,
    Restore,
    Forget,
}

impl Task {
    /// What the server calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Restore => "restore",
            Self::Forget => "forget",
        }
    }

    /// Where what an attempt left is once it is done.
    fn end(self) -> Place {
        match self {
            Self::Clean => Place::Archived,
            Self::Restore => Place::Here,
            Self::Forget => Place::Forgotten,
        }
    }
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let task = match (args.restore, args.forget) {
        (true, _) => Task::Restore,
        (_, true) => Task::Forget,
        (false, false) => Task::Clean,
    };
    let to = args.to.as_deref().map(|to| folder(context, to)).transpose()?;
    let client = context.client();
    let ask = |wish| disk::path(&args.only, args.older_than, 1_000, wish);
    let found: DiskBody = block_on(async {
        server::ensure(context).await?;
        client.get(&ask(Some(task.name()))).await
    })?;
    if found.left.rows.is_empty() {
        // With why the others stay.
        let all: DiskBody = block_on(client.get(&ask(None)))?;
        return nothing(&all, !args.only.is_empty(), task, &context.terminal);
    }
    let rows = &found.left.rows;
    let archives = to.as_deref().unwrap_or(&found.archives);
    if args.dry_run {
        return would(&found, task, archives, &context.terminal);
    }
    if !args.yes {
        let terminal = &context.terminal;
        terminal.note(disk::attempts(rows, terminal, now_us()));
        if !confirmed(&format!("{}?", plan(&found, task, archives)))? {
            terminal.note("nothing was done");
            return Ok(Exit::Refused);
        }
    }
    let attempts: Vec<AttemptId> = rows.iter().map(|row| row.attempt).collect();
    let (done, refused) = block_on(carry_out(&client, task, &attempts, to.as_deref()))?;
    let exit = report(task, &done, &refused, archives, &context.terminal)?;
    if found.left.rows_left_out > 0 {
        context.terminal.note("there are more than can be looked at once: run it again");
    }
    Ok(exit)
}

/// A folder as the server has to be told it.
fn folder(context: &Context, to: &Path) -> Result<String, Failure> {
    let absolute = if context.remote.is_none() { std::path::absolute(to)? } else { to.to_owned() };
    let text = absolute.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::usage(format!("{} is not UTF-8", to.display())).hint("name another folder"))
}

/// There is nothing to do: whoever named something is told why.
fn nothing(found: &DiskBody, is_named: bool, task: Task, terminal: &Terminal) -> Outcome {
    let what = match task {
        Task::Clean => "nothing to clean",
        Task::Restore => "nothing to put back",
        Task::Forget => "no archive to remove",
    };
    if terminal.json {
        terminal.json(&json!({ "attempts": [], "rows": found.left.rows }))?;
    } else if is_named && !found.left.rows.is_empty() {
        terminal.out(disk::attempts(&found.left.rows, terminal, now_us()))?;
    }
    if is_named {
        return Err(Failure::new(Exit::Refused, what).hint("regatta disk shows what takes room, and why it stays"));
    }
    terminal.note(format!("{what}: regatta disk shows what takes room, and why it stays"));
    Ok(Exit::Done)
}

fn would(found: &DiskBody, task: Task, archives: &str, terminal: &Terminal) -> Outcome {
    let rows = &found.left.rows;
    if terminal.json {
        terminal.json(&json!({ "dry_run": true, "rows": rows, "may_go": found.left.may_go, "archives": archives }))?;
        return Ok(Exit::Done);
    }
    let table = disk::attempts(rows, terminal, now_us());
    terminal.out(format!("{table}\n\nwould {}", plan(found, task, archives)))?;
    Ok(Exit::Done)
}

/// What is to be done, as the end of a sentence.
fn plan(found: &DiskBody, task: Task, archives: &str) -> String {
    let count = counted(found.left.rows.len() as u64, "attempt");
    match task {
        Task::Clean => {
            let part = if found.left.rows_left_out > 0 { "some of " } else { "" };
            let freed = format!("{part}{}", bytes(found.left.may_go.bytes));
            format!("clean {count}: an archive of each goes to {}, then {freed} are freed", escape::line(archives))
        }
        Task::Restore => format!("put back what {count} left, and remove the archives"),
        Task::Forget => format!("remove the archives of {count} for good: what they left cannot be had back"),
    }
}

/// Asks for it, and waits until it is done.
async fn carry_out(
    client: &Client,
    task: Task,
    attempts: &[AttemptId],
    to: Option<&str>,
) -> Result<(Vec<(AttemptId, CleaningView)>, Vec<CleanRow>), Failure> {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for some in attempts.chunks(AT_ONCE) {
        let mut body = json!({ "attempts": some });
        if let (Some(to), Some(fields)) = (to, body.as_object_mut()) {
            fields.insert("to".to_owned(), to.into());
        }
        let answer: CleanAnswer = client.command_answered(&format!("/disk/{}", task.name()), &body).await?;
        for row in answer.rows {
            if row.refused.is_some() {
                refused.push(row);
                continue;
            }
            if let Some(view) = wait(client, row.attempt).await? {
                done.push((row.attempt, view));
            }
        }
    }
    Ok((done, refused))
}

async fn wait(client: &Client, attempt: AttemptId) -> Result<Option<CleaningView>, Failure> {
    loop {
        let view: AttemptView = client.get(&format!("/attempts/{attempt}")).await?;
        match view.cleaning {
            Some(cleaning) if cleaning.place.is_moving() => tokio::time::sleep(LOOK_EVERY).await,
            cleaning => return Ok(cleaning),
        }
    }
}

fn report(
    task: Task,
    done: &[(AttemptId, CleaningView)],
    refused: &[CleanRow],
    archives: &str,
    terminal: &Terminal,
) -> Outcome {
    let failed: Vec<_> = done.iter().filter(|(_, view)| view.place != task.end()).collect();
    let exit = match (failed.is_empty(), refused.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) => Exit::Refused,
        (true, true) => Exit::Done,
    };
    if terminal.json {
        let rows = done.iter().map(|(attempt, view)| json!({ "attempt": attempt, "cleaning": view }));
        let rows: Vec<_> = rows.collect();
        terminal.json(&json!({ "attempts": rows, "refused": refused }))?;
        return Ok(exit);
    }
    let well = done.iter().filter(|(_, view)| view.place == task.end());
    let (mut count, mut freed, mut packed) = (0, 0, 0);
    for (_, view) in well {
        count += 1;
        freed += view.removed_bytes;
        packed += view.archive.as_ref().map_or(0, |archive| archive.bytes);
    }
    let attempts = counted(count, "attempt");
    terminal.note(match task {
        Task::Clean => format!(
            "cleaned {attempts}: {} removed; the archives, {}, are in {}",
            bytes(freed),
            bytes(packed),
            escape::line(archives)
        ),
        Task::Restore => format!("what {attempts} left is back, each byte checked"),
        Task::Forget => format!("the archives of {attempts} are gone for good"),
    });
    for (attempt, view) in failed {
        let reason = view.failure.as_deref().unwrap_or("somebody else wished otherwise meanwhile");
        terminal.note(format!("{attempt} stays as it was: {}", escape::line(reason)));
    }
    for row in refused {
        let reason = row.refused.as_deref().unwrap_or_default();
        terminal.note(format!("{}: {}", row.attempt, escape::line(reason)));
    }
    Ok(exit)
}
