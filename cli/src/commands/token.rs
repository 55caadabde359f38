//! `regatta token`: what programs and browsers sign in with.

use regatta_core::event::user::Role;
use regatta_http::requests::{LinkMade, TokenMade, TokenRequest, TokenRow};

use super::now_us;
use crate::config;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, numbers};

/// Make, list and revoke tokens; make a sign-in link for the browser
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(Create),
    Ls(Ls),
    Revoke(Revoke),
    Link(Link),
}

/// Make a token; its secret is printed once, on standard output
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta token create ci --role operator --expires 720h
  regatta token create dashboard --user bob --role viewer
  curl -H \"Authorization: Bearer $(cat token)\" http://127.0.0.1:7433/api/v1/runs")]
struct Create {
    /// What you call it
    #[arg(default_value = "token")]
    name: String,

    /// Who acts with it [default: you]
    #[arg(long)]
    user: Option<String>,

    /// At most this role: viewer, operator, approver or admin [default: the user's own]
    #[arg(long)]
    role: Option<Role>,

    /// For how long it is worth something, as 12h or 720h [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

/// List tokens; secrets are not kept, so none is shown
#[derive(Debug, clap::Args)]
struct Ls {}

/// Make a token worth nothing, at once
#[derive(Debug, clap::Args)]
struct Revoke {
    /// Its ID, as `regatta token ls` shows it
    id: String,
}

/// Print a link that signs a browser in, once, within ten minutes
#[derive(Debug, clap::Args)]
struct Link {}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        Command::Create(args) => create(context, args),
        Command::Ls(Ls {}) => list(context),
        Command::Revoke(Revoke { id }) => {
            block_on(context.client().delete(&format!("/tokens/{}", super::segment(&id))))?;
            context.terminal.done(format!("revoked {id}"), &serde_json::json!({ "revoked": id }))?;
            Ok(Exit::Done)
        }
        Command::Link(Link {}) => link(context),
    }
}

fn create(context: &Context, args: Create) -> Outcome {
    let expires_in_s = args.expires.as_deref().map(seconds).transpose()?;
    let request = TokenRequest { name: args.name, user: args.user, role: args.role, expires_in_s };
    let made: TokenMade = block_on(async {
        server::ensure(context).await?;
        context.client().create("/tokens", &request).await
    })?;
    if context.terminal.json {
        context.terminal.json(&made)?;
    } else {
        context.terminal.out(&made.token)?;
        context
            .terminal
            .note(format!("token {} is shown this once; to end it: regatta token revoke {}", made.id, made.id));
    }
    Ok(Exit::Done)
}

fn seconds(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::usage(format!("--expires {text:?} should be a time, as 12h or 720h"));
    config::duration_ms(text).map(|ms| ms.div_ceil(1_000)).ok_or_else(wrong)
}

fn list(context: &Context) -> Outcome {
    let rows: Vec<TokenRow> = block_on(context.client().get("/tokens"))?;
    if context.terminal.json {
        context.terminal.json(&rows)?;
    } else if rows.is_empty() {
        context.terminal.note("no tokens; make one: regatta token create NAME --role operator");
    } else {
        context.terminal.out(render(&rows, &context.terminal, now_us()))?;
    }
    Ok(Exit::Done)
}

fn render(rows: &[TokenRow], terminal: &Terminal, now_us: u64) -> String {
    let ago = |at_us: u64| format!("{} ago", numbers::elapsed(now_us.saturating_sub(at_us) / 1_000));
    let mut shown = table(terminal);
    shown.set_header(["id", "name", "user", "role", "made", "used", "state"].map(|name| cell(name, Tone::Dim)));
    for row in rows {
        let (state, tone) = match (row.revoked_at_us, row.expires_at_us) {
            (Some(_), _) => ("revoked".to_owned(), Tone::Bad),
            (None, Some(at_us)) if at_us <= now_us => ("expired".to_owned(), Tone::Bad),
            (None, Some(at_us)) => (format!("{} left", numbers::elapsed((at_us - now_us) / 1_000)), Tone::Good),
            (None, None) => ("good".to_owned(), Tone::Good),
        };
        shown.add_row([
            cell(&row.id, Tone::Strong),
            cell(&row.name, Tone::Plain),
            cell(&row.user, Tone::Plain),
            cell(row.role.as_str(), Tone::Plain),
            cell(ago(row.created_at_us), Tone::Plain),
            cell(row.last_used_at_us.map_or_else(|| "-".to_owned(), ago), Tone::Plain),
            cell(state, tone),
        ]);
    }
    text(&shown)
}

fn link(context: &Context) -> Outcome {
    let made = block_on(async {
        server::ensure(context).await?;
        context.client().create::<_, LinkMade>("/sign-in-links", &serde_json::json!({})).await
    })?;
    if context.terminal.json {
        context.terminal.json(&made)?;
    } else {
        context.terminal.out(&made.link)?;
        context.terminal.note("it works once, within ten minutes");
    }
    Ok(Exit::Done)
}
