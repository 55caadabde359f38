//! `regatta secret`: what the vault holds. Values come from standard input or a hidden prompt, and go to the server over
//! its owner's socket, or over TLS; no command shows one.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use regatta_core::event::secret::Scope;
use regatta_core::vault::{ExposeSecret as _, SECRET_BYTES_MAX, SecretString, Standing};
use regatta_http::requests::{SecretRow, SecretsView, VaultAnswer};
use serde_json::json;

use super::{confirmed, now_us, segment};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, numbers};

/// Keep credentials sealed; runs and the configuration name them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A run gets what its regatta.toml declares, and only that:

  [environment]
  NODE_ENV = \"test\"
  OPENAI_API_KEY = { secret = \"openai\", for = [\"agent\"] }

A secret is given to runs of the repositories it is allowed for. What agents print of it is masked.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Set(Set),
    Allow(Allow),
    Ls(Ls),
    Rm(Rm),
    Rotate(Rotate),
    Unlock(Unlock),
    Reset(Reset),
}

/// Whose runs may use it.
#[derive(Debug, clap::Args)]
struct For {
    /// Runs of this repository may use it; may be given several times [default: the one you are in]
    #[arg(long = "repository", value_name = "DIR")]
    repositories: Vec<PathBuf>,

    /// Runs of every repository may use it
    #[arg(long)]
    everywhere: bool,
}

/// Keep a secret; its value is read from standard input, or asked for without showing it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta secret set openai                    # asks for the value; runs of this repository may use it
  regatta secret set npm < token               # one line end at its end is left out
  pass show work/db | regatta secret set db --repository ~/shop --repository ~/api
  regatta secret set proxy --everywhere < url")]
struct Set {
    /// What it is called: letters, digits and . _ -
    name: String,
    #[command(flatten)]
    scope: For,
}

/// Let runs of more repositories use a secret
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta secret allow openai                  # the repository you are in
  regatta secret allow openai --repository ~/api
  regatta secret allow openai --everywhere")]
struct Allow {
    /// Which
    name: String,
    #[command(flatten)]
    scope: For,
}

/// List secrets, without their values
#[derive(Debug, clap::Args)]
struct Ls {}

/// Take a secret away; says first who uses it
#[derive(Debug, clap::Args)]
struct Rm {
    /// Which
    name: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Seal everything with a fresh key
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta secret rotate                        # a fresh key, in a file only you can read
  regatta secret rotate --passphrase           # a passphrase, asked for twice; after each start: regatta secret unlock
  regatta secret rotate --passphrase < phrase  # its first line
  regatta secret rotate --keyring              # in the keyring of your desktop session")]
struct Rotate {
    /// Seal with a passphrase instead of a key file
    #[arg(long, conflicts_with = "keyring")]
    passphrase: bool,
    /// Keep the key in the keyring of the desktop session (Secret Service) instead of a file
    #[arg(long)]
    keyring: bool,
}

/// Open a vault that takes a passphrase, until the server ends
#[derive(Debug, clap::Args)]
struct Unlock {}

/// Put a vault aside that cannot be opened any more, and begin an empty one
#[derive(Debug, clap::Args)]
struct Reset {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        Command::Set(args) => set(context, &args)?,
        Command::Allow(Allow { name, scope }) => allow(context, &name, &scope)?,
        Command::Ls(Ls {}) => list(context)?,
        Command::Rm(Rm { name, yes }) => return remove(context, &name, yes),
        Command::Rotate(args) => rotate(context, &args)?,
        Command::Unlock(Unlock {}) => {
            let passphrase = read("passphrase", false)?;
            let body = json!({ "passphrase": passphrase.expose_secret() });
            put_vault(context, "/vault/passphrase", &body)?;
            context.terminal.done("the vault is open until the server ends", &json!({ "unlocked": true }))?;
        }
        Command::Reset(Reset { yes }) => return reset(context, yes),
    }
    Ok(Exit::Done)
}

fn set(context: &Context, args: &Set) -> Result<(), Failure> {
    let asked = args.scope.asked(context)?;
    let value = read(&format!("value of {}", args.name), false)?;
    let row: SecretRow = block_on(async {
        server::ensure(context).await?;
        let client = context.client();
        let path = format!("/secrets/{}", segment(&args.name));
        let body = json!({ "value": value.expose_secret(), "scope": asked });
        let row: SecretRow = client.put(&path, &body).await?;
        // A new one is for where it was made.
        match here(context).filter(|_| row.scope == Scope::default()) {
            Some(here) => {
                client.patch_answered(&path, &Scope { repositories: [here].into(), ..Scope::default() }).await
            }
            None => Ok(row),
        }
    })?;
    told(context, &row)
}

fn allow(context: &Context, name: &str, scope: &For) -> Result<(), Failure> {
    let here = || here(context).map(|here| Scope { repositories: [here].into(), ..Scope::default() });
    let nowhere =
        || Failure::usage("this is no repository").hint("say which: --repository DIR; or all of them: --everywhere");
    let scope = scope.asked(context)?.or_else(here).ok_or_else(nowhere)?;
    let row: SecretRow = block_on(context.client().patch_answered(&format!("/secrets/{}", segment(name)), &scope))?;
    told(context, &row)
}

fn told(context: &Context, row: &SecretRow) -> Result<(), Failure> {
    if context.terminal.json {
        return context.terminal.json(row);
    }
    let name = &row.name;
    let who = match whose(&row.scope) {
        Some(whose) => format!("runs of {whose} may use it"),
        None => format!("no run may use it yet: regatta secret allow {name} --repository DIR"),
    };
    context.terminal.note(format!("secret {name} is kept; {who}"));
    Ok(())
}

/// Whose runs may use a secret, in words.
fn whose(scope: &Scope) -> Option<String> {
    match (scope.everywhere, scope.repositories.is_empty()) {
        (true, _) => Some("every repository".to_owned()),
        (false, true) => None,
        (false, false) => Some(scope.repositories.iter().cloned().collect::<Vec<_>>().join(", ")),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let view: SecretsView = block_on(async {
        server::ensure(context).await?;
        context.client().get("/secrets").await
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        return terminal.json(&view);
    }
    if view.standing == Standing::Locked {
        terminal.note("the vault is locked: regatta secret unlock");
    }
    if view.rows.is_empty() {
        terminal.note("no secrets; keep one: regatta secret set NAME");
        return Ok(());
    }
    terminal.out(render(&view.rows, terminal, now_us()))
}

fn render(rows: &[SecretRow], terminal: &Terminal, now_us: u64) -> String {
    let ago = |at_us: u64| numbers::ago(at_us, now_us);
    let mut shown = table(terminal);
    shown.set_header(["name", "made", "value set", "allowed for", "last used by"].map(|name| cell(name, Tone::Dim)));
    for row in rows {
        let used = row.last_use.as_ref().map(|last| format!("{}, {}", last.by, ago(last.at_us)));
        shown.add_row([
            cell(&row.name, Tone::Strong),
            cell(ago(row.made_at_us), Tone::Plain),
            cell(ago(row.changed_at_us), Tone::Plain),
            cell(whose(&row.scope).unwrap_or_else(|| "nobody yet".to_owned()), Tone::Plain),
            cell(used.unwrap_or_else(|| "-".to_owned()), Tone::Plain),
        ]);
    }
    text(&shown)
}

fn remove(context: &Context, name: &str, yes: bool) -> Outcome {
    let view: SecretsView = block_on(context.client().get("/secrets"))?;
    let row = view.rows.iter().find(|row| row.name == name).ok_or_else(|| {
        Failure::new(Exit::Refused, format!("there is no secret {name:?}")).hint("regatta secret ls shows them")
    })?;
    let terminal = &context.terminal;
    if let Some(whose) = whose(&row.scope) {
        terminal.note(format!("runs of {whose} may use it"));
    }
    if !row.settings.is_empty() {
        terminal.note(format!("the configuration names it: {}", row.settings.join(", ")));
    }
    if let Some(last) = &row.last_use {
        terminal.note(format!("last used by {}", last.by));
    }
    if !yes && !confirmed(&format!("remove {name}?"))? {
        terminal.note("nothing was removed");
        return Ok(Exit::Refused);
    }
    block_on(context.client().delete(&format!("/secrets/{}", segment(name))))?;
    terminal.done(format!("removed {name}"), &json!({ "removed": name }))?;
    Ok(Exit::Done)
}

fn rotate(context: &Context, args: &Rotate) -> Result<(), Failure> {
    let passphrase = if args.passphrase { Some(read("new passphrase", true)?) } else { None };
    let passphrase_text = passphrase.as_ref().map(|phrase| phrase.expose_secret());
    let body = json!({ "passphrase": passphrase_text, "keyring": args.keyring });
    let answer = put_vault(context, "/vault/key", &body)?;
    let how = match &passphrase {
        Some(_) => "; after each start of the server: regatta secret unlock",
        None if args.keyring => " in the machine's keyring; start the server from a session in which it is open",
        None => "",
    };
    let sealed = answer.secrets;
    context.terminal.done(format!("sealed {sealed} again with a fresh key{how}"), &json!({ "secrets": sealed }))
}

fn put_vault(context: &Context, path: &str, body: &serde_json::Value) -> Result<VaultAnswer, Failure> {
    block_on(async {
        server::ensure(context).await?;
        context.client().put(path, body).await
    })
}

fn reset(context: &Context, yes: bool) -> Outcome {
    if !yes && !confirmed("put the vault aside, with every secret in it, and begin an empty one?")? {
        context.terminal.note("nothing was changed");
        return Ok(Exit::Refused);
    }
    let answer: VaultAnswer = block_on(async {
        server::ensure(context).await?;
        context.client().put("/vault/contents", &json!({})).await
    })?;
    let aside = answer.aside.unwrap_or_else(|| "nowhere: there was none".to_owned());
    context.terminal.done(format!("the vault is empty; the old one is at {aside}"), &json!({ "aside": aside }))?;
    Ok(Exit::Done)
}

impl For {
    /// What the flags say; nothing when they are silent.
    fn asked(&self, context: &Context) -> Result<Option<Scope>, Failure> {
        let known = |path: &PathBuf| {
            if context.remote.is_some() {
                let unclear = || Failure::usage("a repository has to be named as it is on the server's machine");
                let text = path.to_str().filter(|_| path.is_absolute()).map(str::to_owned);
                return text.ok_or_else(|| unclear().hint("--repository /absolute/path"));
            }
            let unknown =
                || Failure::usage(format!("{} is no repository", path.display())).hint("name a folder that git knows");
            path.canonicalize().ok().and_then(|path| repository(&path)).ok_or_else(unknown)
        };
        let repositories: BTreeSet<String> = self.repositories.iter().map(known).collect::<Result<_, _>>()?;
        let scope = Scope { everywhere: self.everywhere, repositories };
        Ok((scope != Scope::default()).then_some(scope))
    }
}

/// The repository one is in; nothing when another machine's server is asked.
fn here(context: &Context) -> Option<String> {
    if context.remote.is_some() {
        return None;
    }
    repository(&std::env::current_dir().ok()?.canonicalize().ok()?)
}

fn repository(folder: &Path) -> Option<String> {
    let found = folder.ancestors().find(|folder| folder.join(".git").exists());
    found.and_then(Path::to_str).map(str::to_owned)
}

/// Reads a value: hidden at a terminal, twice when a mistake could not be mended; else standard input as it is, without
/// the line end at its end.
pub(super) fn read(what: &str, twice: bool) -> Result<SecretString, Failure> {
    if std::io::stdin().is_terminal() {
        let terminal = console::Term::stderr();
        let ask = |what: &str| -> Result<SecretString, Failure> {
            terminal.write_str(&format!("{what} (not shown): "))?;
            Ok(SecretString::from(terminal.read_secure_line()?))
        };
        let value = ask(what)?;
        if twice && ask("once more")?.expose_secret() != value.expose_secret() {
            return Err(Failure::usage("these are two different ones").hint("nothing was changed; try again"));
        }
        return Ok(value);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(SECRET_BYTES_MAX as u64 + 3).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage("standard input is not UTF-8 text"))?;
    let value = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text);
    if value.is_empty() {
        return Err(Failure::usage(format!("standard input is empty, so there is no {what}"))
            .hint("pipe it in, or run this at a terminal to be asked"));
    }
    Ok(SecretString::from(value))
}
