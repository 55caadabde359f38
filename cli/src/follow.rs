//! Following a run to its end: progress lines on a terminal, plain lines in a pipe.

use std::time::Duration;

use regatta_http::EventBody;
use regatta_projections::compare::Comparison;
use regatta_projections::runs::{RunState, RunView};

use crate::client::{Client, Events};
use crate::failure::{Exit, Failure};
use crate::render::{events as lines, words};
use crate::terminal::progress::Board;
use crate::terminal::{Terminal, escape};

/// How often the lines are brought up to date.
const REFRESH: Duration = Duration::from_millis(250);

/// Kinds that a person who follows a run need not be told: another line says it, or will when it matters.
const ASIDE: &[&str] = &["attempt.queued", "sandbox.intended", "sandbox.destroyed", "run.attempt_ended"];

/// Follows until the run is over, from its first event on. A run that is over already is told in short order.
pub(crate) async fn follow(client: &Client, run: &str, terminal: &Terminal) -> Result<RunView, Failure> {
    let view: RunView = client.get(&format!("/runs/{run}")).await?;
    let run = view.row.id.to_string();
    let events = client.events(format!("run={run}&from=1&kind=!attempt.output"));
    tokio::select! {
        followed = async {
            if terminal.has_progress { draw(client, &run, events, terminal).await } else { tell(client, &run, events, terminal).await }
        } => followed,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Err(Failure::new(Exit::Interrupted, "stopped watching").hint(format!("the run goes on; come back with: regatta watch {run}")))
        }
    }
}

/// How a process that waited for this run exits.
pub(crate) fn exit(view: &RunView) -> Exit {
    if view.row.state == RunState::Delivered { Exit::Done } else { Exit::NoWinner }
}

async fn over(client: &Client, run: &str, event: &EventBody) -> Result<Option<RunView>, Failure> {
    if event.kind != "run.finished" {
        return Ok(None);
    }
    let view: RunView = client.get(&format!("/runs/{run}")).await?;
    Ok(words::is_over(view.row.state).then_some(view))
}

/// Plain lines on standard error, or one event per line of JSON on standard output.
async fn tell(client: &Client, run: &str, mut events: Events, terminal: &Terminal) -> Result<RunView, Failure> {
    loop {
        let event = events.next().await?;
        if terminal.json {
            terminal.json(&event)?;
        } else if !ASIDE.contains(&event.kind.as_str()) {
            terminal.note(format!("{:<11} {}", lines::subject(&event), escape::line(&event.text)));
        }
        if let Some(view) = over(client, run, &event).await? {
            return Ok(view);
        }
    }
}

async fn draw(client: &Client, run: &str, mut events: Events, terminal: &Terminal) -> Result<RunView, Failure> {
    let mut board = Board::new(terminal.paint);
    let mut refresh = tokio::time::interval(REFRESH);
    loop {
        let event = tokio::select! {
            event = events.next() => Some(event?),
            _ = refresh.tick() => None,
        };
        let finished = match &event {
            Some(event) => over(client, run, event).await?,
            None => None,
        };
        if event.is_none() || finished.is_some() {
            let view: Comparison = client.get(&format!("/runs/{run}/compare")).await?;
            board.show(&view);
        }
        if let Some(view) = finished {
            board.leave();
            return Ok(view);
        }
    }
}
