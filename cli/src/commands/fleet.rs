//! `regatta fleet`: where attempts run, who waits, how much of each limit is taken up, and what was left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use regatta_core::bus::RelayState;
use regatta_dispatcher::sandboxes::{KeptImages, ProviderRow};
use regatta_http::requests::LimitBody;
use regatta_projections::fleet::{FleetView, SandboxState};
use tokio::time::timeout;

use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::render::words;
use crate::terminal::numbers::{bytes, counted, elapsed};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// How long what providers keep is waited for.
const PROVIDERS_MAX: Duration = Duration::from_secs(3);

/// Show the sandboxes, who waits for one and why, and leaks (there should be 0)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As it was at an event's number or a time
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let terminal = &context.terminal;
    let (view, now): (FleetView, Now) = block_on(async {
        let client = context.client();
        let as_of = super::as_of(&client, args.as_of.as_deref()).await?;
        let view = client.get(&format!("/fleet{as_of}")).await?;
        // The rest is of now only.
        if !as_of.is_empty() {
            return Ok((view, Now::default()));
        }
        let relay = client.health().await?.and_then(|health| health.relay);
        let limits = client.get("/limits").await?;
        // Nobody waits for long for a provider that does not answer.
        let providers: Vec<ProviderRow> = match timeout(PROVIDERS_MAX, client.get("/providers")).await {
            Ok(providers) => providers?,
            Err(_) => Vec::new(),
        };
        let kept = providers.into_iter().filter_map(|row| Some((row.name, row.kept?))).collect();
        Ok((view, Now { limits, kept, relay }))
    })?;
    if terminal.json {
        terminal.json(&Shown { view: &view, now: &now })?;
    } else {
        terminal.out(render(&view, terminal))?;
        if let Some(limits) = taken_up(&now.limits, terminal) {
            terminal.out(format!("\n{limits}"))?;
        }
        for line in now.kept.iter().filter_map(kept_there) {
            terminal.out(format!("\n{line}"))?;
        }
        if let Some(relay) = &now.relay {
            terminal.out(format!("\n{}", relayed(relay, terminal)))?;
        }
    }
    Ok(Exit::Done)
}

/// What stands beside the view, and is of now only.
#[derive(Debug, Default, serde::Serialize)]
struct Now {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<LimitBody>,
    /// By provider.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kept: BTreeMap<String, KeptImages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<RelayState>,
}

#[derive(serde::Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    view: &'a FleetView,
    #[serde(flatten)]
    now: &'a Now,
}

/// What a provider keeps, and how that goes.
fn kept_there((provider, kept): (&String, &KeptImages)) -> Option<String> {
    let (images, took) = (counted(kept.images, "image"), bytes(kept.bytes));
    let todo = "regatta sandbox reap --images removes those not in use";
    (kept.images > 0)
        .then(|| format!("{provider} keeps {images} so that sandboxes begin sooner, {took} or more; {todo}"))
}

/// The limits somebody takes something up of; nothing when nobody does.
fn taken_up(limits: &[LimitBody], terminal: &Terminal) -> Option<String> {
    let mut rows = limits.iter().filter(|row| row.in_use > 0).peekable();
    rows.peek()?;
    let mut table = table(terminal);
    table.set_header(["limit", "in use", "by"].map(|name| cell(name, Tone::Dim)));
    for row in rows {
        let of = row.limit.attempts_max.map_or_else(|| "no limit".to_owned(), |most| format!("of {most}"));
        let tone = if row.limit.attempts_max.is_some_and(|most| row.in_use >= most) { Tone::Warn } else { Tone::Plain };
        let name = |by: &str| escape::line(by.strip_prefix("user:").unwrap_or(by)).into_owned();
        let by = row.by.iter().map(|one| format!("{} {}", name(&one.by), one.attempts.len()));
        table.add_row([
            cell(row.limit.provider.as_deref().unwrap_or("all together"), Tone::Plain),
            cell(format!("{} {of}", row.in_use), tone),
            cell(by.collect::<Vec<_>>().join(", "), Tone::Plain),
        ]);
    }
    Some(text(&table))
}

fn relayed(relay: &RelayState, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    let server = escape::line(&relay.server);
    let oldest_ms = relay.behind_us(super::now_us()) / 1_000;
    let age = if oldest_ms > 0 { format!(" (the oldest for {})", elapsed(oldest_ms)) } else { String::new() };
    let behind = format!("{}{age}", counted(relay.behind(), "event"));
    let published = relay.published;
    let missing = format!("lacks {} of those up to {published}", counted(relay.missing, "event"));
    let has = match (relay.behind(), relay.missing) {
        (0, 0) => format!("{}, up to {published}", paint.good("has every event")),
        (0, _) => format!("{}: its limits dropped them, or they were removed", paint.warn(&missing)),
        (_, 0) => format!("is {} behind, at {published}", paint.warn(&behind)),
        (_, _) => format!("is {} behind and {}", paint.warn(&behind), paint.warn(&missing)),
    };
    let foreign = counted(relay.foreign, "message");
    let has = match relay.foreign {
        0 => has,
        _ => format!("{has}; {} there are not of this log", paint.warn(&foreign)),
    };
    match (&relay.last_error, relay.connected) {
        (_, true) => format!("{server} {has}"),
        (Some(error), false) => format!("{server} {has}; {}: {}", paint.bad("not connected"), escape::line(error)),
        (None, false) => format!("{server} {has}; connecting"),
    }
}

fn render(view: &FleetView, terminal: &Terminal) -> String {
    let totals = &view.totals;
    let mut shown = format!(
        "{} alive, {} waiting, {}",
        counted(totals.alive, "sandbox").replace("sandboxs", "sandboxes"),
        totals.waiting,
        counted(totals.leaks, "leak")
    );
    let sandboxes: Vec<_> =
        view.providers.iter().flat_map(|provider| provider.sandboxes.iter().map(move |s| (provider, s))).collect();
    if !sandboxes.is_empty() {
        let mut table = table(terminal);
        table.set_header(
            ["provider", "attempt", "state", "fence", "age", "cost so far"].map(|name| cell(name, Tone::Dim)),
        );
        for (provider, sandbox) in sandboxes {
            let (state, tone) = match (sandbox.is_leak, sandbox.state) {
                (true, _) => ("leak", Tone::Bad),
                (false, SandboxState::Alive) => ("alive", Tone::Busy),
                (false, SandboxState::Failed) => ("failed", Tone::Bad),
                (false, SandboxState::Forked) => ("a copy", Tone::Plain),
                (false, SandboxState::Intended) => ("being made", Tone::Warn),
            };
            table.add_row([
                cell(&provider.name, Tone::Plain),
                cell(sandbox.attempt.to_string(), Tone::Strong),
                cell(state, tone),
                cell(sandbox.fence.as_deref().unwrap_or("-"), Tone::Plain),
                cell(elapsed(sandbox.age_ms), Tone::Plain),
                cell(sandbox.cost_usd_micros.map_or_else(|| "–".to_owned(), words::dollars), Tone::Plain),
            ]);
        }
        shown.push_str(&format!("\n\n{}", text(&table)));
    }
    if !view.queue.is_empty() {
        let mut table = table(terminal);
        table.set_header(["waits", "for", "why", "since"].map(|name| cell(name, Tone::Dim)));
        for waiting in &view.queue {
            table.add_row([
                cell(waiting.attempt.to_string(), Tone::Strong),
                cell(&waiting.provider, Tone::Plain),
                cell(waiting.reason.as_deref().unwrap_or("-"), Tone::Warn),
                cell(elapsed(waiting.waiting_ms), Tone::Plain),
            ]);
        }
        shown.push_str(&format!("\n\n{}", text(&table)));
    }
    shown
}
