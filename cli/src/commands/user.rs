//! `regatta user`: who may sign in, and what they may do.

use regatta_core::event::user::Role;
use regatta_http::requests::{RoleRequest, UserRequest, UserRow};

use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::server;
use crate::terminal::table::{Tone, cell, table, text};

/// Say who may sign in, and what they may do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Roles, each with everything before it:
  viewer     looks at everything, changes nothing
  operator   starts and cancels runs, gets work back
  approver   says who won
  admin      changes configuration, users and tokens; stops the server

Whoever can open the server's socket, as you do here, is admin.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let somebody sign in; then make a token for them
    Add {
        name: String,
        /// viewer, operator, approver or admin
        #[arg(long, default_value = "viewer")]
        role: Role,
    },
    /// List users
    Ls,
    /// Change what somebody may do, at once
    Role {
        name: String,
        /// viewer, operator, approver or admin
        role: Role,
    },
    /// Remove somebody; their tokens and sessions end at once
    Rm { name: String },
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let client = context.client();
    match args.command {
        Command::Add { name, role } => {
            let request = UserRequest { name, role };
            block_on(async {
                server::ensure(context).await?;
                client.command("/users", &request).await
            })?;
            let name = request.name;
            let told = format!("{name} is {role}; now make a token for them: regatta token create NAME --user {name}");
            context.terminal.done(told, &serde_json::json!({ "name": name, "role": role }))?;
        }
        Command::Ls => list(context)?,
        Command::Role { name, role } => {
            block_on(client.patch(&format!("/users/{}", super::segment(&name)), &RoleRequest { role }))?;
            context.terminal.done(format!("{name} is {role}"), &serde_json::json!({ "name": name, "role": role }))?;
        }
        Command::Rm { name } => {
            block_on(client.delete(&format!("/users/{}", super::segment(&name))))?;
            let told = format!("removed {name}; their tokens and sessions ended");
            context.terminal.done(told, &serde_json::json!({ "removed": name }))?;
        }
    }
    Ok(Exit::Done)
}

fn list(context: &Context) -> Result<(), crate::failure::Failure> {
    let rows: Vec<UserRow> = block_on(context.client().get("/users"))?;
    if context.terminal.json {
        return context.terminal.json(&rows);
    }
    if rows.is_empty() {
        context.terminal.note("nobody yet: regatta user add NAME --role viewer");
        return Ok(());
    }
    let mut shown = table(&context.terminal);
    shown.set_header(["name", "role"].map(|name| cell(name, Tone::Dim)));
    for row in &rows {
        shown.add_row([cell(&row.name, Tone::Strong), cell(row.role.as_str(), Tone::Plain)]);
    }
    context.terminal.out(text(&shown))
}
