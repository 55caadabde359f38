//! The task of a link: does what its state says until it is closed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::socket::{Address, Incoming, Outgoing, open, words};
use super::{NOTICES_KIB_MAX, Notice, Options, Order, Received, handshake};
use crate::call::{CALLS_MAX, Call, CallError, Calls};
use crate::frame::{Decoded, FRAME_BYTES_MAX, decode};
use crate::hello::Hello;
use crate::progress::{Progress, Step};
use crate::state::{Loss, Reason, Signal, State};

/// Calls that wait for a connection.
const WAITING_MAX: usize = 256;
/// A gateway that says nothing for so many of its ticks is gone.
const SILENT_TICKS: u32 = 2;
/// Bounds of what a gateway may say its tick is, in milliseconds.
const TICK_MS: std::ops::RangeInclusive<u64> = 1_000..=300_000;
/// How long saying goodbye may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A socket, from being open to being let in.
enum Door {
    Shut,
    Open(Box<(Outgoing, Incoming)>),
    Through(Box<Inside>),
}

/// A connection we were let in on.
struct Inside {
    incoming: Incoming,
    texts: mpsc::Sender<Utf8Bytes>,
    writing: JoinHandle<Option<Outgoing>>,
    frame_bytes_max: usize,
    silence: Duration,
    progress: Progress,
}

pub(super) struct Run {
    options: Options,
    address: Address,
    orders: mpsc::Receiver<Order>,
    notices: mpsc::Sender<Notice>,
    /// What may still be handed over, in KiB.
    room: Arc<Semaphore>,
    state: watch::Sender<State>,
    calls: Calls,
    waiting: VecDeque<Call>,
    door: Door,
}

/// What ended a wait.
enum Beside<T> {
    Done(T),
    Try,
    Close,
}

impl Run {
    pub(super) fn new(
        options: Options,
        address: Address,
        orders: mpsc::Receiver<Order>,
        notices: mpsc::Sender<Notice>,
        state: watch::Sender<State>,
    ) -> Self {
        let (calls, waiting, door) = (Calls::default(), VecDeque::new(), Door::Shut);
        let room = Arc::new(Semaphore::new(NOTICES_KIB_MAX as usize));
        Self { options, address, orders, notices, room, state, calls, waiting, door }
    }

    /// The task's body.
    pub(super) async fn go_on(mut self) {
        self.take(Signal::Try);
        loop {
            let now = self.state.borrow().clone();
            let signal = match now {
                State::Disconnected(_) => self.rest().await,
                State::Connecting(_) => self.open().await,
                State::Authenticating(_) => self.greet().await,
                State::Connected => self.serve().await,
                State::Reconnecting { wait_ms, .. } => self.wait(wait_ms).await,
            };
            let is_close = signal == Signal::Close;
            self.tell(&signal).await;
            self.take(signal);
            if is_close {
                return self.leave().await;
            }
        }
    }

    /// Moves on, and answers the calls for which that settles it.
    fn take(&mut self, signal: Signal) {
        let was_connected = *self.state.borrow() == State::Connected;
        if was_connected && let Some(error) = lost(&signal) {
            self.calls.lose(&error);
        }
        self.state.send_modify(|state| *state = std::mem::replace(state, State::Connected).after(signal));
        if let State::Disconnected(reason) = &*self.state.borrow() {
            for call in self.waiting.drain(..) {
                call.reject(CallError::NotConnected(reason.clone()));
            }
        }
    }

    /// Says what was lost to whoever takes the notices.
    async fn tell(&mut self, signal: &Signal) {
        let was_connected = *self.state.borrow() == State::Connected;
        if let (true, Signal::Lost(loss)) = (was_connected, signal) {
            // Without anybody who takes them the link goes on for its calls.
            self.notices.send(Notice::Lost(loss.clone())).await.ok();
            if let Door::Through(inside) = std::mem::replace(&mut self.door, Door::Shut) {
                inside.writing.abort();
            }
        }
    }

    async fn rest(&mut self) -> Signal {
        loop {
            match self.orders.recv().await {
                Some(Order::Call(call)) => {
                    let State::Disconnected(reason) = self.state.borrow().clone() else { return Signal::Try };
                    call.reject(CallError::NotConnected(reason));
                }
                Some(Order::Try) => return Signal::Try,
                Some(Order::Close) | None => return Signal::Close,
            }
        }
    }

    async fn wait(&mut self, wait_ms: u64) -> Signal {
        match self.beside(tokio::time::sleep(Duration::from_millis(wait_ms))).await {
            Beside::Done(()) | Beside::Try => Signal::Try,
            Beside::Close => Signal::Close,
        }
    }

    async fn open(&mut self) -> Signal {
        let address = self.address.clone();
        let opened = loop {
            match self.beside(Box::pin(open(&address))).await {
                Beside::Done(opened) => break opened,
                Beside::Try => {}
                Beside::Close => return Signal::Close,
            }
        };
        match opened {
            Ok(socket) => {
                self.door = Door::Open(Box::new(socket.split()));
                Signal::Opened
            }
            Err(signal) => signal,
        }
    }

    async fn greet(&mut self) -> Signal {
        let Door::Open(mut socket) = std::mem::replace(&mut self.door, Door::Shut) else {
            return Signal::Lost(Loss::Broken("it is closed".to_owned()));
        };
        let options = self.options.clone();
        let greeted = {
            let (outgoing, incoming) = &mut *socket;
            let mut greeting = std::pin::pin!(handshake::greet(&options, outgoing, incoming));
            loop {
                match self.beside(&mut greeting).await {
                    Beside::Done(greeted) => break greeted,
                    Beside::Try => {}
                    Beside::Close => return Signal::Close,
                }
            }
        };
        match greeted {
            Ok(hello) => self.welcome(hello, *socket).await,
            Err(signal) => signal,
        }
    }

    async fn welcome(&mut self, hello: Hello, (outgoing, incoming): (Outgoing, Incoming)) -> Signal {
        let tick = hello.policy.tick_interval_ms.clamp(*TICK_MS.start(), *TICK_MS.end());
        let (texts, written) = mpsc::channel(CALLS_MAX);
        let inside = Inside {
            incoming,
            texts,
            writing: tokio::spawn(write(outgoing, written)),
            frame_bytes_max: hello.policy.max_payload.min(FRAME_BYTES_MAX),
            silence: Duration::from_millis(tick) * SILENT_TICKS,
            progress: Progress::default(),
        };
        self.door = Door::Through(Box::new(inside));
        self.notices.send(Notice::Welcomed(Arc::new(hello))).await.ok();
        Signal::Welcomed
    }

    /// Reads and sends until the connection is lost.
    async fn serve(&mut self) -> Signal {
        let Door::Through(mut inside) = std::mem::replace(&mut self.door, Door::Shut) else {
            return Signal::Lost(Loss::Broken("it is closed".to_owned()));
        };
        for call in std::mem::take(&mut self.waiting) {
            self.send(&inside, call);
        }
        let mut heard = Instant::now();
        let signal = loop {
            tokio::select! {
                message = inside.incoming.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => {
                            if let Err(loss) = self.receive(&mut inside.progress, text).await {
                                break Signal::Lost(loss);
                            }
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        other => break Signal::Lost(closed(other)),
                    }
                }
                order = self.orders.recv() => match order {
                    Some(Order::Call(call)) => self.send(&inside, call),
                    Some(Order::Try) => {}
                    Some(Order::Close) | None => break Signal::Close,
                },
                () = sleep_until(heard + inside.silence) => {
                    break Signal::Lost(Loss::Silent(u64::try_from(inside.silence.as_millis()).unwrap_or(u64::MAX)));
                }
            }
        };
        self.door = Door::Through(inside);
        signal
    }

    fn send(&mut self, inside: &Inside, call: Call) {
        let Some(text) = self.calls.begin(call, inside.frame_bytes_max) else { return };
        // There is room for every call under way; when the writer has ended the reader is about to say why.
        inside.texts.try_send(text.into()).ok();
    }

    async fn receive(&mut self, progress: &mut Progress, text: Utf8Bytes) -> Result<(), Loss> {
        let head = match decode(&text).map_err(|error| Loss::Unreadable(error.to_string()))? {
            Decoded::Response(response) => {
                let id = response.id.to_string();
                if !self.calls.end(response) {
                    tracing::debug!(id, "an answer nobody waits for");
                }
                return Ok(());
            }
            Decoded::Event { head, .. } => head,
        };
        let (event, seq, state_version) = (head.event.into(), head.seq, head.state_version);
        if let Some(Step::After(gap)) = seq.map(|seq| progress.step(seq)) {
            self.notices.send(Notice::Missing(gap)).await.ok();
        }
        // Whoever takes them slowly is not sent more than they can hold.
        let kib = u32::try_from(text.len().div_ceil(1_024)).unwrap_or(NOTICES_KIB_MAX).min(NOTICES_KIB_MAX);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(kib).await else { return Ok(()) };
        let received = Received { text, _room: Arc::new(room), event, seq, state_version };
        self.notices.send(Notice::Received(received)).await.ok();
        Ok(())
    }

    /// Does something that takes time, and takes orders meanwhile. Calls wait for the connection.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Beside<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Beside::Done(done),
                order = self.orders.recv() => match order {
                    Some(Order::Call(call)) if self.waiting.len() < WAITING_MAX => self.waiting.push_back(call),
                    Some(Order::Call(call)) => call.reject(CallError::Busy),
                    Some(Order::Try) => return Beside::Try,
                    Some(Order::Close) | None => return Beside::Close,
                },
            }
        }
    }

    /// Says goodbye.
    async fn leave(self) {
        let Door::Through(inside) = self.door else { return };
        let Inside { texts, writing, .. } = *inside;
        drop(texts);
        if let Ok(Ok(Some(mut outgoing))) = timeout(CLOSE_WITHIN, writing).await {
            timeout(CLOSE_WITHIN, outgoing.close()).await.ok();
        }
    }
}

/// Sends texts until there are no more; gives the socket's half back when it still works.
async fn write(mut outgoing: Outgoing, mut texts: mpsc::Receiver<Utf8Bytes>) -> Option<Outgoing> {
    while let Some(text) = texts.recv().await {
        outgoing.send(Message::Text(text)).await.ok()?;
    }
    Some(outgoing)
}

/// What a signal means for calls under way.
fn lost(signal: &Signal) -> Option<CallError> {
    match signal {
        Signal::Lost(loss) => Some(CallError::Lost(loss.clone())),
        Signal::Refused(refusal) => Some(CallError::Lost(Loss::Refused(refusal.clone()))),
        Signal::Close => Some(CallError::NotConnected(Reason::Closed)),
        Signal::Try | Signal::Opened | Signal::Welcomed => None,
    }
}

/// Why a socket gave no text.
pub(super) fn closed(message: Option<Result<Message, Error>>) -> Loss {
    match message {
        Some(Ok(Message::Close(Some(frame)))) => {
            Loss::Closed { code: frame.code.into(), reason: frame.reason.chars().take(200).collect() }
        }
        Some(Ok(Message::Close(None)) | Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => {
            Loss::Closed { code: 1006, reason: String::new() }
        }
        Some(Ok(_)) => Loss::Unreadable("a message that is no text".to_owned()),
        Some(Err(Error::Capacity(_))) => Loss::Unreadable(format!("a message of more than {FRAME_BYTES_MAX} bytes")),
        Some(Err(error)) => Loss::Broken(words(&error)),
    }
}
