//! `regatta doctor`: what is usable here, and what to do about the rest.

mod finding;
mod machine;

use std::path::Path;

use crate::config::{Config, KEYS};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::Terminal;
use crate::terminal::table::{Tone, cell, table, text};
use finding::{Finding, Level};

/// Say what is usable here and what to do about the rest
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta doctor
  regatta doctor --config     every configuration key, its value, and where that came from")]
pub(crate) struct Args {
    /// Show every configuration key, its value, and where that came from
    #[arg(long)]
    config: bool,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let terminal = &context.terminal;
    let project = std::env::current_dir().ok().and_then(|folder| super::run::project_file(&folder));
    let (config, errors) = Config::as_far_as_readable(&context.data_dir, project.as_deref());
    if args.config {
        // Every key is shown in any case: whoever mistook one looks for it here.
        show_config(&config, terminal)?;
        return errors.into_iter().next().map_or(Ok(Exit::Done), |error| Err(mistaken(error)));
    }
    let mut findings = block_on(async { Ok(survey(&context.data_dir, &config, errors).await) })?;
    findings.push(block_on(async { Ok(server(context).await) })?);
    if terminal.json {
        terminal.json(&findings)?;
    } else {
        for finding in &findings {
            terminal.out(finding.line(terminal.paint))?;
        }
    }
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    Ok(if failed { Exit::NoWinner } else { Exit::Done })
}

/// What the machine has and the configuration says.
async fn survey(data_dir: &Path, config: &Config, errors: Vec<crate::config::Error>) -> Vec<Finding> {
    let mut findings = vec![machine::git(), machine::data_dir(data_dir)];
    findings.extend(configuration(config, errors));
    findings.extend(machine::fences().await);
    findings.extend(machine::agents());
    findings.extend([machine::docker(), machine::nats()]);
    findings
}

/// The same for whoever asks the server.
pub(crate) async fn look(data_dir: &Path) -> Vec<regatta_http::premises::Finding> {
    let (config, errors) = Config::as_far_as_readable(data_dir, None);
    survey(data_dir, &config, errors).await.into_iter().map(Finding::told).collect()
}

fn configuration(config: &Config, errors: Vec<crate::config::Error>) -> Vec<Finding> {
    if errors.is_empty() {
        let set = config.iter().filter(|(_, setting)| setting.from != "default").count();
        let told = format!("{set} of {} keys set; --config shows them", KEYS.len());
        return vec![Finding::ok("configuration", told)];
    }
    let failed = errors.into_iter().map(|error| {
        let todo = error.hint.clone().unwrap_or_else(|| "correct it there".to_owned());
        Finding::fail("configuration", error.to_string(), todo)
    });
    failed.collect()
}

/// Under a table of every key there is no need to say where to find one.
fn mistaken(error: crate::config::Error) -> Failure {
    let place = error.place.clone();
    let failure = Failure::from(error);
    let hint = failure.hint.clone().filter(|hint| !hint.contains("doctor --config"));
    failure.hint(hint.unwrap_or_else(|| format!("the keys are above; what {place} sets is not counted among them")))
}

async fn server(context: &Context) -> Finding {
    match context.client().health().await {
        Ok(Some(health)) => {
            Finding::ok("server", format!("process {}, version {}, event {}", health.pid, health.version, health.seq))
        }
        Ok(None) => Finding::note("server", "none runs; `regatta run` starts one"),
        Err(failure) => Finding::warn("server", failure.message, "regatta down && regatta up --detach"),
    }
}

fn show_config(config: &Config, terminal: &Terminal) -> Result<(), Failure> {
    if terminal.json {
        let rows: Vec<_> = config
            .iter()
            .map(|(name, setting)| {
                serde_json::json!({ "key": name, "value": setting.value.to_toml(), "from": setting.from })
            })
            .collect();
        return terminal.json(&rows);
    }
    let mut shown = table(terminal);
    shown.set_header(["key", "value", "from", ""].map(|name| cell(name, Tone::Dim)));
    for key in KEYS {
        let Some((_, setting)) = config.iter().find(|(name, _)| *name == key.name) else { continue };
        let tone = if setting.from == "default" { Tone::Dim } else { Tone::Strong };
        shown.add_row([
            cell(key.name, Tone::Plain),
            cell(setting.value.to_toml(), tone),
            cell(&setting.from, tone),
            cell(key.about, Tone::Dim),
        ]);
    }
    terminal.out(text(&shown))
}
