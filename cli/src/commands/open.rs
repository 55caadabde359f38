//! `regatta open`: the page, signed in, in this machine's browser.

use std::process::{Command, Stdio};

use regatta_http::requests::LinkMade;

use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::server;

/// Open the page in the browser, signed in; starts a server when none runs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(context: &Context, _: Args) -> Outcome {
    let made = block_on(async {
        server::ensure(context).await?;
        context.client().create::<_, LinkMade>("/sign-in-links", &serde_json::json!({})).await
    })?;
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| std::env::var_os(name).is_some());
    let is_opened = has_screen && {
        // Others on this machine may see a program's arguments; the link is used up the moment the browser opens it.
        let mut browser = Command::new("xdg-open");
        browser.arg(&made.link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        browser.status().is_ok_and(|status| status.success())
    };
    if is_opened {
        context.terminal.done(format!("opened {}", made.url), &serde_json::json!({ "url": made.url }))?;
    } else if context.terminal.json {
        context.terminal.json(&made)?;
    } else {
        context.terminal.out(&made.link)?;
        context.terminal.note("no browser here: open the link in one; it works once, within ten minutes");
    }
    Ok(Exit::Done)
}
