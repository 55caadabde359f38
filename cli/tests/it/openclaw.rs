//! The real OpenClaw gateway, when `REGATTA_TEST_OPENCLAW` names its `openclaw.mjs`: connected to, chatted with, asked for
//! an approval, killed and found again. The model behind it is a stub.

#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::install::Install;
use crate::install::until;
use crate::secrets::piped;

pub(crate) const TOKEN: &str = "a-token-of-the-real-gateway";

/// The real gateway's program and what runs it; nothing when there is none.
pub(crate) fn program() -> Option<(PathBuf, String)> {
    let Some(openclaw) = std::env::var_os("REGATTA_TEST_OPENCLAW").map(PathBuf::from) else {
        println!("skipped: REGATTA_TEST_OPENCLAW names no openclaw.mjs (npm openclaw@2026.9.6)");
        return None;
    };
    Some((openclaw, std::env::var("REGATTA_TEST_OPENCLAW_NODE").unwrap_or_else(|_| "node".to_owned())))
}

/// A model that does what the message says, and its port.
pub(crate) fn stub_model(node: &str) -> (Child, String) {
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openclaw/stub-model.mjs");
    let mut model = Command::new(node).arg(stub).stdout(Stdio::piped()).spawn().expect("node");
    let mut port = String::new();
    BufReader::new(model.stdout.take().expect("output")).read_line(&mut port).expect("a port");
    (model, port.trim().to_owned())
}

/// The models of a gateway that has the stub alone.
pub(crate) fn models(port: &str) -> Value {
    let model = json!({
        "id": "stub-1", "name": "Stub", "reasoning": false, "input": ["text"], "contextWindow": 128_000,
        "cost": { "input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0 }, "maxTokens": 8_192,
    });
    let provider = json!({
        "baseUrl": format!("http://127.0.0.1:{port}/v1"), "apiKey": "k", "api": "openai-completions", "models": [model],
    });
    json!({ "mode": "replace", "providers": { "stub": provider } })
}

/// A free port that no other program is given while the gateway starts, which takes seconds: it is below those that the system
/// gives to whoever asks for any.
fn port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("a small number");
    (first..32_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// A gateway and its model, in a folder of their own; gone when dropped.
pub(crate) struct Real {
    node: String,
    openclaw: PathBuf,
    folder: PathBuf,
    pub(crate) port: u16,
    /// Whether agents ask before they run a command: `ask` or `full`.
    mode: &'static str,
    model: Child,
    gateway: Option<Child>,
}

impl Real {
    /// Starts them; nothing when there is no gateway to start.
    pub(crate) fn start(folder: &Path, mode: &'static str) -> Option<Self> {
        let (openclaw, node) = program()?;
        for name in ["home", "state", "workspace"] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        let (model, model_port) = stub_model(&node);
        let port = port();
        let mut real = Self { node, openclaw, folder: folder.to_owned(), port, mode, model, gateway: None };
        fs::write(real.folder.join("openclaw.json"), real.config(&model_port).to_string()).expect("written");
        real.run();
        Some(real)
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    fn config(&self, model_port: &str) -> Value {
        json!({
            "gateway": {
                "mode": "local", "port": self.port, "bind": "loopback", "controlUi": { "enabled": false },
                "auth": { "mode": "token", "token": TOKEN },
            },
            "models": models(model_port),
            "agents": { "defaults": { "model": { "primary": "stub/stub-1" }, "workspace": self.folder.join("workspace") } },
            "logging": { "file": self.folder.join("openclaw.log") },
            "tools": { "exec": { "host": "gateway", "mode": self.mode } },
            "plugins": { "enabled": false },
        })
    }

    /// Starts the gateway and waits until it is usable.
    pub(crate) fn run(&mut self) {
        let mut command = Command::new(&self.node);
        let path = Path::new(&self.node).parent().map(|folder| format!("{}:/usr/bin:/bin", folder.display()));
        command.env_clear().env("PATH", path.unwrap_or_default()).env("HOME", self.folder.join("home"));
        command.env("OPENCLAW_STATE_DIR", self.folder.join("state"));
        command.env("OPENCLAW_CONFIG_PATH", self.folder.join("openclaw.json"));
        for name in ["DISABLE_BONJOUR", "NO_RESPAWN", "SKIP_CHANNELS", "NO_AUTO_UPDATE"] {
            command.env(format!("OPENCLAW_{name}"), "1");
        }
        command.env("OPENCLAW_EXEC_SHELL_SNAPSHOT", "0").arg(&self.openclaw);
        command.args(["gateway", "run", "--port", &self.port.to_string()]);
        self.gateway = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the gateway"));
        until("the gateway is usable", || self.is_ready().then_some(()));
    }

    fn is_ready(&self) -> bool {
        let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let asked = socket.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let mut answer = String::new();
        asked.and_then(|()| socket.read_to_string(&mut answer)).is_ok() && answer.starts_with("HTTP/1.1 200")
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            gateway.kill().ok();
            gateway.wait().ok();
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.kill();
        self.model.kill().ok();
        self.model.wait().ok();
    }
}

/// Sends a message and gives back the session it is in.
fn chat(install: &Install, message: &str) -> String {
    let session = format!("agent:main:{}", message.len());
    let params =
        json!({ "sessionKey": session, "message": message, "idempotencyKey": format!("key-{}", message.len()) });
    let call = install.regatta(&["gateway", "call", "main", "chat.send", &params.to_string()]).exits(0);
    assert_eq!(call.json()["status"], "started");
    session
}

/// The last turn of a session, once it is over.
fn turn(install: &Install, session: &str) -> Value {
    until("the turn ends", || {
        let exported = install.view(&["threads"]);
        let row = exported["rows"].as_array()?.iter().find(|row| row["session"] == session)?.clone();
        (row["state"] == "final").then_some(row)
    })
}

#[test]
fn a_real_gateway_is_connected_to_listened_to_and_its_questions_answered() {
    let install = Install::new();
    let Some(mut real) = Real::start(&install.folder().join("openclaw"), "ask") else { return };
    piped(&install, &["gateway", "add", "main", &real.url(), "--token-stdin"], TOKEN)
        .exits(0)
        .says("is added and connected");
    install.regatta(&["gateway", "test", "main"]).exits(0);
    let said = turn(&install, &chat(&install, "[[say hello over the wire]]"));
    assert_eq!(said["last_text"], "hello over the wire");
    let session = chat(&install, "[[exec uname -s]] please");
    let asked = until("it asks", || install.view(&["approvals"])["open"].as_array()?.first().cloned());
    assert_eq!((&asked["question"]["command"], &asked["question"]["agent"]), (&json!("uname -s"), &json!("main")));
    let id = asked["id"].as_str().expect("an id");
    install.regatta(&["approvals", "answer", id, "allow-once"]).exits(0);
    assert_eq!(turn(&install, &session)["last_text"], "The tool said: Linux");
    let over = until("it is settled", || {
        let over = install.view(&["approvals", "ls", "--over"])["over"][0].clone();
        (over["state"] == "resolved").then_some(over)
    });
    assert_eq!((&over["by"], &over["decision"]), (&json!("user:ana"), &json!("allow-once")));

    chat(&install, "[[exec uname -r]] and then something else");
    until("it asks again", || install.view(&["approvals"])["open"].as_array()?.first().cloned());
    real.kill();
    real.run();
    until("it is connected again", || {
        let row = install.view(&["gateway", "ls"])["rows"][0].clone();
        (row["link"]["state"] == "connected" && row["restarts"] == 1).then_some(())
    });
    until("the question was cancelled by the restart", || {
        let over = install.view(&["approvals", "ls", "--over"])["over"].as_array()?.clone();
        over.iter().any(|ask| ask["state"] == "cancelled" && ask["reason"] == "gateway-restart").then_some(())
    });
}

/// Whether a file below a folder holds that text.
fn holds(folder: &Path, text: &[u8]) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return holds(&path, text);
        }
        fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text))
    })
}

#[test]
fn a_turn_that_a_real_gateway_ended_while_no_server_ran_is_rebuilt_with_its_tool() {
    let install = Install::new();
    let Some(real) = Real::start(&install.folder().join("openclaw"), "full") else { return };
    piped(&install, &["gateway", "add", "main", &real.url(), "--token-stdin"], TOKEN).exits(0);
    let first = turn(&install, &chat(&install, "[[say hello]]"));
    assert_eq!(first["last_text"], "hello");
    let session = chat(&install, "[[exec uname -s]] [[say nobody heard that]]");
    install.regatta(&["down"]).exits(0);
    // As it stands in a transcript alone: a prompt has more around it.
    until("the turn ended", || holds(&real.folder.join("state"), br#""nobody heard that""#).then_some(()));
    install.regatta(&["up", "--detach"]).exits(0);
    let row = turn(&install, &session);
    assert_eq!(row["last_text"], "nobody heard that");
    let thread = install.view(&["threads", row["id"].as_str().expect("an id")]);
    let tool = &thread["turns"][0]["tools"][0];
    assert_eq!((&tool["name"], &tool["state"]), (&json!("exec"), &json!("done")), "{thread:#}");
    assert!(tool["output"].as_str().is_some_and(|output| output.contains("Linux")), "{thread:#}");
    let used = &thread["turns"][0];
    assert_eq!((&used["input_tokens"], &used["output_tokens"]), (&json!(200), &json!(40)), "{thread:#}");
}
