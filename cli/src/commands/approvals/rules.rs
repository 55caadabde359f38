//! `regatta approvals rules`: answers in advance.

use regatta_core::event::rule::{KnownRule, Rule, RuleAnswer, RuleScope};
use regatta_core::{GatewayName, RuleName, RunId};
use regatta_http::requests::PreviewRequest;
use regatta_http::{RulePreview, RulesBody};
use serde_json::json;

use super::over;
use crate::commands::{now_us, segment};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::server;
use crate::terminal::Terminal;
use crate::terminal::numbers::{ago, counted};
use crate::terminal::table::{Tone, cell, table, text};

/// Answer in advance: which commands agents may run without asking, and which never
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What a rule answers is recorded with its name and why. A rule that denies goes before one that
allows; of each sort the oldest that fits answers. None answers what is not offered, nor what a
plugin asks, nor ever allow-always. Admins add and remove rules.

Everything a rule names must be so: the command, the folder, the agent, the gateway, the run.
To allow, a pattern is compared word by word: * stands for any characters of a word, and alone for
any words. A command a shell would do more with (; & | > $ quotes) fits none but its own text, and
what the gateway warns of is always asked. To deny, * stands for any characters of the line.

Examples:
  regatta approvals rules                                        # those there are, the oldest first
  regatta approvals rules preview allow --command 'make *'       # what it would have answered
  regatta approvals rules add builds allow --command 'make *' --cwd '/work/**' -m 'harmless'
  regatta approvals rules add no-force deny --command '*push*--force*' -m 'nobody rewrites history'
  regatta approvals rules rm builds")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(Ls),
    Add(Add),
    Rm(Rm),
    Preview(Preview),
}

/// List the rules, the oldest first
#[derive(Debug, clap::Args)]
struct Ls {}

/// Add a rule; it answers from now on, and what is open now
#[derive(Debug, clap::Args)]
struct Add {
    /// What it is to be called: a-z, 0-9 and -
    name: RuleName,
    #[command(flatten)]
    about: About,
    /// Why, for whoever sees its answers
    #[arg(long, short)]
    message: String,
}

/// Remove a rule; what it answered stays answered
#[derive(Debug, clap::Args)]
struct Rm {
    /// Which
    name: RuleName,
}

/// Show which open and past questions a rule would have answered
#[derive(Debug, clap::Args)]
struct Preview {
    #[command(flatten)]
    about: About,
}

// What a rule answers, and to which questions. No doc: it would be taken for that of the commands it is part of.
#[derive(Debug, clap::Args)]
struct About {
    /// allow or deny
    #[arg(value_parser = answer)]
    answer: RuleAnswer,
    /// For a command like this
    #[arg(long, value_name = "PATTERN")]
    command: Option<String>,
    /// In a folder like this; ** stands for any folders
    #[arg(long, value_name = "PATTERN")]
    cwd: Option<String>,
    /// Of this agent
    #[arg(long)]
    agent: Option<String>,
    /// Of this gateway
    #[arg(long)]
    gateway: Option<GatewayName>,
    /// By attempts of this run
    #[arg(long)]
    run: Option<RunId>,
}

fn answer(text: &str) -> Result<RuleAnswer, String> {
    match text {
        "allow" => Ok(RuleAnswer::Allow),
        "deny" => Ok(RuleAnswer::Deny),
        _ => Err(format!("{text:?} is no answer of a rule: allow or deny")),
    }
}

fn word(answer: RuleAnswer) -> (&'static str, Tone) {
    match answer {
        RuleAnswer::Allow => ("allow", Tone::Good),
        RuleAnswer::Deny => ("deny", Tone::Bad),
    }
}

impl About {
    fn parts(self) -> (RuleAnswer, RuleScope) {
        let Self { answer, command, cwd, agent, gateway, run } = self;
        (answer, RuleScope { agent, gateway, cwd, command, run })
    }
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        None | Some(Command::Ls(Ls {})) => list(context),
        Some(Command::Add(args)) => add(context, args),
        Some(Command::Rm(args)) => remove(context, &args),
        Some(Command::Preview(args)) => preview(context, args),
    }
}

fn list(context: &Context) -> Outcome {
    let body: RulesBody = block_on(async {
        server::ensure(context).await?;
        context.client().get("/approvals/rules").await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&body)?;
    } else if body.rows.is_empty() {
        terminal.note("no rules; people answer everything. regatta approvals rules --help shows how to add one");
    } else {
        terminal.out(render(&body.rows, terminal, now_us()))?;
    }
    Ok(Exit::Done)
}

fn render(rows: &[KnownRule], terminal: &Terminal, now_us: u64) -> String {
    let mut shown = table(terminal);
    shown.set_header(["rule", "answer", "to", "why", "by", "added"].map(|name| cell(name, Tone::Dim)));
    for KnownRule { rule, added_at_us, added_by } in rows {
        let (answer, tone) = word(rule.answer);
        shown.add_row([
            cell(rule.name.to_string(), Tone::Strong),
            cell(answer, tone),
            cell(scope(&rule.scope), Tone::Plain),
            cell(&rule.reason, Tone::Plain),
            cell(added_by.strip_prefix("user:").unwrap_or(added_by), Tone::Plain),
            cell(ago(*added_at_us, now_us), Tone::Plain),
        ]);
    }
    text(&shown)
}

/// What a rule is about, in words.
fn scope(scope: &RuleScope) -> String {
    let RuleScope { agent, gateway, cwd, command, run } = scope;
    let parts = [
        command.clone(),
        cwd.as_ref().map(|cwd| format!("in {cwd}")),
        agent.as_ref().map(|agent| format!("of agent {agent}")),
        gateway.as_ref().map(|gateway| format!("at {gateway}")),
        run.map(|run| format!("of run {run}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn add(context: &Context, args: Add) -> Outcome {
    let Add { name, about, message } = args;
    let (answer, scope) = about.parts();
    let rule = Rule { name, answer, scope, reason: message };
    let body: RulesBody = block_on(async {
        server::ensure(context).await?;
        context.client().create("/approvals/rules", &rule).await
    })?;
    let (answer, _) = word(rule.answer);
    let added = body.rows.iter().find(|known| known.rule.name == rule.name);
    context.terminal.done(format!("{} answers {answer} from now on", rule.name), &json!(added))?;
    Ok(Exit::Done)
}

fn remove(context: &Context, args: &Rm) -> Outcome {
    let name = &args.name;
    block_on(context.client().delete(&format!("/approvals/rules/{}", segment(&name.to_string()))))?;
    context.terminal.done(format!("{name} answers no more"), &json!({ "removed": name }))?;
    Ok(Exit::Done)
}

fn preview(context: &Context, args: Preview) -> Outcome {
    let (answer, scope) = args.about.parts();
    let preview: RulePreview = block_on(async {
        server::ensure(context).await?;
        context.client().command_answered("/approvals/rules/preview", &PreviewRequest { answer, scope }).await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&preview)?;
        return Ok(Exit::Done);
    }
    if !preview.rows.is_empty() {
        terminal.out(over(&preview.rows, terminal, now_us()))?;
    }
    let (word, _) = word(answer);
    terminal.note(format!("it would have answered {word} to {} of {}", preview.count, counted(preview.of, "question")));
    Ok(Exit::Done)
}
