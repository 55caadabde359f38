//! `regatta gateway`: the OpenClaw gateways of this installation. A credential comes from standard input or a hidden prompt,
//! never from the command line, and goes to the server over its owner's socket or over TLS.

use std::io::Read as _;

use regatta_core::GatewayName;
use regatta_core::vault::ExposeSecret as _;
use regatta_federation::{LinkNow, LinkState, Tested};
use regatta_http::requests::CallRequest;
use regatta_http::{GatewayBody, GatewaysBody};
use regatta_projections::gateways::{GatewayState, GatewayView};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{confirmed, now_us, secret, segment};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::numbers::{ago, counted};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// Most bytes of parameters read from standard input.
const PARAMS_BYTES_MAX: u64 = 4 << 20;

/// Keep connections to OpenClaw gateways: what their agents say is recorded, and what they ask comes to you
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The server keeps one connection to each, tries again by itself, and records every event. What agents ask is answered with
`regatta approvals`; without a connection their questions are denied at once, so `ls` says loudly when there is none.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Add(Add),
    Ls(Ls),
    Rm(Rm),
    Test(Test),
    Pair(Pair),
    Call(Call),
}

/// Add a gateway and connect to it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The token is `gateway.auth.token` in the gateway's openclaw.json. It is sealed in the vault and shown nowhere. A gateway
on another machine also has to approve this device: regatta gateway pair NAME says what to run there.

Examples:
  regatta gateway add main 127.0.0.1:18789 --token-stdin < token
  regatta gateway add main 127.0.0.1:18789 --token-stdin    # asks for it, without showing it
  regatta gateway add attic wss://claw.example --token-stdin < token")]
struct Add {
    /// What it is to be called: a-z, 0-9 and -
    name: GatewayName,
    /// Where it listens: ws://HOST:PORT or wss://HOST
    url: String,
    /// Its shared token is on standard input, or is asked for
    #[arg(long, conflicts_with = "password_stdin")]
    token_stdin: bool,
    /// Its password is on standard input, or is asked for
    #[arg(long)]
    password_stdin: bool,
    /// A credential may go to another machine unencrypted
    #[arg(long)]
    allow_plain: bool,
}

/// List gateways: how the connection is, what is missing, what to do
#[derive(Debug, clap::Args)]
struct Ls {
    /// As it was at an event's number or a time
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,
}

/// Remove a gateway; what is recorded of it stays, its credential does not
#[derive(Debug, clap::Args)]
struct Rm {
    /// Which
    name: GatewayName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Connect to a gateway once and explain what happens, step by step
#[derive(Debug, clap::Args)]
struct Test {
    /// Which
    name: GatewayName,
}

/// Have this device approved by a gateway: says what to run there, and connects once it was
#[derive(Debug, clap::Args)]
struct Pair {
    /// Which
    name: GatewayName,
}

/// Call a method of a gateway over the server's connection and print its answer
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What you may call depends on your role: reading and chatting takes an operator, questions an approver, the rest an admin.

Examples:
  regatta gateway call main health
  regatta gateway call main sessions.list '{\"limit\": 5}'
  regatta gateway call main chat.send - < params.json")]
struct Call {
    /// Which
    name: GatewayName,
    /// As health, sessions.list, chat.send
    method: String,
    /// Its parameters, a JSON object; - reads them from standard input
    params: Option<String>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        Command::Add(args) => add(context, &args),
        Command::Ls(args) => list(context, &args),
        Command::Rm(args) => remove(context, &args),
        Command::Test(args) => test(context, &args),
        Command::Pair(args) => pair(context, &args),
        Command::Call(args) => call(context, &args),
    }
}

fn add(context: &Context, args: &Add) -> Outcome {
    let name = &args.name;
    let mut body = json!({ "name": name, "url": args.url, "allow_plain": args.allow_plain });
    let secret = match (args.token_stdin, args.password_stdin) {
        (true, _) => Some(("token", secret::read(&format!("token of {name}"), false)?)),
        (_, true) => Some(("password", secret::read(&format!("password of {name}"), false)?)),
        (false, false) => None,
    };
    if let (Some((field, value)), Value::Object(fields)) = (&secret, &mut body) {
        fields.insert((*field).to_owned(), value.expose_secret().into());
    }
    let added: GatewayBody = block_on(async {
        server::ensure(context).await?;
        context.client().create("/gateways", &body).await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&added)?;
        return Ok(Exit::Done);
    }
    let link = added.link.clone().unwrap_or_default();
    let version = added.view.version.as_deref().unwrap_or("unknown");
    match link.state {
        LinkState::Connected => terminal.note(format!("{name} is added and connected, version {version}")),
        LinkState::Connecting | LinkState::Waiting | LinkState::Stopped => {
            terminal.note(format!("{name} is added, and {}", escape::line(&words(&link))));
            say_advice(terminal, name, &link);
        }
    }
    Ok(Exit::Done)
}

fn say_advice(terminal: &Terminal, name: &GatewayName, link: &LinkNow) {
    if let Some(advice) = &link.advice {
        terminal.note(escape::line(advice));
    }
    if link.pairing.is_some() {
        terminal.note(format!("then here: regatta gateway pair {name}"));
    }
}

/// How a connection is, in words that go on a sentence.
fn words(link: &LinkNow) -> String {
    let reason = link.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match link.state {
        LinkState::Connected => "it is connected".to_owned(),
        LinkState::Connecting => format!("it is being connected to{reason}"),
        LinkState::Waiting => format!("it is not connected, and tried again{reason}"),
        LinkState::Stopped => format!("it is not connected{reason}"),
    }
}

fn list(context: &Context, args: &Ls) -> Outcome {
    let body: GatewaysBody = block_on(async {
        server::ensure(context).await?;
        let client = context.client();
        let as_of = super::as_of(&client, args.as_of.as_deref()).await?;
        client.get(&format!("/gateways{as_of}")).await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&body)?;
        return Ok(Exit::Done);
    }
    if body.rows.is_empty() {
        terminal.note("no gateways; add one: regatta gateway add main 127.0.0.1:18789 --token-stdin");
        return Ok(Exit::Done);
    }
    terminal.out(render(&body, terminal, now_us()))?;
    Ok(Exit::Done)
}

fn render(body: &GatewaysBody, terminal: &Terminal, now_us: u64) -> String {
    let mut shown = table(terminal);
    shown.set_header(
        ["gateway", "state", "version", "events", "missed", "asks", "since"].map(|name| cell(name, Tone::Dim)),
    );
    for row in &body.rows {
        let (state, tone) = state(row);
        let view = &row.view;
        shown.add_row([
            cell(view.name.as_str(), Tone::Strong),
            cell(state, tone),
            cell(view.version.as_deref().unwrap_or("-"), Tone::Plain),
            cell(view.frames.to_string(), Tone::Plain),
            cell(missed(view), if view.gaps > 0 { Tone::Warn } else { Tone::Plain }),
            cell(view.approvals_open.to_string(), if view.approvals_open > 0 { Tone::Warn } else { Tone::Plain }),
            cell(ago(view.since_us, now_us), Tone::Plain),
        ]);
    }
    let mut lines = vec![text(&shown)];
    for row in &body.rows {
        lines.extend(more(row).into_iter().map(|line| escape::line(&line).into_owned()));
    }
    lines.join("\n")
}

fn missed(view: &GatewayView) -> String {
    match view.gaps {
        0 => "0".to_owned(),
        gaps => format!("{} in {}", view.missing, counted(gaps, "gap")),
    }
}

fn state(row: &GatewayBody) -> (&'static str, Tone) {
    match row.link.as_ref().map(|link| link.state) {
        Some(LinkState::Connected) if !row.view.lacks.is_empty() => ("connected, may too little", Tone::Warn),
        Some(LinkState::Connected) => ("connected", Tone::Good),
        Some(LinkState::Connecting) => ("connecting", Tone::Busy),
        Some(LinkState::Waiting) => ("tries again", Tone::Warn),
        Some(LinkState::Stopped) => ("stopped", Tone::Bad),
        None => match row.view.state {
            GatewayState::New => ("not connected yet", Tone::Dim),
            GatewayState::Connected => ("connected", Tone::Good),
            GatewayState::Disconnected => ("disconnected", Tone::Warn),
            GatewayState::Stopped => ("stopped", Tone::Bad),
        },
    }
}

/// What there is to say below the table: why there is no connection, and what to do.
fn more(row: &GatewayBody) -> Vec<String> {
    let (view, name) = (&row.view, &row.view.name);
    let mut lines: Vec<String> = view.lacks.iter().map(|lack| format!("{name} does not let us {lack}")).collect();
    let (reason, advice, pairing) = match &row.link {
        Some(link) => (&link.reason, &link.advice, &link.pairing),
        None => (&view.reason, &view.advice, &view.pairing),
    };
    lines.extend(reason.iter().map(|reason| format!("{name}: {reason}")));
    lines.extend(advice.iter().map(|advice| format!("  {advice}")));
    if pairing.is_some() {
        lines.push(format!("  then here: regatta gateway pair {name}"));
    }
    lines
}

fn remove(context: &Context, args: &Rm) -> Outcome {
    let (name, terminal) = (&args.name, &context.terminal);
    let path = format!("/gateways/{}", segment(name.as_str()));
    let known: GatewayBody = block_on(context.client().get(&path))?;
    if known.view.approvals_open > 0 {
        let open = counted(known.view.approvals_open, "question");
        terminal.note(format!("{open} of its agents will not be answered from here"));
    }
    if !args.yes && !confirmed(&format!("remove {name}, and forget its credential?"))? {
        terminal.note("nothing was removed");
        return Ok(Exit::Refused);
    }
    block_on(context.client().delete(&path))?;
    terminal.done(format!("removed {name}"), &json!({ "removed": name }))?;
    Ok(Exit::Done)
}

fn tested(context: &Context, name: &GatewayName) -> Result<Tested, Failure> {
    let path = format!("/gateways/{}/test", segment(name.as_str()));
    block_on(context.client().command_answered(&path, &json!({})))
}

fn test(context: &Context, args: &Test) -> Outcome {
    let tested = tested(context, &args.name)?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&tested)?;
    } else {
        terminal.out(steps(&tested, terminal))?;
        if tested.pairing.is_some() {
            terminal.note(format!("then here: regatta gateway pair {}", args.name));
        }
    }
    Ok(if tested.is_good { Exit::Done } else { Exit::Refused })
}

fn steps(tested: &Tested, terminal: &Terminal) -> String {
    let mut lines = Vec::new();
    for step in &tested.steps {
        let mark = if step.is_good { terminal.paint.good("ok") } else { terminal.paint.bad("no") };
        lines.push(format!("{mark}  {}: {}", step.name, escape::line(&step.found)));
        lines.extend(step.advice.iter().map(|advice| format!("    {}", escape::line(advice))));
    }
    lines.join("\n")
}

fn pair(context: &Context, args: &Pair) -> Outcome {
    let (name, terminal) = (&args.name, &context.terminal);
    let tested = tested(context, name)?;
    if terminal.json {
        terminal.json(&tested)?;
        return Ok(if tested.is_good { Exit::Done } else { Exit::Refused });
    }
    if tested.pairing.is_some() {
        let advice = tested.steps.iter().find_map(|step| step.advice.as_deref()).unwrap_or_default();
        terminal.out(escape::line(advice))?;
        terminal.note(format!("once that is done: regatta gateway pair {name}"));
        return Ok(Exit::Refused);
    }
    if tested.is_good {
        terminal.note(format!("{name} knows this device, and it is connected"));
        return Ok(Exit::Done);
    }
    terminal.out(steps(&tested, terminal))?;
    Ok(Exit::Refused)
}

fn call(context: &Context, args: &Call) -> Outcome {
    #[derive(Deserialize)]
    struct Answer {
        payload: Box<RawValue>,
    }
    let params = match args.params.as_deref() {
        None => None,
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().lock().take(PARAMS_BYTES_MAX).read_to_string(&mut text)?;
            Some(parsed(&text)?)
        }
        Some(text) => Some(parsed(text)?),
    };
    let request = CallRequest { method: args.method.clone(), params };
    let path = format!("/gateways/{}/call", segment(args.name.as_str()));
    let answer: Answer = block_on(context.client().command_answered(&path, &request))?;
    // Also in a pipe: escaped so it is the same JSON.
    context.terminal.out(escape::json(answer.payload.get()))?;
    Ok(Exit::Done)
}

fn parsed(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::usage(format!("the parameters are no JSON: {error}")).hint("as '{\"limit\": 5}'"))
}
