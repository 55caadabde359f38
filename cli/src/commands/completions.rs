//! `regatta completions`: a script for the shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::context::Context;
use crate::failure::{Exit, Outcome};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta completions bash > ~/.local/share/bash-completion/completions/regatta
  regatta completions zsh > ~/.zfunc/_regatta
  regatta completions fish > ~/.config/fish/completions/regatta.fish")]
pub(crate) struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::Args::command(), "regatta", &mut script);
    if context.terminal.json {
        let (shell, script) = (args.shell.to_string(), String::from_utf8_lossy(&script));
        context.terminal.json(&serde_json::json!({ "shell": shell, "script": script }))?;
    } else {
        context.terminal.bytes(&script)?;
    }
    Ok(Exit::Done)
}
