//! `regatta approvals`: what agents ask, and people's answers.

use regatta_core::event::approval::Decision;
use regatta_http::requests::AnswerRequest;
use regatta_projections::approvals::{ApprovalState, ApprovalView, ApprovalsView};

use super::{now_us, segment};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::server;
use crate::terminal::numbers::{ago, elapsed};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// Answer what agents of gateways ask: may this command be run?
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An agent waits until somebody answers or the time is over; then the command is not run. The first answer wins.

Examples:
  regatta approvals                                # what is open, the longest waiting first
  regatta approvals answer a734 allow-once         # the beginning of an id is enough
  regatta approvals answer main.a734 deny -m 'use the test database'
  regatta approvals ls --over                      # also what became of the latest ones")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(Ls),
    Answer(Answer),
}

/// List what is open, the longest waiting first
#[derive(Debug, Default, clap::Args)]
struct Ls {
    /// Also the latest of those that are over: who answered, what and when
    #[arg(long)]
    over: bool,
    /// As it was at an event's number or a time
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,
}

/// Answer a question; only what is offered is taken
#[derive(Debug, clap::Args)]
struct Answer {
    /// Its id, or the beginning of one
    id: String,
    /// allow-once, allow-always or deny
    decision: Decision,
    /// One line for people
    #[arg(long, short, default_value = "", hide_default_value = true)]
    message: String,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        None => list(context, &Ls::default()),
        Some(Command::Ls(args)) => list(context, &args),
        Some(Command::Answer(args)) => answer(context, args),
    }
}

fn list(context: &Context, args: &Ls) -> Outcome {
    let view: ApprovalsView = block_on(async {
        server::ensure(context).await?;
        let client = context.client();
        let as_of = super::as_of(&client, args.as_of.as_deref()).await?;
        let separator = if as_of.is_empty() { "?" } else { "&" };
        let over = if args.over { format!("{separator}over=true") } else { String::new() };
        client.get(&format!("/approvals{as_of}{over}")).await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&view)?;
        return Ok(Exit::Done);
    }
    if view.open.is_empty() {
        terminal.note("nobody asks anything");
    }
    let now_us = now_us();
    for asked in &view.open {
        terminal.out(open(asked, terminal, now_us))?;
    }
    if !view.over.is_empty() {
        terminal.out(over(&view.over, terminal, now_us))?;
    }
    Ok(Exit::Done)
}

/// An open question: what a person needs to answer it.
fn open(asked: &ApprovalView, terminal: &Terminal, now_us: u64) -> String {
    let question = &asked.question;
    let left_ms = asked.expires_at_us.saturating_sub(now_us) / 1_000;
    let left = if left_ms == 0 { "its time is over".to_owned() } else { format!("{} left", elapsed(left_ms)) };
    let who = question.agent.as_deref().unwrap_or("an agent");
    let mut lines = vec![format!(
        "{}  {} of {} asked {}, {left}",
        terminal.paint.strong(asked.id.to_string()),
        escape::line(who),
        asked.gateway,
        ago(asked.asked_at_us, now_us)
    )];
    lines.push(format!("    $ {}", escape::lines(&question.command).replace('\n', "\n      ")));
    let argv = (question.argv.len() > 1).then(|| format!("words: {}", words(&question.argv)));
    let cwd = question.cwd.as_deref().map(|cwd| format!("in {cwd}"));
    let program = question.program.as_deref().map(|program| format!("runs {program}"));
    lines.extend(argv.into_iter().chain(cwd).chain(program).map(|line| format!("    {}", escape::line(&line))));
    lines.extend(
        question.warnings.iter().map(|warning| format!("    ! {}", terminal.paint.warn(escape::line(warning)))),
    );
    if let Some(reason) = &asked.reason {
        lines.push(format!("    an answer did not arrive: {}", escape::line(reason)));
    }
    match (asked.state, &asked.by, asked.decision) {
        (ApprovalState::Answering, Some(by), Some(decision)) => {
            lines.push(format!("    {} answers {decision}", escape::line(by)));
        }
        _ => {
            let offered: Vec<&str> = asked.decisions.iter().map(|decision| decision.as_str()).collect();
            lines.push(format!("    regatta approvals answer {} {}", short(asked), offered.join("|")));
        }
    }
    lines.join("\n")
}

/// Words as a shell would take them apart.
fn words(argv: &[String]) -> String {
    let quoted = |word: &String| format!("{word:?}");
    argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// As much of an id as a person types.
fn short(asked: &ApprovalView) -> String {
    let question: String = asked.id.question().chars().take(8).collect();
    format!("{}.{question}", asked.gateway)
}

fn over(rows: &[ApprovalView], terminal: &Terminal, now_us: u64) -> String {
    let mut shown = table(terminal);
    shown.set_header(["question", "command", "came to", "who", "when"].map(|name| cell(name, Tone::Dim)));
    for row in rows {
        let (word, tone) = match (row.state, row.decision) {
            (ApprovalState::Expired, _) => ("expired".to_owned(), Tone::Warn),
            (ApprovalState::Cancelled, _) => (format!("cancelled: {}", row.reason.as_deref().unwrap_or("")), Tone::Dim),
            (_, Some(decision @ Decision::Deny)) => (decision.to_string(), Tone::Bad),
            (_, Some(decision)) => (decision.to_string(), Tone::Good),
            (_, None) => ("open".to_owned(), Tone::Plain),
        };
        let by = row.by.as_deref().map_or("-", |by| by.strip_prefix("user:").unwrap_or(by));
        shown.add_row([
            cell(short(row), Tone::Strong),
            cell(row.question.command.chars().take(60).collect::<String>(), Tone::Plain),
            cell(word, tone),
            cell(by, Tone::Plain),
            cell(row.settled_at_us.map_or_else(|| "-".to_owned(), |at_us| ago(at_us, now_us)), Tone::Plain),
        ]);
    }
    text(&shown)
}

fn answer(context: &Context, args: Answer) -> Outcome {
    let Answer { id, decision, message } = args;
    let path = format!("/approvals/{}/answer", segment(&id));
    let request = AnswerRequest { decision, note: message };
    let view: ApprovalView = block_on(context.client().command_answered(&path, &request))?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&view)?;
        return Ok(Exit::Done);
    }
    let command: String = view.question.command.chars().take(100).collect();
    terminal.note(format!("answered {decision}: {}", escape::line(&command)));
    Ok(Exit::Done)
}
