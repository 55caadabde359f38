//! The command line: every command, its global flags, and how it all exits.

use std::path::PathBuf;
use std::sync::Arc;

use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::client::Remote;
use crate::commands;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::Terminal;

const EXITS: &str = "\
Exit codes:
  0    done; with --wait: the winner is delivered
  1    with --wait: there is no delivered winner; doctor: something needs doing
  2    the command line or a configuration file is wrong
  3    refused: wrong state, unusable repository, too much waiting
  4    the server, the disk or the connection failed
  130  interrupted from the keyboard

RUN is a run's id, the beginning of one, or `last`. ATTEMPT is RUN.LETTER, as 7q2k9x0m.b or last.b.";

/// Races coding agents: one task, N attempts in N sandboxes, checks, a winner.
#[derive(Debug, Parser)]
#[command(name = "regatta", version, after_help = EXITS, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    /// Where the log, patches and sandboxes are kept [default: $XDG_DATA_HOME/regatta]
    #[arg(long, global = true, value_name = "DIR", env = "REGATTA_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,

    /// Ask the server at this address, as https://HOST, instead of this machine's own
    #[arg(long, global = true, value_name = "URL", env = "REGATTA_SERVER", hide_env = true)]
    server: Option<String>,

    /// File that holds the token for --server; else the variable REGATTA_TOKEN does
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Certificate that vouches for --server, PEM, instead of those this machine trusts
    #[arg(long, global = true, value_name = "FILE")]
    server_ca: Option<PathBuf>,

    /// Print JSON on standard output, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(commands::up::Args),
    Down(commands::down::Args),
    Run(Box<commands::run::Args>),
    Ls(commands::ls::Args),
    Show(commands::show::Args),
    Watch(commands::watch::Args),
    Compare(commands::compare::Args),
    Artifacts(commands::artifacts::Args),
    Pick(commands::pick::Args),
    Cancel(commands::cancel::Args),
    Restore(commands::restore::Args),
    #[command(visible_alias = "synth")]
    Synthesize(commands::synthesize::Args),
    Discard(commands::discard::Args),
    Disk(commands::disk::Args),
    Clean(commands::clean::Args),
    Fleet(commands::fleet::Args),
    Sandbox(commands::sandbox::Args),
    Gateway(commands::gateway::Args),
    Approvals(commands::approvals::Args),
    Threads(commands::threads::Args),
    Open(commands::open::Args),
    Token(commands::token::Args),
    Secret(commands::secret::Args),
    User(commands::user::Args),
    Log(commands::log::Args),
    Replay(commands::replay::Args),
    Doctor(commands::doctor::Args),
    Demo(commands::demo::Args),
    Schema(commands::schema::Args),
    Completions(commands::completions::Args),
}

impl Command {
    /// Refuses what is about this machine, when another one's server is to be asked.
    fn only_here(&self) -> Result<(), Failure> {
        let name = match self {
            Self::Up(_) => "up",
            Self::Down(_) => "down",
            Self::Open(_) => "open",
            Self::Log(_) => "log",
            Self::Doctor(_) => "doctor",
            Self::Demo(_) => "demo",
            Self::Run(_)
            | Self::Ls(_)
            | Self::Show(_)
            | Self::Watch(_)
            | Self::Compare(_)
            | Self::Pick(_)
            | Self::Cancel(_)
            | Self::Restore(_)
            | Self::Synthesize(_)
            | Self::Discard(_)
            | Self::Disk(_)
            | Self::Clean(_)
            | Self::Fleet(_)
            | Self::Sandbox(_)
            | Self::Gateway(_)
            | Self::Approvals(_)
            | Self::Threads(_)
            | Self::Token(_)
            | Self::Secret(_)
            | Self::User(_)
            | Self::Artifacts(_)
            | Self::Replay(_)
            | Self::Schema(_)
            | Self::Completions(_) => return Ok(()),
        };
        Err(Failure::usage(format!("`regatta {name}` is about this machine, and --server names another one"))
            .hint("run it there, or leave --server out (REGATTA_SERVER sets it, too)"))
    }
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> Exit {
    let read = Args::command().try_get_matches().and_then(|matches| {
        let is_given = matches.value_source("data_dir") == Some(ValueSource::CommandLine);
        Ok((Args::from_arg_matches(&matches)?, is_given))
    });
    let (args, is_data_dir_given) = match read {
        Ok(read) => read,
        Err(error) => {
            // Help and version are no mistakes; both print themselves.
            error.print().ok();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let json = args.json;
    dispatch(args, is_data_dir_given).unwrap_or_else(|failure| {
        Terminal::detect(json).failure(&failure);
        failure.exit
    })
}

fn dispatch(args: Args, is_data_dir_given: bool) -> Outcome {
    let mut context = Context::new(args.data_dir.as_deref(), args.json)?;
    if let Some(server) = &args.server {
        args.command.only_here()?;
        let remote = Remote::new(server, args.token_file.as_deref(), args.server_ca.as_deref())?;
        context.remote = Some(Arc::new(remote));
    }
    match args.command {
        Command::Up(args) => commands::up::run(&context, args),
        Command::Down(args) => commands::down::run(&context, args),
        Command::Run(args) => commands::run::run(&context, &args),
        Command::Ls(args) => commands::ls::run(&context, args),
        Command::Show(args) => commands::show::run(&context, args),
        Command::Watch(args) => commands::watch::run(&context, args),
        Command::Compare(args) => commands::compare::run(&context, args),
        Command::Artifacts(args) => commands::artifacts::run(&context, args),
        Command::Pick(args) => commands::pick::run(&context, args),
        Command::Cancel(args) => commands::cancel::run(&context, args),
        Command::Restore(args) => commands::restore::run(&context, args),
        Command::Synthesize(args) => commands::synthesize::run(&context, args),
        Command::Discard(args) => commands::discard::run(&context, args),
        Command::Disk(args) => commands::disk::run(&context, args),
        Command::Clean(args) => commands::clean::run(&context, args),
        Command::Fleet(args) => commands::fleet::run(&context, args),
        Command::Sandbox(args) => commands::sandbox::run(&context, args),
        Command::Gateway(args) => commands::gateway::run(&context, args),
        Command::Approvals(args) => commands::approvals::run(&context, args),
        Command::Threads(args) => commands::threads::run(&context, args),
        Command::Open(args) => commands::open::run(&context, args),
        Command::Token(args) => commands::token::run(&context, args),
        Command::Secret(args) => commands::secret::run(&context, args),
        Command::User(args) => commands::user::run(&context, args),
        Command::Log(args) => commands::log::run(&context, args),
        Command::Replay(args) => commands::replay::run(&context, args),
        Command::Doctor(args) => commands::doctor::run(&context, args),
        Command::Demo(args) => commands::demo::run(&context, args, is_data_dir_given),
        Command::Schema(args) => commands::schema::run(&context, args),
        Command::Completions(args) => commands::completions::run(&context, args),
    }
}
