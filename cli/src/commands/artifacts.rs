//! `regatta artifacts`: what an attempt left besides its change.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use http_body_util::BodyExt as _;
use regatta_http::works::{ArtifactRow, ArtifactsBody};

use super::{AttemptRef, segment};
use crate::client::Client;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::escape::Decoder;
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape, numbers};

/// List what an attempt left besides its change, or get one of these files
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A command leaves artifacts by writing files into $REGATTA_ARTIFACTS. `regatta run --artifact PATH`
and run.artifacts in regatta.toml name files of the workspace to keep, too.

Examples:
  regatta artifacts last.a
  regatta artifacts last.a report.html -o report.html
  regatta artifacts last.a check-0/junit.xml | xmllint --format -")]
pub(crate) struct Args {
    /// An attempt
    #[arg(value_name = "RUN.LETTER")]
    attempt: AttemptRef,

    /// One of its artifacts: its name, or the end of it when no other ends like that
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Write it to this file, which must not be there yet
    #[arg(long, short, value_name = "FILE", requires = "name")]
    output: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let (terminal, client) = (&context.terminal, context.client());
    block_on(async {
        let attempt = &args.attempt;
        let left: ArtifactsBody = client.get(&format!("/attempts/{attempt}/artifacts")).await?;
        let Some(name) = &args.name else { return list(&left, attempt, terminal) };
        let row = find(&left, name, attempt)?;
        let path: Vec<String> = row.name.split('/').map(segment).collect();
        let path = format!("/attempts/{attempt}/artifacts/{}", path.join("/"));
        match &args.output {
            Some(file) => save(&client, &path, row, file, terminal).await,
            None => print(&client, &path, terminal).await,
        }
    })?;
    Ok(Exit::Done)
}

/// The artifact of that name, or the only one whose name ends like that.
fn find<'a>(left: &'a ArtifactsBody, name: &str, attempt: &AttemptRef) -> Result<&'a ArtifactRow, Failure> {
    if let Some(row) = left.rows.iter().find(|row| row.name == name) {
        return Ok(row);
    }
    let ending = format!("/{name}");
    let like: Vec<&ArtifactRow> = left.rows.iter().filter(|row| row.name.ends_with(&ending)).collect();
    match like.as_slice() {
        [row] => Ok(row),
        [] => Err(Failure::new(Exit::Refused, format!("{attempt} left no artifact {name:?}"))
            .hint(format!("see what there is: regatta artifacts {attempt}"))),
        [first, second, ..] => {
            let message = format!("several artifacts of {attempt} end like that");
            Err(Failure::usage(message).hint(format!("say which: {} or {}", first.name, second.name)))
        }
    }
}

fn list(left: &ArtifactsBody, attempt: &AttemptRef, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.json(left);
    }
    if left.rows.is_empty() {
        terminal.note("it left nothing besides its change; files in $REGATTA_ARTIFACTS are kept");
    } else {
        let mut table = table(terminal);
        table.set_header([cell("artifact", Tone::Dim), cell("size", Tone::Dim), cell("mode", Tone::Dim)]);
        for row in &left.rows {
            let size = numbers::bytes(row.bytes);
            table.add_row([cell(&row.name, Tone::Plain), cell(size, Tone::Plain), cell(&row.mode, Tone::Dim)]);
        }
        terminal.out(text(&table))?;
        if let Some(first) = left.rows.first() {
            terminal.note(format!("get one: regatta artifacts {attempt} '{}' -o FILE", escape::line(&first.name)));
        }
    }
    for omitted in &left.omitted {
        terminal.note(format!("not kept: {}: {}", escape::line(&omitted.name), escape::line(&omitted.reason)));
    }
    let unlisted = left.omitted_count.saturating_sub(left.omitted.len() as u64);
    if unlisted > 0 {
        terminal.note(format!("not kept: {} more", numbers::counted(unlisted, "file")));
    }
    for failure in &left.failures {
        terminal.note(escape::line(failure));
    }
    Ok(())
}

async fn save(client: &Client, path: &str, row: &ArtifactRow, file: &Path, terminal: &Terminal) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::caused(format!("{} cannot be written", file.display()), &error).hint("name another file with -o")
    };
    // Never over something, and never through a link.
    let mut target = File::options().write(true).create_new(true).open(file).map_err(failed)?;
    let mut body = client.get_bytes(path).await?.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::caused("the server hung up", &error))?;
        target.write_all(&frame.into_data().unwrap_or_default()).map_err(failed)?;
    }
    let told = format!("{}, {}", file.display(), numbers::bytes(row.bytes));
    terminal.done(told, &serde_json::json!({ "file": file, "artifact": row }))
}

/// Its bytes to standard output: as they are for a program, harmless for a terminal.
async fn print(client: &Client, path: &str, terminal: &Terminal) -> Result<(), Failure> {
    let mut decoder = Decoder::default();
    let mut body = client.get_bytes(path).await?.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::caused("the server hung up", &error))?;
        let bytes = frame.into_data().unwrap_or_default();
        if terminal.is_terminal {
            terminal.bytes(decoder.push(&bytes).as_bytes())?;
        } else {
            terminal.bytes(&bytes)?;
        }
    }
    terminal.bytes(decoder.finish().as_bytes())
}
