//! `regatta doctor`: what is usable here, and what to do about the rest.

mod finding;
mod log;
mod machine;

use std::path::Path;

use regatta_core::Vault;
use regatta_core::vault::Credential;
use regatta_dispatcher::sandboxes::ProviderRow;
use regatta_http::requests::Health;
use regatta_http::{GatewaysBody, premises};

use crate::config::{Config, KEYS, Vendor};
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
    let findings = block_on(async {
        let mut findings = survey(&context.data_dir, &config, errors, None).await;
        let health = context.client().health().await;
        if let Ok(Some(health)) = &health {
            as_the_server_says(context, &config, &mut findings).await;
            findings.extend(gateways(context).await);
            findings.extend(log::findings(health, crate::commands::now_us()));
        }
        findings.push(server(health));
        Ok(findings)
    })?;
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
async fn survey(
    data_dir: &Path,
    config: &Config,
    errors: Vec<crate::config::Error>,
    vault: Option<&Vault>,
) -> Vec<Finding> {
    let mut findings = vec![machine::git(), machine::data_dir(data_dir)];
    findings.extend(configuration(config, errors));
    findings.extend(machine::fences().await);
    findings.extend(machine::agents());
    findings.push(machine::docker(config).await);
    findings.extend(machine::vendors(config, vault).await);
    findings.push(machine::nats());
    findings
}

/// Of vendors whose key is in the vault the server knows how they are.
async fn as_the_server_says(context: &Context, config: &Config, findings: &mut [Finding]) {
    let in_vault = |vendor: &Vendor| matches!(config.vendor_key(*vendor), Some(Credential::Secret(_)));
    let vendors: Vec<&str> = Vendor::ALL.into_iter().filter(in_vault).map(Vendor::name).collect();
    if vendors.is_empty() {
        return;
    }
    // When it does not say, what was found without it stands.
    let Ok(rows) = context.client().get::<Vec<ProviderRow>>("/providers").await else { return };
    for vendor in vendors {
        let Some(finding) = findings.iter_mut().find(|finding| finding.name == vendor) else { continue };
        *finding = match rows.iter().find(|row| row.name == vendor) {
            Some(row) => machine::at_the_server(vendor, row),
            None => Finding::warn(
                vendor,
                "its key was named after the server was started",
                "start it again: regatta down && regatta up --detach",
            ),
        };
    }
}

/// Each gateway, as only the server knows; nothing when it does not say.
async fn gateways(context: &Context) -> Vec<Finding> {
    let asked = context.client().get::<GatewaysBody>("/gateways").await;
    let rows = asked.map(|body| body.rows).unwrap_or_default();
    rows.iter().map(|row| Finding::from(premises::Finding::of_gateway(row))).collect()
}

/// The same for whoever asks the server, but for the gateways: of those it knows itself.
pub(crate) async fn look(data_dir: &Path, vault: &Vault) -> Vec<premises::Finding> {
    let (config, errors) = Config::as_far_as_readable(data_dir, None);
    survey(data_dir, &config, errors, Some(vault)).await.into_iter().map(Finding::told).collect()
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

fn server(health: Result<Option<Health>, Failure>) -> Finding {
    match health {
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
