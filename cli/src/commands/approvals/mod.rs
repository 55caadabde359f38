//! `regatta approvals`: what agents ask, and people's answers.

mod rules;

use regatta_core::event::approval::{Decision, PluginAsk};
use regatta_http::AnswersBody;
use regatta_http::requests::{AnswerRequest, AnswersRequest};
use regatta_projections::approvals::{ApprovalState, ApprovalView, ApprovalsView, EscalationView};

use super::{now_us, segment};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::numbers::{ago, counted, elapsed};
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
  regatta approvals answer a734 allow-once --all   # and the same question of the run's other attempts
  regatta approvals rules add builds allow --command 'make *' -m 'builds are harmless'
  regatta approvals ls --over                      # also what became of the latest ones")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(Ls),
    Answer(Answer),
    Rules(rules::Args),
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
    /// Also answer the identical question of other attempts of the same run
    #[arg(long)]
    all: bool,
    /// One line for people
    #[arg(long, short, default_value = "", hide_default_value = true)]
    message: String,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        None => list(context, &Ls::default()),
        Some(Command::Ls(args)) => list(context, &args),
        Some(Command::Answer(args)) if args.all => answer_all(context, args),
        Some(Command::Answer(args)) => answer(context, args),
        Some(Command::Rules(args)) => rules::run(context, args),
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
    let indented = |text: &str| escape::lines(text).replace('\n', "\n      ");
    match &question.plugin {
        None => lines.push(format!("    $ {}", indented(&question.command))),
        Some(PluginAsk { name, tool, about }) => {
            let name = name.as_deref().map_or_else(|| "a plugin".to_owned(), |name| format!("the plugin {name}"));
            let tool = tool.as_deref().map(|tool| format!(" with {tool}")).unwrap_or_default();
            lines.push(format!(
                "    {} wants{}: {}",
                escape::line(&name),
                escape::line(&tool),
                indented(&question.command)
            ));
            lines.push(format!("      {}", indented(about)));
        }
    }
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
    lines.extend(asked.escalated.iter().map(|EscalationView { to, failed }| match failed {
        None => format!("    {to} was told that it is about to expire"),
        Some(reason) => format!("    {to} could not be told that it is about to expire: {}", escape::line(reason)),
    }));
    match (asked.state, &asked.by, asked.decision) {
        (ApprovalState::Answering, Some(by), Some(decision)) => {
            lines.push(format!("    {} answers {decision}", escape::line(by)));
        }
        _ => {
            let offered: Vec<&str> = asked.decisions.iter().map(|decision| decision.as_str()).collect();
            lines.push(format!("    regatta approvals answer {} {}", short(asked), offered.join("|")));
            if !asked.siblings.is_empty() {
                let others = counted(asked.siblings.len() as u64, "other attempt");
                let them = if asked.siblings.len() == 1 { "it" } else { "them" };
                lines.push(format!("    {others} of the run asked the same: --all answers {them}, too"));
            }
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
    let question = asked.id.question();
    // What stands before a colon is the same for all of a kind.
    let before = question.rfind(':').map_or(0, |colon| colon + 1);
    format!("{}.{}", asked.gateway, question.chars().take(before + 8).collect::<String>())
}

fn over(rows: &[ApprovalView], terminal: &Terminal, now_us: u64) -> String {
    let mut shown = table(terminal);
    shown.set_header(["question", "command", "came to", "who", "why", "when"].map(|name| cell(name, Tone::Dim)));
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
            cell(row.note.as_deref().unwrap_or("-"), Tone::Plain),
            cell(row.settled_at_us.map_or_else(|| "-".to_owned(), |at_us| ago(at_us, now_us)), Tone::Plain),
        ]);
    }
    text(&shown)
}

fn answer(context: &Context, args: Answer) -> Outcome {
    let Answer { id, decision, message, .. } = args;
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

fn answer_all(context: &Context, args: Answer) -> Outcome {
    let Answer { id, decision, message, .. } = args;
    let client = context.client();
    let body: AnswersBody = block_on(async {
        let view: ApprovalsView = client.get("/approvals").await?;
        let begins =
            |asked: &&ApprovalView| asked.id.to_string().starts_with(&id) || asked.id.question().starts_with(&id);
        let found: Vec<&ApprovalView> = view.open.iter().filter(begins).collect();
        let same = |one: &ApprovalView, other: &ApprovalView| one.id == other.id || one.siblings.contains(&other.id);
        let Some(first) = found.first().filter(|first| found.iter().all(|asked| same(first, asked))) else {
            let message = if found.is_empty() { "there is no open question" } else { "several questions begin with" };
            return Err(
                Failure::usage(format!("{message} {id:?}")).hint("regatta approvals shows them; write more of the id")
            );
        };
        let approvals = [first.id.clone()].into_iter().chain(first.siblings.iter().cloned()).collect();
        client.command_answered("/approvals/answers", &AnswersRequest { approvals, decision, note: message }).await
    })?;
    let terminal = &context.terminal;
    let is_taken = body.rows.iter().all(|row| row.problem.is_none());
    if terminal.json {
        terminal.json(&body)?;
    } else {
        for row in &body.rows {
            let problem = row.problem.as_ref().map(|problem| format!("not taken: {}", escape::line(problem)));
            terminal.note(format!("{}  {}", row.approval, problem.unwrap_or_else(|| format!("answered {decision}"))));
        }
    }
    Ok(if is_taken { Exit::Done } else { Exit::Refused })
}
