//! `regatta log tail`: the last events, and those to come.

use regatta_core::event::Kind;
use regatta_core::{InstallId, Seq};
use regatta_http::EventBody;
use regatta_http::requests::{EventsPage, Health};

use super::mirror;
use super::range::{Range, before};
use crate::client::Client;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::moment::Moment;
use crate::suggest;
use crate::terminal::{Terminal, escape};

/// Print the last events, or those of a time, and with -f those to come
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With -f it goes on when the server is started again, and with --nats when NATS or the way to it was
gone: from where it was, nothing twice.

Examples:
  regatta log tail -f
  regatta log tail -f --kind 'run,attempt,!attempt.output'
  regatta log tail --since 2h --until 1h
  regatta log tail --stream run/7q2k9x0m --from 1
  regatta log tail --from 1 --json > events.jsonl
  regatta log tail -f --nats nats://host")]
pub(crate) struct Args {
    /// Go on with events as they come
    #[arg(long, short)]
    pub(super) follow: bool,

    /// Kinds or families, with commas; one with ! in front is left out
    #[arg(long, value_name = "KINDS")]
    pub(super) kind: Option<String>,

    /// Beginnings of stream names, with commas, as run/7q2k9x0m or output/
    #[arg(long, value_name = "STREAMS")]
    pub(super) stream: Option<String>,

    #[command(flatten)]
    pub(super) range: Range,

    /// Without --from and --since: how many of the last events are looked at
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20)]
    pub(super) last: u64,

    /// Read from this NATS server instead: the events of every install that publishes to it
    #[arg(long, value_name = "URL")]
    pub(super) nats: Option<String>,

    /// With --nats: events of this install only
    #[arg(long, value_name = "ID", requires = "nats")]
    pub(super) install: Option<InstallId>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    for name in args.kind.iter().flat_map(|kinds| kinds.split(',')) {
        known(name.trim())?;
    }
    args.range.check()?;
    if args.follow && args.range.ends() {
        return Err(Failure::usage("-f goes on and on, and --to and --until end it").hint("leave one of them away"));
    }
    if args.nats.is_some() {
        return mirror::tail(context, args);
    }
    let (terminal, client) = (&context.terminal, context.client());
    block_on(async {
        let health: Health = client.get("/health").await?;
        let (from, to) = bounds(&client, &args, &health).await?;
        if args.range.since.is_some() && from == health.first.0 && from > 1 {
            terminal.note(super::begins(&context.data_dir, health.first));
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("kind", &args.kind), ("stream", &args.stream)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if args.follow {
            follow(&client, from, &query, terminal).await
        } else {
            print(&client, from, &format!("to={to}&{query}"), terminal).await
        }
    })?;
    Ok(Exit::Done)
}

/// The first event that is wanted, and the last one.
async fn bounds(client: &Client, args: &Args, health: &Health) -> Result<(u64, u64), Failure> {
    let Range { from, to, since, until } = args.range;
    let last = match until {
        Some(until) => before(since_when(client, Moment(until.0.saturating_add(1)), health.seq).await?).0,
        None => to.unwrap_or(u64::MAX),
    };
    let first = match (from, since) {
        (Some(from), _) => from,
        (None, Some(since)) => since_when(client, since, health.seq).await?.0,
        (None, None) => (last.min(health.seq.0) + 1).saturating_sub(args.last).max(health.first.0),
    };
    Ok((first.max(1), last))
}

/// The first event since a moment; the one to come when there is none.
async fn since_when(client: &Client, moment: Moment, head: Seq) -> Result<Seq, Failure> {
    let page: EventsPage = client.get(&format!("/events?from={}&limit=1", moment.shown())).await?;
    Ok(page.rows.first().map_or(head.next(), |event| event.seq))
}

/// Refuses the name of a kind or family there is not: nothing would ever be shown.
fn known(name: &str) -> Result<(), Failure> {
    let bare = name.trim_start_matches('!');
    let kinds = Kind::ALL.iter().map(|(_, name)| *name);
    let all: Vec<&str> = kinds.chain(Kind::ALL.iter().map(|(kind, _)| kind.family())).collect();
    // A kind of a later version is shown by its number.
    if bare.is_empty() || all.contains(&bare) || bare.starts_with("unknown") {
        return Ok(());
    }
    let close = suggest::closest(bare, all.iter().copied()).map(|close| format!("did you mean {close}?"));
    let families: std::collections::BTreeSet<&str> = Kind::ALL.iter().map(|(kind, _)| kind.family()).collect();
    let hint = close.unwrap_or_else(|| format!("families: {}", families.into_iter().collect::<Vec<_>>().join(", ")));
    Err(Failure::usage(format!("there is no kind of events {bare:?}")).hint(hint))
}

async fn print(client: &Client, from: u64, query: &str, terminal: &Terminal) -> Result<(), Failure> {
    let mut next = from;
    loop {
        let page: EventsPage = client.get(&format!("/events?from={next}&limit=500&{query}")).await?;
        for event in &page.rows {
            show(event, terminal)?;
        }
        if page.next > page.head || page.next.0 <= next {
            return Ok(());
        }
        next = page.next.0;
    }
}

async fn follow(client: &Client, from: u64, query: &str, terminal: &Terminal) -> Result<(), Failure> {
    let mut events = client.events(format!("from={from}&{query}"));
    loop {
        tokio::select! {
            event = events.next() => show(&event?, terminal)?,
            interrupted = tokio::signal::ctrl_c() => return interrupted.map_err(Failure::from),
        }
    }
}

pub(super) fn show(event: &EventBody, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.json(event);
    }
    let paint = terminal.paint;
    terminal.out(format!(
        "{} {} {:<24} {:<26} {}",
        paint.dim(format!("{:>8}", event.seq)),
        paint.dim(&event.at),
        escape::line(&event.kind),
        event.stream.as_str(),
        escape::line(&event.text),
    ))
}
