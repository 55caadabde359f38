//! Keeps the one connection to a gateway for as long as it belongs to us: connects, records what it says, says loudly when
//! it cannot, and tries again for ever where trying does no harm. What is done beside that is in `care`.

use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::gateway::{Added, GatewayEvent, Stopped};
use regatta_core::{
    Actor, Append, AppendError, Clock, Draft, Event, EventId, Expect, GatewayName, Log, Refusal, Stream, log,
};
use regatta_gateway::{Hello, Link, Notice, Reason, State};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::Broker;
use crate::care::{Care, TIMES_EVERY};
use crate::keyring::Keyring;
use crate::rebuild::{Rebuilder, Settle};
use crate::record::Recorder;
use crate::rules::Book;
use crate::ruling::Ruling;
use crate::status::{AGAIN_S, LinkNow, LinkState};

/// Notices taken at once.
const BATCH_MAX: usize = 1_024;
/// Bytes of frames appended at once; more than the largest one.
const APPEND_BYTES_MAX: usize = 3 << 20;
/// Events appended at once.
const APPEND_EVENTS_MAX: usize = 1_000;
/// How long is waited when too many appends wait already.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// How long is waited after what cannot be helped: a credential that cannot be had, a log that takes nothing.
const LATER: Duration = Duration::from_secs(10);

/// What others see of a gateway's connection, and how they reach it.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) now: watch::Receiver<LinkNow>,
    pub(crate) link: watch::Receiver<Option<Arc<Link>>>,
    pub(crate) hello: watch::Receiver<Option<Arc<Hello>>>,
    pub(crate) broker: Broker,
    pub(crate) rebuilder: Rebuilder,
    /// Tries now.
    pub(crate) poke: Arc<Notify>,
}

/// When a link that ended is opened again.
#[derive(PartialEq, Eq)]
enum Next {
    /// At once, with what proves that we may as it is now.
    Again,
    Later,
}

/// Keeps one gateway's connection.
pub(crate) struct Keeper {
    added: Added,
    keyring: Keyring,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    broker: Broker,
    rebuilder: Rebuilder,
    settle: Settle,
    to_settle: mpsc::Receiver<oneshot::Sender<()>>,
    rules: watch::Receiver<Arc<Book>>,
    recorder: Recorder,
    now: watch::Sender<LinkNow>,
    link: watch::Sender<Option<Arc<Link>>>,
    hello: watch::Sender<Option<Arc<Hello>>>,
    poke: Arc<Notify>,
    /// Tells whoever cares for the connection that something was missed.
    missed: Arc<Notify>,
    stop: CancellationToken,
    /// What everything on the present connection belongs to.
    correlation: Uuid,
    /// The last reason that was recorded for there being no connection.
    said: Option<String>,
    /// Whether the log takes nothing now.
    is_refusing: bool,
}

impl Keeper {
    pub(crate) fn new(
        added: Added,
        keyring: Keyring,
        (log, clock): (Arc<dyn Log>, Arc<dyn Clock>),
        (broker, rebuilder, rules): (Broker, Rebuilder, watch::Receiver<Arc<Book>>),
        stop: CancellationToken,
    ) -> (Self, Shown) {
        let (now, link, hello) =
            (watch::Sender::new(LinkNow::default()), watch::Sender::new(None), watch::Sender::new(None));
        let poke = Arc::new(Notify::new());
        let shown = Shown {
            now: now.subscribe(),
            link: link.subscribe(),
            hello: hello.subscribe(),
            broker: broker.clone(),
            rebuilder: rebuilder.clone(),
            poke: Arc::clone(&poke),
        };
        let recorder = Recorder::new(added.gateway.clone());
        let (settle, to_settle) = mpsc::channel(1);
        let correlation = Uuid::nil();
        let keeper = Self {
            added,
            keyring,
            log,
            clock,
            broker,
            rebuilder,
            settle,
            to_settle,
            rules,
            recorder,
            now,
            link,
            hello,
            poke,
            missed: Arc::default(),
            stop,
            correlation,
            said: None,
            is_refusing: false,
        };
        (keeper, shown)
    }

    fn gateway(&self) -> &GatewayName {
        &self.added.gateway
    }

    /// Keeps it until told to stop.
    pub(crate) async fn run(mut self) {
        while !self.stop.is_cancelled() {
            let stop = self.stop.clone();
            let opened = tokio::select! {
                () = stop.cancelled() => break,
                opened = self.open() => opened,
            };
            match opened {
                Ok((link, notices)) => {
                    if self.attend(&link, notices).await == Next::Again {
                        continue;
                    }
                }
                Err(refusal) => {
                    let now = LinkNow::untried(&refusal);
                    self.say_stopped(&now, true).await;
                    self.now.send_replace(now);
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.poke.notified() => {}
                () = sleep(LATER) => {}
            }
        }
    }

    async fn open(&self) -> Result<(Arc<Link>, mpsc::Receiver<Notice>), Refusal> {
        let options = self.keyring.options(&self.added).await?;
        let unusable =
            |error: regatta_gateway::AddressError| Refusal::new(regatta_core::RefusalKind::Unusable, error.to_string());
        let (link, notices) = Link::open(options).map_err(unusable)?;
        let link = Arc::new(link);
        self.link.send_replace(Some(Arc::clone(&link)));
        Ok((link, notices))
    }

    /// Takes what the link notices until told to stop, or until it is to be opened anew.
    async fn attend(&mut self, link: &Arc<Link>, mut notices: mpsc::Receiver<Notice>) -> Next {
        let (mut state, mut batch) = (link.state(), Vec::with_capacity(BATCH_MAX));
        let mut caring = JoinSet::new();
        let mut again: Option<Instant> = None;
        let mut times = interval(TIMES_EVERY);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        let next = loop {
            tokio::select! {
                () = stop.cancelled() => break Next::Again,
                () = self.poke.notified() => {
                    if !is_connected(link) {
                        break Next::Again;
                    }
                }
                taken = notices.recv_many(&mut batch, BATCH_MAX) => {
                    if taken == 0 || self.take(std::mem::take(&mut batch), link, &mut caring).await.is_err() {
                        break Next::Later;
                    }
                }
                Some(answer) = self.to_settle.recv() => {
                    while let Ok(notice) = notices.try_recv() {
                        batch.push(notice);
                    }
                    if self.take(std::mem::take(&mut batch), link, &mut caring).await.is_err() {
                        break Next::Later;
                    }
                    // Whoever asked may be gone.
                    answer.send(()).ok();
                }
                changed = state.changed() => {
                    if changed.is_err() {
                        break Next::Later;
                    }
                    let now = state.borrow_and_update().clone();
                    again = self.tell(&now).await;
                }
                () = passed(again) => break Next::Again,
                // With a connection it is cared for there.
                _ = times.tick(), if !is_connected(link) => self.broker.look_at_times(None).await,
            }
        };
        caring.shutdown().await;
        self.hello.send_replace(None);
        link.close().await;
        self.link.send_replace(None);
        self.now.send_replace(LinkNow::default());
        let ended: Vec<GatewayEvent> = self.recorder.ended("regatta closed it").into_iter().collect();
        // The log refusing this is told by the next connection.
        self.record(ended).await.ok();
        next
    }

    /// Records notices, and only then acts on them.
    async fn take(
        &mut self,
        batch: Vec<Notice>,
        link: &Arc<Link>,
        caring: &mut JoinSet<()>,
    ) -> Result<(), AppendError> {
        let mut welcomed = None;
        for notice in &batch {
            match notice {
                Notice::Welcomed(hello) => welcomed = Some(Arc::clone(hello)),
                Notice::Lost(_) => {
                    // Before the loss is on disk: whoever sees the greeting will find the loss behind it.
                    self.hello.send_replace(None);
                    self.rebuilder.miss();
                    welcomed = None;
                }
                Notice::Received(_) | Notice::Missing(_) => {}
            }
        }
        let has_gap = batch.iter().any(|notice| matches!(notice, Notice::Missing(_)));
        let facts = batch.iter().filter_map(|notice| self.recorder.fact(notice)).collect();
        let was_refusing = self.is_refusing;
        if has_gap || was_refusing {
            self.rebuilder.miss();
        }
        self.record(facts).await?;
        // Until here they counted as held, so that a slow disk holds back the socket.
        drop(batch);
        if let Some(hello) = welcomed {
            self.said = None;
            self.rebuilder.begin();
            caring.shutdown().await;
            caring.spawn(self.care(Arc::clone(link), Arc::clone(&hello)).go_on());
            let (broker, rules) = (self.broker.clone(), self.rules.clone());
            caring.spawn(Ruling { broker, link: Arc::clone(link), rules }.go_on());
            self.hello.send_replace(Some(hello));
        } else if has_gap || was_refusing && !self.is_refusing {
            self.missed.notify_one();
        }
        Ok(())
    }

    fn care(&self, link: Arc<Link>, hello: Arc<Hello>) -> Care {
        Care {
            gateway: self.gateway().clone(),
            keyring: self.keyring.clone(),
            broker: self.broker.clone(),
            rebuilder: self.rebuilder.clone(),
            settle: self.settle.clone(),
            link,
            hello,
            missed: Arc::clone(&self.missed),
        }
    }

    /// Appends facts, in order; with what was owed before them. Only a log that is poisoned is an error.
    async fn record(&mut self, facts: Vec<GatewayEvent>) -> Result<(), AppendError> {
        let mut all = self.recorder.owed();
        all.extend(facts);
        let mut left = all.into_iter().peekable();
        while left.peek().is_some() {
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            while let Some(fact) = left.next_if(|fact| {
                chunk.len() < APPEND_EVENTS_MAX && (chunk.is_empty() || bytes + size(fact) <= APPEND_BYTES_MAX)
            }) {
                bytes += size(&fact);
                chunk.push(fact);
            }
            match self.append(&chunk).await {
                Ok(ids) => {
                    self.is_refusing = false;
                    self.hand_on(&chunk, &ids).await;
                }
                Err(error @ AppendError::Poisoned(_)) => {
                    tracing::error!(gateway = %self.gateway(), %error, "what the gateway says cannot be recorded");
                    return Err(error);
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.is_refusing, true) {
                        tracing::error!(gateway = %self.gateway(), %error, "what the gateway says is not recorded");
                    }
                    chunk.extend(left);
                    self.recorder.owe(chunk, &reason(error));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn append(&mut self, facts: &[GatewayEvent]) -> Result<Vec<EventId>, AppendError> {
        let mut drafts = Vec::with_capacity(facts.len());
        for fact in facts {
            let draft = Draft::new(&Event::Gateway(fact.clone()), &*self.clock, Actor::regatta(), Uuid::nil());
            if matches!(fact, GatewayEvent::Connected(_)) || self.correlation.is_nil() {
                self.correlation = draft.id.0;
            }
            drafts.push(Draft { correlation: self.correlation, ..draft });
        }
        let ids = drafts.iter().map(|draft| draft.id).collect();
        let stream = Stream::link(self.gateway());
        loop {
            let append = Append { stream: stream.clone(), expect: Expect::Any, events: drafts.clone() };
            match log::append(&*self.log, append).await {
                Ok(_) => return Ok(ids),
                // Nothing is read from the socket meanwhile.
                Err(AppendError::Busy) => sleep(BUSY_WAIT).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands recorded frames to whoever acts on them.
    async fn hand_on(&self, facts: &[GatewayEvent], ids: &[EventId]) {
        for (fact, id) in facts.iter().zip(ids) {
            if let GatewayEvent::Frame(frame) = fact {
                self.rebuilder.hear(frame);
                self.broker.hear(frame, *id).await;
            }
        }
    }

    /// Says how the connection is; when it is to be tried again by us, if it is.
    async fn tell(&mut self, state: &State) -> Option<Instant> {
        let now = LinkNow::of(state);
        let gave_up = matches!(state, State::Disconnected(Reason::GaveUp { .. }));
        match now.state {
            LinkState::Connected => tracing::info!(gateway = %self.gateway(), "connected"),
            LinkState::Stopped => self.say_stopped(&now, false).await,
            LinkState::Waiting if gave_up => self.say_stopped(&now, true).await,
            LinkState::Connecting | LinkState::Waiting => {}
        }
        self.now.send_replace(now);
        gave_up.then(|| Instant::now() + Duration::from_secs(AGAIN_S))
    }

    /// Records and logs that there is no connection; the same reason once.
    async fn say_stopped(&mut self, now: &LinkNow, is_tried_again: bool) {
        let reason = now.reason.clone().unwrap_or_default();
        if self.said.as_ref() == Some(&reason) {
            return;
        }
        let advice = now.advice.as_deref().unwrap_or("nothing is known to help");
        tracing::error!(gateway = %self.gateway(), reason, advice, "no connection: agents' questions are denied at once");
        self.said = Some(reason.clone());
        let (gateway, advice, pairing) = (self.gateway().clone(), now.advice.clone(), now.pairing.clone());
        let stopped = Stopped { gateway, reason, advice, pairing, is_tried_again };
        self.record(vec![GatewayEvent::Stopped(stopped)]).await.ok();
    }
}

impl Drop for Keeper {
    /// After a stop all of this is so already; a panic must not look like a connection.
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(gateway = %self.gateway(), "the connection is not kept any more");
            self.hello.send_replace(None);
            self.link.send_replace(None);
            self.now.send_replace(LinkNow::unkept());
        }
    }
}

fn is_connected(link: &Link) -> bool {
    *link.state().borrow() == State::Connected
}

/// Why the log takes nothing, in its own words.
fn reason(error: AppendError) -> String {
    match error {
        AppendError::ReadOnly(reason) => reason,
        AppendError::Conflict { .. } | AppendError::OutOfBounds(_) | AppendError::Busy | AppendError::Poisoned(_) => {
            error.to_string()
        }
    }
}

fn size(fact: &GatewayEvent) -> usize {
    match fact {
        GatewayEvent::Frame(frame) => frame.text.len() + 256,
        GatewayEvent::Added(_)
        | GatewayEvent::Removed(_)
        | GatewayEvent::Restated(_)
        | GatewayEvent::Connected(_)
        | GatewayEvent::Disconnected(_)
        | GatewayEvent::Stopped(_)
        | GatewayEvent::Missed(_)
        | GatewayEvent::Called(_) => 4_096,
    }
}

/// Returns at a time; never without one.
async fn passed(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
