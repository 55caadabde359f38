//! `regatta run`: asks for a run and returns; with `--wait`, follows it to its end.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use regatta_core::Clock as _;
use regatta_core::event::run::PROMPT_BYTES_MAX;
use regatta_dispatcher::RunRequest;
use regatta_http::requests::RunAccepted;

use super::watch;
use crate::client::Client;
use crate::config::{self, Config, Layer, Written};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::{follow, server};

/// Times a request whose answer was lost is made again, under the same key.
const REPEATS_MAX: u32 = 3;

/// Send one task to several agents at once; prints the run's id and returns
#[derive(Debug, clap::Args)]
#[command(after_help = "\
ATTEMPT is AGENT[:MODEL][@SANDBOX][*COUNT], or command[@SANDBOX][*COUNT]=SHELL:
  claude    codex:gpt-5    claude:sonnet*3    codex@docker    'command=./my-agent.sh'
  openclaw:main*2       an OpenClaw agent, each behind a gateway of its own in its sandbox
  openclaw@gateway*2    sessions of your gateways, where there is room; @gateway:NAME for one

Examples:
  regatta run 'fix the failing test' -a claude -a codex --check 'tests=cargo test'
  regatta run -f task.md -a claude:sonnet*3 --strategy best --wait
  echo 'rename Foo to Bar' | regatta run - -a codex:gpt-5 --check 'make test'
  regatta run --task nightly.toml

Defaults come from [run] in ./regatta.toml and in the data directory's regatta.toml;
`regatta doctor --config` shows each and where it came from.")]
pub(crate) struct Args {
    /// What the agents are to do; `-` reads it from standard input
    #[arg(value_name = "PROMPT", conflicts_with = "file")]
    prompt: Option<String>,

    /// Read the prompt from a file
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Read prompt and options from a TOML file; flags override it
    #[arg(long, value_name = "FILE")]
    task: Option<PathBuf>,

    /// The repository to work on
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,

    /// Branch, tag or commit to start from
    #[arg(long, value_name = "REF")]
    base: Option<String>,

    /// What to do about uncommitted changes: refuse, ignore or include
    #[arg(long, value_name = "WHAT")]
    uncommitted: Option<String>,

    /// Who tries; may be given several times
    #[arg(long = "attempt", short, value_name = "ATTEMPT")]
    attempts: Vec<String>,

    /// race: first to pass wins; best: smallest that passes; all: you pick
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<String>,

    /// A command whose exit code is evidence, as 'tests=cargo test'; may be given several times
    #[arg(long = "check", value_name = "[NAME=]SHELL")]
    checks: Vec<String>,

    /// Files of the workspace to keep besides the change, ignored ones too, as 'target/report/**'; may be given several
    /// times. What a command writes into $REGATTA_ARTIFACTS is kept in any case
    #[arg(long = "artifact", value_name = "PATH")]
    artifacts: Vec<String>,

    /// Run in each sandbox before the agent
    #[arg(long, value_name = "SHELL")]
    setup: Option<String>,

    /// Time for each agent, setup and checks not counted, as 10m or 1h30m
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,

    /// Time for the setup command in each sandbox
    #[arg(long, value_name = "TIME")]
    setup_timeout: Option<String>,

    /// Time for each check of each attempt; one that takes longer has failed
    #[arg(long, value_name = "TIME")]
    check_timeout: Option<String>,

    /// Sandbox of attempts that name none: local, docker, e2b, daytona, gateway, or host (no fence)
    #[arg(long, value_name = "SANDBOX")]
    sandbox: Option<String>,

    /// Follow the run to its end and exit by its verdict
    #[arg(long, short)]
    wait: bool,

    /// Fail when no server runs, instead of starting one
    #[arg(long)]
    no_start: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Outcome {
    let request = request(context, args)?;
    // One key for this invocation: a repeated request cannot become a second run.
    let key = regatta_core::SystemClock.event_id().to_string();
    let terminal = &context.terminal;
    block_on(async {
        if !args.no_start {
            server::ensure(context).await?;
        }
        let client = context.client();
        let accepted = ask(&client, &request, &key).await?;
        let run = accepted.run.to_string();
        if !args.wait {
            if terminal.json {
                terminal.json(&accepted)?;
            } else {
                terminal.out(&run)?;
                terminal.note(format!("watch it: regatta watch {run}   compare: regatta compare {run}"));
            }
            return Ok(Exit::Done);
        }
        if !terminal.json {
            terminal.out(&run)?;
        }
        let view = follow::follow(&client, &run, terminal).await?;
        if !terminal.json {
            watch::end(&view, terminal);
        }
        Ok(follow::exit(&view))
    })
}

async fn ask(client: &Client, request: &RunRequest, key: &str) -> Result<RunAccepted, Failure> {
    let mut repeats = 0;
    loop {
        match client.command_once("/runs", request, key).await {
            Err(failure) if failure.exit == Exit::Failed && repeats < REPEATS_MAX => repeats += 1,
            other => return other,
        }
    }
}

fn request(context: &Context, args: &Args) -> Result<RunRequest, Failure> {
    let repository = repository(context, &args.repo)?;
    let (task, task_prompt) = args.task.as_deref().map_or(Ok((Layer::default(), None)), config::task)?;
    let project = project_file(&repository);
    let config = Config::of_run(&context.data_dir, project.as_deref(), task, flags(args)?)?;
    let run = config.run(&super::agents())?;
    if run.attempts.is_empty() {
        return Err(Failure::usage("nobody was asked to try")
            .hint("say who: -a claude -a codex, or set run.attempts in regatta.toml"));
    }
    let repository = repository.into_os_string().into_string().map_err(|path| {
        Failure::usage(format!("the repository's path {} is not UTF-8", path.display())).hint("rename its folder")
    })?;
    Ok(RunRequest {
        prompt: prompt(args, task_prompt)?,
        repository,
        base: run.base,
        uncommitted: run.uncommitted,
        attempts: run.attempts,
        strategy: run.strategy,
        setup: run.setup,
        checks: run.checks,
        artifacts: run.artifacts,
        limits: run.limits,
        environment: run.environment,
    })
}

/// Where the repository is: on this machine, or as the server's machine names it.
fn repository(context: &Context, repo: &Path) -> Result<PathBuf, Failure> {
    if context.remote.is_some() {
        let unclear = || Failure::usage("the repository has to be named as it is on the server's machine");
        return repo.is_absolute().then(|| repo.to_owned()).ok_or_else(|| unclear().hint("--repo /absolute/path"));
    }
    repo.canonicalize().map_err(|error| {
        Failure::new(Exit::Usage, format!("the repository {} cannot be opened: {error}", repo.display()))
            .hint("name it: --repo DIR")
    })
}

fn flags(args: &Args) -> Result<Vec<Layer>, config::Error> {
    let one = |text: &Option<String>| text.clone().map(Written::One);
    let many = |texts: &[String]| (!texts.is_empty()).then(|| Written::Many(texts.to_vec()));
    [
        ("run.base", "--base", one(&args.base)),
        ("run.uncommitted", "--uncommitted", one(&args.uncommitted)),
        ("run.attempts", "--attempt", many(&args.attempts)),
        ("run.strategy", "--strategy", one(&args.strategy)),
        ("run.checks", "--check", many(&args.checks)),
        ("run.artifacts", "--artifact", many(&args.artifacts)),
        ("run.setup", "--setup", one(&args.setup)),
        ("run.timeout", "--timeout", one(&args.timeout)),
        ("run.setup_timeout", "--setup-timeout", one(&args.setup_timeout)),
        ("run.check_timeout", "--check-timeout", one(&args.check_timeout)),
        ("run.sandbox", "--sandbox", one(&args.sandbox)),
    ]
    .into_iter()
    .map(|(name, flag, written)| config::flag(name, flag, written))
    .collect()
}

/// The project's configuration: beside the repository's `.git`, or nearer.
pub(super) fn project_file(repository: &Path) -> Option<PathBuf> {
    for folder in repository.ancestors() {
        let file = folder.join(config::FILE_NAME);
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    None
}

fn prompt(args: &Args, from_task: Option<String>) -> Result<String, Failure> {
    match (&args.prompt, &args.file, from_task) {
        (Some(dash), _, _) if dash == "-" => read_prompt(std::io::stdin().lock(), "standard input"),
        (Some(prompt), _, _) => Ok(prompt.clone()),
        (None, Some(path), _) => {
            let file = File::open(path).map_err(|error| {
                Failure::usage(format!("the prompt's file {} cannot be opened: {error}", path.display()))
            })?;
            read_prompt(file, &path.display().to_string())
        }
        (None, None, Some(prompt)) => Ok(prompt),
        (None, None, None) => {
            Err(Failure::usage("there is no prompt")
                .hint("regatta run 'fix the failing test' -a claude, or -f FILE, or -"))
        }
    }
}

/// Reads a prompt, one byte past its bound at most, so that the refusal can say so.
fn read_prompt(from: impl std::io::Read, place: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(PROMPT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::caused(format!("failed to read the prompt from {place}"), &error))?;
    if bytes.len() > PROMPT_BYTES_MAX {
        return Err(Failure::usage(format!("the prompt in {place} is larger than {PROMPT_BYTES_MAX} bytes"))
            .hint("put the long part into a file of the repository and name it in the prompt"));
    }
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("the prompt in {place} is not UTF-8 text")))
}
