//! `regatta up`: the server.

use crate::config::{self, Config, Written};
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::{nats, server};

/// Start the server; runs that were under way go on
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta up                     in the foreground; Ctrl-C stops it, attempts go on
  regatta up --detach            in the background
  regatta up --limit 8           at most 8 attempts at once
  regatta up --listen 127.0.0.1:9000
  regatta up --nats nats://host  publish every event to NATS JetStream, too
  REGATTA_LOG=debug regatta up   tells more")]
pub(crate) struct Args {
    /// Run in the background; prints the process id when it is ready
    #[arg(long, short)]
    detach: bool,

    /// Attempts that run at once [default: 2 per core, at least 4]
    #[arg(long, value_name = "COUNT")]
    limit: Option<String>,

    /// How local sandboxes are fenced: auto, bubblewrap or landlock
    #[arg(long, value_name = "FENCE")]
    fence: Option<String>,

    /// Whether local sandboxes may reach the network: on or off
    #[arg(long, value_name = "ON|OFF")]
    network: Option<String>,

    /// Address of the page and the API [default: 127.0.0.1:7433, or a free port after it]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,

    /// Certificate chain the page is served under, PEM; with --tls-key it may listen off loopback
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,

    /// Key of that certificate, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,

    /// Address of the proxy with TLS before it, whose X-Forwarded-* are believed; needed off loopback
    #[arg(long, value_name = "ADDRESS")]
    behind_proxy: Option<String>,

    /// NATS server every event is published to; credentials are named in regatta.toml
    #[arg(long, value_name = "URL")]
    nats: Option<String>,

    /// Set by `--detach` on the process it starts.
    #[arg(long, hide = true)]
    as_detached: bool,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    nats::without_secret("--nats", args.nats.as_deref())?;
    let (tls_cert, tls_key) = (absolute(args.tls_cert)?, absolute(args.tls_key)?);
    let given = [
        ("limits.attempts", "--limit", &args.limit),
        ("sandbox.fence", "--fence", &args.fence),
        ("sandbox.network", "--network", &args.network),
        ("http.listen", "--listen", &args.listen),
        ("http.tls_cert", "--tls-cert", &tls_cert),
        ("http.tls_key", "--tls-key", &tls_key),
        ("http.behind_proxy", "--behind-proxy", &args.behind_proxy),
        ("nats.url", "--nats", &args.nats),
    ];
    let flags = given.iter().map(|(name, flag, text)| config::flag(name, flag, (*text).clone().map(Written::One)));
    let config = Config::of_server(&context.data_dir, flags.collect::<Result<_, _>>()?)?;
    if args.detach {
        let passed =
            given.iter().filter_map(|(_, flag, text)| text.as_ref().map(|text| [(*flag).to_owned(), text.clone()]));
        let passed: Vec<String> = passed.flatten().collect();
        let started = block_on(server::start_detached(context, &passed))?;
        return welcome(context, started);
    }
    server::run(context, &config, args.as_detached)
}

/// A file as it is named from any folder: a server in the background stands elsewhere.
fn absolute(path: Option<String>) -> Result<Option<String>, Failure> {
    let path = path.map(std::path::absolute).transpose()?;
    Ok(path.map(|path| path.display().to_string()))
}

/// Tells whoever started a server in the background how to sign in.
fn welcome(context: &Context, started: server::Started) -> Outcome {
    let welcome = block_on(server::welcome::make(context));
    let terminal = &context.terminal;
    if terminal.json {
        let mut told = serde_json::json!({ "pid": started.pid, "already_running": started.was_running });
        let more = welcome.ok().and_then(|welcome| serde_json::to_value(welcome).ok());
        if let (Some(told), Some(serde_json::Value::Object(more))) = (told.as_object_mut(), more) {
            told.extend(more);
        }
        terminal.json(&told)?;
        return Ok(Exit::Done);
    }
    let state = if started.was_running { "running already" } else { "ready" };
    terminal.note(format!("server {} is {state}", started.pid));
    match welcome {
        Ok(welcome) => {
            if let Some(secret) = &welcome.admin_token {
                server::welcome::token(terminal, secret);
            }
            server::welcome::link(terminal, &welcome.link.link);
        }
        // It runs all the same; as when its log takes no more.
        Err(failure) => terminal.note(format!("no sign-in link could be made: {}", failure.message)),
    }
    Ok(Exit::Done)
}
