//! `regatta replay`: a run played again from the log, with its real pauses scaled.

use std::time::Duration;

use regatta_core::event::attempt::Channel;
use regatta_http::requests::EventsPage;
use regatta_http::{EventBody, Payload};
use regatta_projections::compare::Comparison;
use regatta_projections::runs::RunView;

use super::RunRef;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::render;
use crate::render::words;
use crate::terminal::{Terminal, escape};

/// Longest pause that is kept, whatever the speed; a night's sleep need not be replayed.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Characters of one line of output shown.
const LINE_CHARS_MAX: usize = 200;

/// Play a run again from the log
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta replay last                   as fast as it was
  regatta replay last --speed 10        ten times as fast
  regatta replay last --speed max       without pauses
  regatta replay last --as-of 1200      how things stood at event 1200, then stop")]
pub(crate) struct Args {
    /// A run
    run: RunRef,

    /// How many times as fast, or `max`
    #[arg(long, value_name = "N|max", default_value = "1", value_parser = speed)]
    speed: Speed,

    /// Show how things stood at an event's number or a time instead
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,

    /// Leave out what the agents printed
    #[arg(long)]
    no_output: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Speed {
    Times(f64),
    Max,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.parse().ok().filter(|times: &f64| times.is_finite() && *times > 0.0);
    times.map(Speed::Times).ok_or_else(|| "a speed is a number above 0, or `max`".to_owned())
}

impl Speed {
    fn pause(self, us: u64) -> Duration {
        match self {
            Self::Max => Duration::ZERO,
            Self::Times(times) => Duration::from_micros(us).div_f64(times).min(PAUSE_MAX),
        }
    }
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let (terminal, client) = (&context.terminal, context.client());
    block_on(async {
        let as_of = super::as_of(&client, args.as_of.as_deref()).await?;
        let view: RunView = client.get(&format!("/runs/{}", args.run)).await?;
        let run = view.row.id;
        if !as_of.is_empty() {
            let view: Comparison = client.get(&format!("/runs/{run}/compare{as_of}")).await?;
            return if terminal.json {
                terminal.json(&view)
            } else {
                terminal.note(terminal.paint.warn("REPLAY: this is how it stood then"));
                terminal.out(render::comparison::comparison(&view, None, terminal))
            };
        }
        let kinds = if args.no_output { "&kind=!attempt.output" } else { "" };
        let mut player = Player { speed: args.speed, start_us: view.row.requested_at_us, last_us: None, terminal };
        let mut next = view.row.requested_seq;
        while next <= view.row.last_seq {
            let page: EventsPage = client.get(&format!("/events?run={run}&from={next}&limit=500{kinds}")).await?;
            for event in &page.rows {
                player.play(event).await?;
            }
            if page.next <= next {
                break;
            }
            next = page.next;
        }
        if words::is_over(view.row.state) || terminal.json {
            return Ok(());
        }
        terminal.note(format!("the run goes on: regatta watch {run}"));
        Ok(())
    })?;
    Ok(Exit::Done)
}

struct Player<'a> {
    speed: Speed,
    start_us: u64,
    last_us: Option<u64>,
    terminal: &'a Terminal,
}

impl Player<'_> {
    async fn play(&mut self, event: &EventBody) -> Result<(), Failure> {
        let since = self.last_us.map_or(0, |last| event.at_us.saturating_sub(last));
        self.last_us = Some(event.at_us.max(self.last_us.unwrap_or(0)));
        let pause = self.speed.pause(since);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        if self.terminal.json {
            return self.terminal.json(event);
        }
        let at = event.at_us.saturating_sub(self.start_us);
        let clock = self.terminal.paint.dim(format!(
            "{:>4}:{:02}.{:03}",
            at / 60_000_000,
            at / 1_000_000 % 60,
            at / 1_000 % 1_000
        ));
        let who = render::events::slot(event).unwrap_or_default();
        match &event.payload {
            Payload::Output(piece) => {
                let bytes = piece.bytes().map_err(|reason| Failure::new(Exit::Failed, reason))?;
                let text = String::from_utf8_lossy(&bytes);
                for line in text.lines() {
                    let line = escape::cut(&escape::line(line), LINE_CHARS_MAX);
                    let bar = match piece.channel {
                        Channel::Out => self.terminal.paint.dim("│"),
                        Channel::Err => self.terminal.paint.bad("│"),
                    };
                    self.terminal.out(format!("{clock} {who:>3} {bar} {line}"))?;
                }
                Ok(())
            }
            Payload::Fields(_) | Payload::Frame(_) | Payload::Opaque(_) => {
                self.terminal.out(format!("{clock} {who:>3}   {}", escape::line(&event.text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_scaled_and_never_longer_than_the_bound() {
        for (text, us, pause_ms) in [("1", 2_000_000, 2_000), ("10", 2_000_000, 200), ("0.5", 1_000, 2), ("max", 9, 0)]
        {
            let speed = speed(text).expect(text);
            assert_eq!(speed.pause(us), Duration::from_millis(pause_ms), "{text}");
        }
        assert_eq!(Speed::Times(1.0).pause(u64::MAX), PAUSE_MAX);
        for text in ["0", "-1", "NaN", "inf", "fast"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
