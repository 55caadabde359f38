//! The server's life: open, bring together, serve, end. Reads from top to bottom.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::log::{DurableLog, OpenError, Options as LogOptions, install_id};
use regatta_core::{Blobs, Clock as _, InstallId, Seq, SystemClock, Vault};
use regatta_dispatcher::{Archives, Caps, Dispatcher, Handle, Options, World};
use regatta_federation::Gateways;
use regatta_http::{About, Auth, Feed, LiveClients, Plane, Works, listener, router};
use regatta_projections::{Follower, Keeping, Live, follow_kept};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::folder::{self, BLOBS, VAULT};
use super::premises::Here;
use super::retention::{Kept, Retention};
use super::web::Web;
use super::{applied, detach, escalation, parts, relay, retention, trace, web, witness};
use crate::config::{Config, ServerSettings};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome, chain};

/// How long requests and effects under way may take once the server is told to stop.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Runs the server until it is told to stop.
pub(crate) fn run(context: &Context, config: &Config, as_detached: bool) -> Outcome {
    let outcome = start(context, config, as_detached);
    if let (true, Err(failure)) = (as_detached, &outcome) {
        detach::tell(context, failure);
    }
    outcome
}

fn start(context: &Context, config: &Config, as_detached: bool) -> Outcome {
    trace::init()?;
    if as_detached {
        // Out of the session of whoever started it, so that closing a terminal does not end it.
        rustix::process::setsid().ok();
    }
    listener::raise_files_max();
    folder::make(&context.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(context, config, as_detached));
    // Whatever still runs has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// What a server is made of.
struct Parts {
    install: InstallId,
    log: DurableLog,
    dispatcher: Dispatcher,
    handle: Handle,
    follower: Follower,
    live: Live,
    about: About,
    blobs: Blobs,
    works: Works,
    auth: Auth,
    vault: Vault,
    gateways: Gateways,
    web: Web,
}

async fn serve(context: &Context, config: &Config, as_detached: bool) -> Outcome {
    // Before anybody is told that it is ready, and may ask it to end.
    let signalled = signalled()?;
    let log = open(&context.data_dir, config)?;
    applied::record(&log, config.applied(), Seq(0)).await?;
    let parts = assemble(&context.data_dir, config, log).await?;
    let (stop, end, views_stop) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let socket = listener::bind(&context.data_dir)
        .map_err(|error| Failure::caused("failed to open the server's socket", &error))?;
    let (log, auth, web) = (parts.log.clone(), parts.auth.clone(), parts.web);
    let relay = relay::start(&context.data_dir, config, &log, &parts.vault, stop.child_token())?;
    let witness = witness::start(&context.data_dir, config, &log, &parts.vault, parts.install, end.clone()).await?;
    let (said_again, told) = ((&auth, &parts.gateways), (relay.state.clone(), witness.told.clone()));
    let retention = Retention::new(Kept::of(&context.data_dir, config, &log, said_again, &parts.handle, told));
    let plane = Plane {
        feed: Feed::follow(Arc::new(log.clone()), stop.clone()),
        live_clients: LiveClients::default(),
        log: Arc::new(parts.log),
        blobs: parts.blobs,
        works: parts.works,
        commands: Arc::new(parts.handle.clone()),
        sandboxes: Arc::new(parts.handle),
        live: parts.live,
        auth: parts.auth,
        premises: Arc::new(Here::new((&context.data_dir, config), Arc::new(log.clone()), &parts.vault, &retention)),
        vault: parts.vault,
        gateways: parts.gateways,
        about: Arc::new(parts.about),
        relay: relay.state,
        witnesses: witness.told,
        scrubbed: Some(log.scrubbed()),
        stop: stop.clone(),
    };
    say_ready(context, as_detached, &plane.about, &auth).await?;
    let mut dispatching = tokio::spawn(parts.dispatcher.run(stop.child_token()));
    let mut federating = tokio::spawn(escalation::beside(config, &plane, stop.child_token())?);
    let mut following = tokio::spawn(parts.follower.run_until(views_stop.clone().cancelled_owned()));
    let (retaining, router) = (tokio::spawn(retention.run(stop.child_token())), router(plane));
    let is_stranger = regatta_sandboxes::ancestry::is_inside;
    let mut serving = tokio::spawn(listener::serve(socket, is_stranger, router.clone(), stop.clone()));
    let mut serving_tcp = tokio::spawn(web.serve(router, stop.clone()));
    let ended = tokio::select! {
        // Once it is told to stop, parts that end are no failure.
        biased;
        () = stop.cancelled() => Ok(()),
        () = signalled => Ok(()),
        ended = &mut dispatching => failed("the dispatcher", ended),
        ended = &mut federating => failed("what keeps the gateways", ended),
        ended = &mut following => failed("the views", ended),
        ended = &mut serving => failed("the API", ended),
        ended = &mut serving_tcp => failed("the page", ended),
    };
    stop.cancel();
    let writers =
        [wait(dispatching), wait(federating), wait(serving), wait(serving_tcp), wait(relay.task), wait(retaining)];
    finish(writers).await;
    tokio::time::timeout(STOP_MAX, auth.settle()).await.ok();
    // After whoever writes events: a clean stop leaves nothing to fold for the next start, and the witness hears the
    // last word.
    views_stop.cancel();
    end.cancel();
    finish([wait(following), wait(witness.task)]).await;
    // Why a part failed is what matters; a log that is poisoned does not close well either.
    ended.and(close(log).await).map(|()| Exit::Done)
}

/// Tells whoever started the server that it is up.
async fn say_ready(context: &Context, as_detached: bool, about: &About, auth: &Auth) -> Result<(), Failure> {
    if as_detached {
        return context.terminal.out(detach::READY);
    }
    greet(context, about, auth).await;
    Ok(())
}

/// Tells the person at the terminal where everything is. Secrets are told to a terminal only: what is redirected ends in
/// a file.
async fn greet(context: &Context, about: &About, auth: &Auth) {
    let terminal = &context.terminal;
    let url = about.url.as_deref().unwrap_or_default();
    terminal.note(format!("ready at {}/{}", context.data_dir.display(), listener::SOCKET_NAME));
    terminal.note(format!("page: {url}"));
    terminal.note(format!("fence of local sandboxes: {}", about.fence));
    if !std::io::stderr().is_terminal() {
        terminal.note("to sign in: regatta open");
        return;
    }
    match auth.first_token(&context.user).await {
        Ok(Some(made)) => super::welcome::token(terminal, &made.secret),
        Ok(None) => {}
        Err(refusal) => terminal.note(format!("no admin token could be made: {}", refusal.message)),
    }
    match auth.make_link(&context.user) {
        Ok(key) => super::welcome::link(terminal, &format!("{url}/sign-in?key={key}")),
        Err(refusal) => terminal.note(format!("no sign-in link could be made: {}", refusal.message)),
    }
}

/// Closes the log; a disk that hangs does not keep the server.
async fn close(log: DurableLog) -> Result<(), Failure> {
    let closing = tokio::task::spawn_blocking(|| log.close());
    let late = || Failure::new(Exit::Failed, format!("the log did not close within {} s", STOP_MAX.as_secs()));
    let closed = tokio::time::timeout(STOP_MAX, closing).await.map_err(|_| late())?;
    let closed = closed.map_err(|error| Failure::caused("the log did not close", &error))?;
    // Its own words begin the sentence.
    closed.map_err(|error| Failure::new(Exit::Failed, chain(&error)))
}

fn open(data_dir: &Path, config: &Config) -> Result<DurableLog, Failure> {
    let ServerSettings { segment_bytes, index_deadline, .. } = config.server();
    DurableLog::open(LogOptions { segment_bytes, index_deadline, ..LogOptions::new(data_dir) }).map_err(|error| {
        if let OpenError::Locked { pid, .. } = error {
            let message = format!("a server already runs on {}: process {pid}", data_dir.display());
            return Failure::new(Exit::Refused, message).hint("use it as it is, or stop it first: regatta down");
        }
        if let OpenError::InUse { .. } = error {
            return Failure::new(Exit::Refused, error.to_string());
        }
        Failure::caused("failed to open the log", &error)
    })
}

async fn assemble(data_dir: &Path, config: &Config, log: DurableLog) -> Result<Parts, Failure> {
    let settings = config.server();
    let caused = |what: &'static str| move |error: &dyn std::error::Error| Failure::caused(what, error);
    let blobs = Blobs::open(&data_dir.join(BLOBS)).map_err(|error| caused("failed to open the blobs")(&error))?;
    blobs.clear().map_err(|error| caused("failed to clear the blobs")(&error))?;
    let install = install_id(data_dir, &SystemClock).map_err(|error| caused("failed to name this install")(&error))?;
    let vault = Vault::of(&data_dir.join(VAULT), Arc::new(log.clone()), Arc::new(SystemClock))
        .map_err(|error| caused("failed to read what the vault holds")(&error))?;
    let gateways = Gateways::open(Arc::new(log.clone()), vault.clone(), Arc::new(SystemClock))
        .map_err(|error| caused("failed to read which gateways there are")(&error))?;
    // Before anybody asks for a place at one.
    gateways.keep_all().await.map_err(|error| caused("failed to take up the gateways")(&error))?;
    let providers = parts::providers(data_dir, config, (&vault, &gateways, &log)).await?;
    let fence = parts::fence(&providers).await;
    let settings_web = config.web()?;
    let web = web::open(&settings_web).await?;
    let sign_in = web::sign_in(&settings_web, install.as_str(), web.is_exposed);
    let auth = Auth::open(Arc::new(log.clone()), Arc::new(SystemClock), sign_in)
        .map_err(|error| caused("failed to read who may do what")(&error))?;
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        data_dir: data_dir.to_owned(),
        fence,
        url: Some(web.url.clone()),
        started_at_us: SystemClock.now_us(),
    };
    let repositories = parts::repositories(data_dir)?;
    let works = Works::new(repositories.clone(), blobs.clone());
    let world = World {
        install: install.clone(),
        log: Arc::new(log.clone()),
        blobs: blobs.clone(),
        archives: Archives::of(data_dir),
        clock: Arc::new(SystemClock),
        providers,
        source_control: Arc::new(repositories.clone()),
        home: std::env::home_dir(),
        network: settings.network,
        vault: vault.clone(),
        failpoints: regatta_dispatcher::failpoint::Failpoints::default(),
    };
    let (attempts_max, by_provider) = (settings.attempts_max, settings.attempts_max_by);
    let caps = Caps { attempts_max, by_provider, pace_ms: config.pace_ms() };
    let (dispatcher, handle) = Options { world, caps, snapshots: Some(log.snapshots()) }.build();
    let (follower, live) = take_up_views(&log).await?;
    Ok(Parts { install, log, dispatcher, handle, follower, live, about, blobs, works, auth, vault, gateways, web })
}

/// The views from their newest snapshot; what is missing they take while the server is up.
async fn take_up_views(log: &DurableLog) -> Result<(Follower, Live), Failure> {
    let (log, keeping) = (log.clone(), Keeping::new(log.snapshots()));
    let taken_up = tokio::task::spawn_blocking(move || {
        let older = retention::archive_of(&log);
        follow_kept(Arc::new(log), keeping, older)
    })
    .await;
    taken_up.map_err(|error| Failure::caused("failed to take up the views", &error))
}

/// From now on signals are heard; what is returned ends when somebody asks this process to end.
fn signalled() -> Result<impl Future<Output = ()>, Failure> {
    let (mut terminate, mut interrupt, mut hangup) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to end"),
            _ = interrupt.recv() => tracing::info!("interrupted"),
            _ = hangup.recv() => tracing::info!("the terminal is gone"),
        }
    })
}

/// A part that should have gone on has ended.
fn failed<E: std::error::Error + 'static>(
    part: &str,
    ended: Result<Result<(), E>, tokio::task::JoinError>,
) -> Result<(), Failure> {
    let reason = match ended {
        Ok(Ok(())) => "it ended by itself".to_owned(),
        Ok(Err(error)) => chain(&error),
        Err(error) => error.to_string(),
    };
    Err(Failure::new(Exit::Failed, format!("{part} stopped: {reason}"))
        .hint("start the server again; nothing acknowledged is lost"))
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn wait<T: Send + 'static>(task: JoinHandle<T>) -> Waiting {
    Box::pin(async move {
        // One whose end was seen must not be asked again.
        if !task.is_finished() {
            // How it ended no longer matters; what was acknowledged is on disk.
            task.await.ok();
        }
    })
}

/// Lets what is under way come to its end, for a while.
async fn finish<const PARTS: usize>(parts: [Waiting; PARTS]) {
    let all = futures_util::future::join_all(parts);
    if tokio::time::timeout(STOP_MAX, all).await.is_err() {
        tracing::warn!(seconds = STOP_MAX.as_secs(), "something did not stop in time");
    }
}
