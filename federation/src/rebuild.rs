//! Rebuilds what was not heard of a gateway from what it keeps: asks which sessions changed meanwhile, reads their history,
//! and records the rest (see `transcripts`). Beside what is heard, over the same connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regatta_core::event::gateway::{Frame, GatewayEvent};
use regatta_core::{
    Actor, Append, Clock, Draft, Event, Expect, GatewayName, Log, ReadError, ReadMax, Stream, log, to_the_end,
};
use regatta_gateway::{CallError, Link, Server};
use serde::de::DeserializeOwned;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use uuid::Uuid;

use crate::record::FRAME_BYTES_MAX;
use crate::transcripts::{History, SessionRow, Sessions, Transcripts};

/// How long a gateway may take for each answer.
const WITHIN: Duration = Duration::from_secs(20);
/// Sessions a gateway is asked to list, those that changed last; of the others a gap stays a gap.
const LISTED_MAX: usize = 100;
/// Rows of a history that are asked for at once.
const ROWS_MAX: u32 = 200;
/// How often a session is asked for older rows; what is missing before those stays missing.
const PAGES_MAX: usize = 5;
/// Events read at a start, to know where transcripts stand.
const LOOKED_BACK: u64 = 2_000;
/// Bytes of frames that are recorded together; fewer than one append may have, and one frame may be larger.
const PIECE_BYTES_MAX: usize = 1 << 20;
/// A session that changed this much before we stopped listening is looked at too, in milliseconds: clocks differ.
const BEFORE_MS: u64 = 2_000;

/// Held by whoever rebuilds.
type Working = OwnedMutexGuard<()>;

/// Asks whoever records to record everything that came so far, and then to answer.
pub(crate) type Settle = mpsc::Sender<oneshot::Sender<()>>;

/// What is known of a gateway's transcripts.
#[derive(Clone)]
pub(crate) struct Rebuilder {
    gateway: GatewayName,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    known: Arc<Mutex<Known>>,
    /// Held while it is rebuilt: what two found missing would be there twice.
    working: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Known {
    transcripts: Transcripts,
    /// When something was heard last, in milliseconds since the Unix epoch.
    heard_at_ms: u64,
    /// Since when something is missing: from the first break that was not mended.
    since_ms: Option<u64>,
}

impl Rebuilder {
    /// Reads from the log where transcripts stand.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn open(gateway: &GatewayName, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let (stream, mut known) = (Stream::link(gateway), Known::default());
        let mut next = log.stream_head(&stream)?.saturating_sub(LOOKED_BACK) + 1;
        loop {
            let batch = log.read_stream(&stream, next, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            next = last.stream_seq + 1;
            for envelope in &batch {
                match envelope.event() {
                    Ok(Event::Gateway(GatewayEvent::Frame(frame))) => known.transcripts.hear(&frame),
                    Ok(Event::Gateway(GatewayEvent::Connected(_))) => {}
                    Ok(_) | Err(_) => continue,
                }
                known.heard_at_ms = envelope.at_us / 1_000;
            }
        }
        known.transcripts.begin();
        // What happened while nobody ran here is missing, too.
        known.since_ms = (known.heard_at_ms > 0).then_some(known.heard_at_ms);
        Ok(Self { gateway: gateway.clone(), log, clock, known: Arc::new(Mutex::new(known)), working: Arc::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a frame that was recorded.
    pub(crate) fn hear(&self, frame: &Frame) {
        let now_ms = self.clock.now_ms();
        let mut known = self.known();
        known.transcripts.hear(frame);
        known.heard_at_ms = now_ms;
    }

    /// We were let in: from now on everything is heard.
    pub(crate) fn begin(&self) {
        self.known().heard_at_ms = self.clock.now_ms();
    }

    /// From what was heard last on, something is missing.
    pub(crate) fn miss(&self) {
        let mut known = self.known();
        let heard_at_ms = known.heard_at_ms;
        known.since_ms.get_or_insert(heard_at_ms);
    }

    /// Whether something is missing that was not rebuilt.
    pub(crate) fn owes(&self) -> bool {
        self.known().since_ms.is_some()
    }

    /// Rebuilds what is missing, if anything is. What fails is owed.
    pub(crate) async fn rebuild(&self, link: &Link, server: &Server, settle: &Settle) {
        let one_at_a_time = Arc::new(Arc::clone(&self.working).lock_owned().await);
        // What is missed meanwhile is for the next time.
        let Some(since_ms) = self.known().since_ms.take() else { return };
        let mut owed = Owed { of: self, since_ms: Some(since_ms) };
        match self.mend(link, server, settle, since_ms.saturating_sub(BEFORE_MS), &one_at_a_time).await {
            Ok(frames) => {
                owed.since_ms = None;
                tracing::info!(gateway = %self.gateway, frames, "what was not heard is rebuilt");
            }
            Err(reason) => tracing::warn!(gateway = %self.gateway, reason, "what was not heard is not rebuilt"),
        }
    }

    async fn mend(
        &self,
        link: &Link,
        server: &Server,
        settle: &Settle,
        since_ms: u64,
        working: &Arc<Working>,
    ) -> Result<usize, String> {
        let listing = json!({ "limit": LISTED_MAX, "sortBy": "updatedAt" });
        let Sessions { ts, sessions } = asked(link, "sessions.list", &listing).await?;
        // Its clock is another one. At least so much it is behind ours or ahead of it: the answer took its time.
        let since_ms = since_ms.saturating_add(ts).saturating_sub(self.clock.now_ms());
        let changed: Vec<SessionRow> = {
            let known = self.known();
            let is_touched = |row: &SessionRow| {
                row.updated_at.is_some_and(|at| at >= since_ms) || known.transcripts.has_holes(&row.key)
            };
            sessions.into_iter().filter(is_touched).collect()
        };
        if changed.len() >= LISTED_MAX {
            let gateway = &self.gateway;
            tracing::warn!(%gateway, "only {LISTED_MAX} of the sessions that changed are rebuilt");
        }
        let mut frames = 0;
        for row in &changed {
            let Some(history) = self.history(link, &row.key, since_ms).await? else { continue };
            settled(settle).await?;
            let missing = self.known().transcripts.missing(row, &history, since_ms, ts);
            let missing = missing.into_iter().filter(|rebuilt| rebuilt.text.len() <= FRAME_BYTES_MAX);
            let of = |event: &str, text| Frame {
                gateway: self.gateway.clone(),
                boot_id: server.boot_id.clone(),
                conn_id: server.conn_id.clone(),
                seq: None,
                event: event.to_owned(),
                text,
            };
            let missing: Vec<Frame> = missing.map(|rebuilt| of(rebuilt.event, rebuilt.text)).collect();
            frames += missing.len();
            let (all, working) = (self.clone(), Arc::clone(working));
            // Another connection may end this here; what was begun to be recorded must be known before anybody looks again.
            to_the_end(async move {
                let recorded = all.record(missing).await;
                drop(working);
                recorded
            })
            .await?;
        }
        Ok(frames)
    }

    /// What a session holds, back to what was heard; nothing when the gateway does not show it, which keeps nobody from the
    /// others.
    async fn history(&self, link: &Link, session: &str, since_ms: u64) -> Result<Option<History>, String> {
        let Some(mut history) = self.page(link, session, 0).await? else { return Ok(None) };
        for _ in 1..PAGES_MAX {
            let Some(offset) = history.older_at() else { return Ok(Some(history)) };
            if !self.known().transcripts.lacks_before(session, &history, since_ms) {
                return Ok(Some(history));
            }
            let Some(older) = self.page(link, session, offset).await? else { return Ok(Some(history)) };
            history.put_before(older);
        }
        if history.older_at().is_some() && self.known().transcripts.lacks_before(session, &history, since_ms) {
            tracing::warn!(gateway = %self.gateway, session, "the oldest rows that were missed are not rebuilt");
        }
        Ok(Some(history))
    }

    /// A piece of what a session holds, so many rows before its end.
    async fn page(&self, link: &Link, session: &str, offset: u64) -> Result<Option<History>, String> {
        let mut params = json!({ "sessionKey": session, "limit": ROWS_MAX });
        if let Some(fields) = params.as_object_mut().filter(|_| offset > 0) {
            fields.insert("offset".to_owned(), offset.into());
        }
        let params = to_raw_value(&params).map_err(|error| error.to_string())?;
        let reason = match link.call("chat.history", params, WITHIN).await {
            Ok(answer) => match serde_json::from_str(answer.get()) {
                Ok(history) => return Ok(Some(history)),
                Err(_) => "its history has another shape than expected".to_owned(),
            },
            Err(error @ CallError::Refused(_)) => error.to_string(),
            Err(error) => return Err(format!("chat.history: {error}")),
        };
        tracing::warn!(gateway = %self.gateway, session, reason, "a session is not rebuilt");
        Ok(None)
    }

    async fn record(&self, frames: Vec<Frame>) -> Result<(), String> {
        let mut left = frames.into_iter().peekable();
        while left.peek().is_some() {
            let (mut piece, mut bytes) = (Vec::new(), 0);
            while let Some(frame) =
                left.next_if(|frame| piece.is_empty() || bytes + frame.text.len() <= PIECE_BYTES_MAX)
            {
                bytes += frame.text.len();
                piece.push(frame);
            }
            let draft = |frame: &Frame| {
                let event = Event::Gateway(GatewayEvent::Frame(frame.clone()));
                let draft = Draft::new(&event, &*self.clock, Actor::regatta(), Uuid::nil());
                Draft { correlation: draft.id.0, ..draft }
            };
            let events = piece.iter().map(draft).collect();
            let append = Append { stream: Stream::link(&self.gateway), expect: Expect::Any, events };
            log::append(&*self.log, append).await.map_err(|error| error.to_string())?;
            let mut known = self.known();
            piece.iter().for_each(|frame| known.transcripts.hear(frame));
        }
        Ok(())
    }
}

/// Since when something is missing, put back unless it was mended to the end.
struct Owed<'a> {
    of: &'a Rebuilder,
    since_ms: Option<u64>,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if let Some(since_ms) = self.since_ms {
            let mut known = self.of.known();
            known.since_ms = Some(known.since_ms.map_or(since_ms, |later| later.min(since_ms)));
        }
    }
}

/// Waits until what came before an answer is recorded: else what is heard would look as if it were missing.
async fn settled(settle: &Settle) -> Result<(), String> {
    let (answer, answered) = oneshot::channel();
    let gone = "the connection is not kept any more";
    settle.send(answer).await.map_err(|_| gone)?;
    answered.await.map_err(|_| gone.to_owned())
}

async fn asked<T: DeserializeOwned>(link: &Link, method: &str, params: &Value) -> Result<T, String> {
    let failed = |error: CallError| format!("{method}: {error}");
    let params = to_raw_value(params).map_err(|error| error.to_string())?;
    let answer = link.call(method, params, WITHIN).await.map_err(failed)?;
    serde_json::from_str(answer.get()).map_err(|_| format!("{method}: its answer has another shape than expected"))
}
