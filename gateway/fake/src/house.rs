//! A gateway that answers by itself, with as many connections as come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

use crate::asked::{Asked, answer};
use crate::session::{Said, Sessions};

const GREETING: &str = include_str!("../../tests/frames/handshake-backend-no-device.jsonl");
/// What connections may be behind; a real gateway closes on those who read too slowly, too.
const ORDERS_MAX: usize = 65_536;
/// The scope without which nobody is told of questions.
const APPROVALS: &str = "operator.approvals";

/// What a test tells every connection.
#[derive(Debug, Clone)]
enum Order {
    Say(String, Value),
    /// So many numbers are used for events nobody gets.
    Skip(u64),
    /// `None` cuts the socket.
    Close(Option<(u16, &'static str)>),
}

#[derive(Debug, Default)]
struct Inside {
    boot: u32,
    connections: u32,
    token: Option<String>,
    pairing: Option<String>,
    refusal: Option<(Value, u16)>,
    scopes: Option<Vec<String>>,
    asked: BTreeMap<String, Asked>,
    calls: Vec<(String, Value)>,
    answers: BTreeMap<String, Result<Value, Value>>,
    ignored: BTreeSet<String>,
    sessions: Sessions,
}

/// A gateway that answers by itself. Gone when dropped.
pub struct House {
    pub url: String,
    inside: Arc<Mutex<Inside>>,
    orders: broadcast::Sender<Order>,
    task: JoinHandle<()>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.task.abort();
        self.orders.send(Order::Close(None)).ok();
    }
}

impl House {
    /// Opens on a free port.
    pub async fn open() -> Self {
        Self::open_at("127.0.0.1:0").await
    }

    pub async fn open_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let inside = Arc::new(Mutex::new(Inside { boot: 1, ..Inside::default() }));
        let orders = broadcast::Sender::new(ORDERS_MAX);
        let task = tokio::spawn(serve(listener, Arc::clone(&inside), orders.clone()));
        Self { url, inside, orders, task }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// Only who brings this token comes in.
    pub fn wants_token(&self, token: &str) {
        self.inside().token = Some(token.to_owned());
    }

    /// Nobody comes in before this request is approved.
    pub fn wants_pairing(&self, request: &str) {
        self.inside().pairing = Some(request.to_owned());
    }

    /// Whoever asked for it is let in from now on, and given a token for the device.
    pub fn approve(&self) {
        self.inside().pairing = None;
    }

    /// Everybody is refused with that error and close code.
    pub fn refuses(&self, error: Value, code: u16) {
        self.inside().refusal = Some((error, code));
    }

    pub fn refuses_nobody(&self) {
        self.inside().refusal = None;
    }

    /// Grants these scopes, whatever is asked for.
    pub fn grants(&self, scopes: &[&str]) {
        self.inside().scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    }

    /// What a method answers.
    pub fn answers(&self, method: &str, payload: Value) {
        self.inside().answers.insert(method.to_owned(), Ok(payload));
    }

    /// What a method is refused with.
    pub fn denies(&self, method: &str, error: Value) {
        self.inside().answers.insert(method.to_owned(), Err(error));
    }

    /// Calls of a method are never answered.
    pub fn ignores(&self, method: &str) {
        self.inside().ignored.insert(method.to_owned());
    }

    /// It does what it does by itself again.
    pub fn heeds(&self, method: &str) {
        self.inside().answers.remove(method);
    }

    /// The parameters of every call of a method.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let called = |(name, params): &(String, Value)| (name == method).then(|| params.clone());
        self.inside().calls.iter().filter_map(called).collect()
    }

    /// How many connections were let in so far.
    pub fn connections(&self) -> u32 {
        self.inside().connections
    }

    /// Says an event to everybody.
    pub fn say(&self, event: &str, payload: Value) {
        self.orders.send(Order::Say(event.to_owned(), payload)).ok();
    }

    /// Uses so many numbers for events nobody gets.
    pub fn skip(&self, count: u64) {
        self.orders.send(Order::Skip(count)).ok();
    }

    /// Says again what a capture has, with numbers of its own.
    pub fn replay(&self, capture: &str) {
        for line in capture.lines() {
            let line: Value = serde_json::from_str(line).expect("a line");
            let frame = &line["frame"];
            if line["dir"] == "recv" && frame["type"] == "event" && frame["event"] != "connect.challenge" {
                self.say(frame["event"].as_str().expect("a name"), frame["payload"].clone());
            }
        }
    }

    /// An agent asks whether it may run a command.
    pub fn ask(&self, id: &str, command: &str, decisions: &[&str], created_at_ms: u64) {
        self.put(Asked::new(id, command, decisions, created_at_ms));
    }

    /// The agent of an attempt asks, in a folder below its workspace.
    pub fn ask_of(&self, attempt: &str, id: &str, command: &str, created_at_ms: u64) {
        let (session, cwd) = (format!("agent:main:regatta-{attempt}"), format!("/work/regatta-abcd-{attempt}-1/app"));
        self.put(Asked { session, cwd, ..Asked::new(id, command, &["allow-once", "deny"], created_at_ms) });
    }

    /// A plugin asks whether it may do something.
    pub fn ask_as_plugin(&self, id: &str, title: &str, decisions: &[&str], created_at_ms: u64) {
        self.put(Asked { of_plugin: true, ..Asked::new(id, title, decisions, created_at_ms) });
    }

    fn put(&self, asked: Asked) {
        let (id, event, payload) = (asked.id.clone(), asked.event("requested"), asked.requested());
        self.inside().asked.insert(id, asked);
        self.say(&event, payload);
    }

    /// Somebody else answers.
    pub fn answer(&self, id: &str, decision: &str, by: &str) {
        let (event, resolved) = answer(&mut self.inside().asked, id, decision, by).expect("it is open");
        self.say(&event, resolved);
    }

    /// Settles a question without a word.
    pub fn settle(&self, id: &str, status: &str, reason: &str) {
        let mut inside = self.inside();
        let asked = inside.asked.get_mut(id).expect("it was asked");
        (asked.status, asked.reason) = (status.to_owned(), Some(reason.to_owned()));
    }

    pub fn asked(&self, id: &str) -> Asked {
        self.inside().asked.get(id).expect("it was asked").clone()
    }

    /// The run of a session that hangs says its last words.
    pub fn finish(&self, session: &str, words: &str) {
        let said = self.inside().sessions.finish(session, words);
        said.into_iter().for_each(|(event, payload)| self.say(&event, payload));
    }

    /// The same, and nobody hears of it.
    pub fn finish_unheard(&self, session: &str, words: &str) {
        self.inside().sessions.finish(session, words);
    }

    /// Cuts every connection.
    pub fn drop_connections(&self) {
        self.orders.send(Order::Close(None)).ok();
    }

    /// Another process on the same port: open questions are cancelled and nobody is told.
    pub fn restart(&self) {
        let mut inside = self.inside();
        inside.boot += 1;
        inside.sessions.forget_runs();
        for asked in inside.asked.values_mut().filter(|asked| asked.status == "pending") {
            asked.status = "cancelled".to_owned();
            asked.reason = Some("gateway-restart".to_owned());
        }
        drop(inside);
        self.orders.send(Order::Close(Some((1012, "service restart")))).ok();
    }
}

async fn serve(listener: TcpListener, inside: Arc<Mutex<Inside>>, orders: broadcast::Sender<Order>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(guest(stream, Arc::clone(&inside), orders.clone()));
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn guest(stream: TcpStream, inside: Arc<Mutex<Inside>>, orders: broadcast::Sender<Order>) -> Option<()> {
    let mut socket = accept_async(stream).await.ok()?;
    let challenge = json!({ "nonce": "n-1", "ts": 1_795_328_450_453_u64, "capabilities": [] });
    say(&mut socket, &json!({ "type": "event", "event": "connect.challenge", "payload": challenge })).await?;
    let connect = heard(&mut socket).await?;
    // Before it is known that we are in, or what is said then would be missed.
    let ordered = orders.subscribe();
    let entered = enter(&inside, &connect);
    match entered {
        Ok(hello) => {
            say(&mut socket, &json!({ "type": "res", "id": connect["id"], "ok": true, "payload": hello })).await?;
        }
        Err((error, code)) => {
            say(&mut socket, &json!({ "type": "res", "id": connect["id"], "ok": false, "error": error })).await?;
            socket.close(Some(CloseFrame { code: code.into(), reason: "refused".into() })).await.ok()?;
            while heard(&mut socket).await.is_some() {}
            return None;
        }
    }
    attend(socket, &inside, &orders, ordered).await
}

/// Lets somebody in, or says why not.
fn enter(inside: &Mutex<Inside>, connect: &Value) -> Result<Value, (Value, u16)> {
    let mut inside = inside.lock().unwrap();
    let params = &connect["params"];
    if let Some(refusal) = &inside.refusal {
        return Err(refusal.clone());
    }
    let error =
        |message: &str, details: Value| json!({ "code": "INVALID_REQUEST", "message": message, "details": details });
    let brought = params["auth"]["token"].as_str().or(params["auth"]["password"].as_str());
    let by_device = params["auth"]["deviceToken"] == "device-token-of-the-fake";
    if let Some(wanted) = inside.token.as_deref().filter(|_| !by_device) {
        match brought {
            None => return Err((error("unauthorized: token missing", json!({ "code": "AUTH_TOKEN_MISSING" })), 1008)),
            Some(brought) if brought != wanted => {
                return Err((error("unauthorized: token mismatch", json!({ "code": "AUTH_TOKEN_MISMATCH" })), 1008));
            }
            Some(_) => {}
        }
    }
    if let Some(request) = &inside.pairing {
        let details = json!({ "code": "PAIRING_REQUIRED", "reason": "not-paired", "requestId": request });
        return Err((json!({ "code": "NOT_PAIRED", "message": "pairing required", "details": details }), 1008));
    }
    inside.connections += 1;
    let mut hello = greeting();
    hello["server"]["bootId"] = format!("boot-{}", inside.boot).into();
    hello["server"]["connId"] = format!("conn-{}", inside.connections).into();
    hello["auth"] = json!({ "method": "token", "role": "operator", "scopes": params["scopes"] });
    if let Some(scopes) = &inside.scopes {
        hello["auth"]["scopes"] = json!(scopes);
    }
    if brought.is_none() && params["device"].is_object() {
        hello["auth"]["deviceToken"] = "device-token-of-the-fake".into();
    }
    Ok(hello)
}

/// The captured greeting.
fn greeting() -> Value {
    let frames = GREETING.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line"));
    let hello = frames.map(|line| line["frame"]["payload"].clone()).find(|payload| payload["type"] == "hello-ok");
    hello.expect("a hello-ok")
}

async fn attend(
    mut socket: Socket,
    inside: &Mutex<Inside>,
    orders: &broadcast::Sender<Order>,
    mut ordered: broadcast::Receiver<Order>,
) -> Option<()> {
    let mut seq = 0;
    loop {
        tokio::select! {
            call = heard(&mut socket) => {
                let call = call?;
                let (result, told) = called(inside, &call);
                if call["method"].as_str().is_some_and(|method| inside.lock().unwrap().ignored.contains(method)) {
                    continue;
                }
                let answer = match result {
                    Ok(payload) => json!({ "type": "res", "id": call["id"], "ok": true, "payload": payload }),
                    Err(error) => json!({ "type": "res", "id": call["id"], "ok": false, "error": error }),
                };
                // A real one says what came of an answer before it answers.
                for (event, payload) in told {
                    orders.send(Order::Say(event, payload)).ok()?;
                }
                say(&mut socket, &answer).await?;
            }
            order = ordered.recv() => match order.ok()? {
                Order::Say(event, payload) => {
                    seq += 1;
                    say(&mut socket, &json!({ "type": "event", "event": event, "payload": payload, "seq": seq })).await?;
                }
                Order::Skip(count) => seq += count,
                Order::Close(None) => return None,
                Order::Close(Some((code, reason))) => {
                    socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await.ok()?;
                    while heard(&mut socket).await.is_some() {}
                    return None;
                }
            },
        }
    }
}

/// What a call is answered with, and what everybody is told because of it.
fn called(inside: &Mutex<Inside>, call: &Value) -> (Result<Value, Value>, Vec<Said>) {
    let mut inside = inside.lock().unwrap();
    let (method, params) = (call["method"].as_str().unwrap_or_default().to_owned(), call["params"].clone());
    inside.calls.push((method.clone(), params.clone()));
    if let Some(answer) = inside.answers.get(&method) {
        return (answer.clone(), vec![]);
    }
    if let Some(answered) = inside.sessions.called(&method, &params) {
        return answered;
    }
    let id = params["id"].as_str().unwrap_or_default();
    let forbidden = inside.scopes.as_ref().is_some_and(|scopes| !scopes.iter().any(|scope| scope == APPROVALS));
    let result = match method.as_str() {
        name if name.contains("approval.") && forbidden => {
            let details = json!({ "code": "MISSING_SCOPE", "missingScope": APPROVALS });
            Err(json!({ "code": "FORBIDDEN", "message": format!("missing scope: {APPROVALS}"), "details": details }))
        }
        "exec.approval.list" | "plugin.approval.list" => {
            let is_listed = |asked: &&Asked| asked.status == "pending" && asked.event("list") == method;
            Ok(inside.asked.values().filter(is_listed).map(Asked::requested).collect())
        }
        "approval.history" => {
            let over = inside.asked.values().filter(|asked| asked.status != "pending").map(Asked::durable);
            Ok(json!({ "items": over.collect::<Vec<_>>() }))
        }
        "approval.get" => inside.asked.get(id).map(|asked| json!({ "approval": asked.durable() })).ok_or_else(|| {
            let details = json!({ "reason": "APPROVAL_NOT_FOUND" });
            json!({ "code": "INVALID_REQUEST", "message": "unknown approval id", "details": details })
        }),
        "exec.approval.resolve" | "plugin.approval.resolve" => {
            let decision = params["decision"].as_str().unwrap_or_default();
            // Each kind is known to its own method alone.
            let id = inside.asked.get(id).map_or(id, |asked| if asked.event("resolve") == method { id } else { "" });
            return match answer(&mut inside.asked, id, decision, "gateway-client") {
                Ok(resolved) => (Ok(json!({ "ok": true })), vec![resolved]),
                Err(error) => (Err(error), vec![]),
            };
        }
        "sessions.subscribe" => Ok(json!({ "subscribed": true })),
        "health" => Ok(json!({ "ok": true })),
        _ => Err(json!({ "code": "INVALID_REQUEST", "message": format!("unknown method: {method}") })),
    };
    (result, vec![])
}

async fn say(socket: &mut Socket, frame: &Value) -> Option<()> {
    socket.send(Message::text(frame.to_string())).await.ok()
}

/// The next call; nothing when the other side is gone.
async fn heard(socket: &mut Socket) -> Option<Value> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).ok(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}
