//! What the demo promises, checked. Pure.

use regatta_core::event::attempt::Outcome;
use regatta_core::event::run::Strategy;
use regatta_core::log::verify::Report;
use regatta_projections::attempts::AttemptState;
use regatta_projections::compare::{Column, Comparison};
use regatta_projections::fleet::FleetView;
use regatta_projections::runs::{RunState, RunView};

use crate::failure::{Exit, Failure};

fn promised(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(Exit::NoWinner, format!("not as promised: {what}"))) }
}

/// How each of the four came to its end, and who won.
pub(super) fn run(strategy: Strategy, view: &RunView, comparison: &Comparison) -> Result<(), Failure> {
    promised(view.row.state == RunState::Delivered, "the winner was not delivered")?;
    let outcome = |name: &str| comparison.columns.iter().find(|column| is(column, name)).map(|column| &column.state);
    let ended = |name: &str, fits: &dyn Fn(&Outcome) -> bool| matches!(outcome(name), Some(AttemptState::Finished { outcome }) if fits(outcome));
    let winner = comparison.columns.iter().find(|column| column.is_winner);
    match strategy {
        Strategy::Race => {
            let is_right = winner.is_some_and(|column| is(column, "careful.mjs") || is(column, "eager.mjs"));
            promised(is_right, "a program that fixes the bug should have won the race")?;
            let stopped = |outcome: &Outcome| matches!(outcome, Outcome::Cancelled { .. });
            promised(ended("endless.mjs", &stopped), "the program that never ends should have been stopped")
        }
        Strategy::Best | Strategy::All => {
            promised(winner.is_some_and(|column| is(column, "careful.mjs")), "the smallest fix should have won")?;
            promised(ended("eager.mjs", &|outcome| *outcome == Outcome::Passed), "the bloated fix should have passed")?;
            let fails = |outcome: &Outcome| matches!(outcome, Outcome::ChecksFailed { .. });
            promised(ended("hasty.mjs", &fails), "the fix that breaks another test should have failed its check")?;
            let late = |outcome: &Outcome| *outcome == Outcome::TimedOut;
            promised(ended("endless.mjs", &late), "the program that never ends should have run out of time")
        }
    }
}

fn is(column: &Column, program: &str) -> bool {
    column.command.as_ref().is_some_and(|command| command.contains(program))
}

/// Nothing is left behind.
pub(super) fn fleet(view: &FleetView) -> Result<(), Failure> {
    promised(view.totals.alive == 0 && view.totals.leaks == 0, "a sandbox was left behind")
}

/// The log is whole.
pub(super) fn log(report: &Report) -> Result<(), Failure> {
    promised(report.is_clean() && report.events > 0, "the log is damaged")
}
