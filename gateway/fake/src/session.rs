//! Sessions that work: a message's directives say what the agent does, as the stub model's do behind a real gateway. The
//! shapes are those of `tests/frames/tool-call-turn.jsonl`, as far as they are read.
//!
//! `[[say TEXT]]` `[[write FILE TEXT]]` (in the session's folder) `[[hang]]`; several in order.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// An event to be said: its name and payload.
pub(crate) type Said = (String, Value);

/// Every session, by its key.
#[derive(Debug, Default)]
pub(crate) struct Sessions(BTreeMap<String, Session>);

#[derive(Debug, Default)]
struct Session {
    cwd: String,
    rows: Vec<Value>,
    /// The run under way.
    run: Option<String>,
    calls: u32,
}

fn refused(message: String) -> Value {
    json!({ "code": "INVALID_REQUEST", "message": message })
}

impl Sessions {
    /// What a call about sessions is answered, and what is said because of it; nothing when it is about something else.
    pub(crate) fn called(&mut self, method: &str, params: &Value) -> Option<(Result<Value, Value>, Vec<Said>)> {
        let text = |field: &str| params[field].as_str().unwrap_or_default().to_owned();
        let quiet = |answer| Some((answer, vec![]));
        match method {
            "fs.listDir" => {
                let found = std::fs::read_dir(text("path")).map(|_| json!({ "path": params["path"], "entries": [] }));
                quiet(found.map_err(|error| refused(error.to_string())))
            }
            "agents.list" => quiet(Ok(json!({ "defaultId": "main", "agents": [{ "id": "main" }] }))),
            "sessions.create" => quiet(self.create(&text("key"), &text("agentId"), text("cwd"))),
            "sessions.reset" | "sessions.compact" | "sessions.delete" => quiet(Ok(json!({ "ok": true }))),
            "chat.history" => {
                let session = self.0.entry(text("sessionKey")).or_default();
                let info = json!({ "hasActiveRun": session.run.is_some() });
                quiet(Ok(json!({ "messages": session.rows, "sessionInfo": info })))
            }
            "chat.send" => {
                let session = self.0.entry(text("sessionKey")).or_default();
                Some(session.send(&text("sessionKey"), &text("idempotencyKey"), &text("message")))
            }
            "chat.abort" => {
                let session = self.0.entry(text("sessionKey")).or_default();
                let Some(run) = session.run.take() else { return quiet(Ok(json!({ "ok": true, "aborted": false }))) };
                let payload =
                    json!({ "runId": run, "sessionKey": text("sessionKey"), "state": "aborted", "stopReason": "rpc" });
                Some((Ok(json!({ "ok": true, "aborted": true })), vec![("chat".to_owned(), payload)]))
            }
            _ => None,
        }
    }

    fn create(&mut self, key: &str, agent: &str, cwd: String) -> Result<Value, Value> {
        if agent != "main" {
            return Err(refused(format!("Unknown agent id {agent:?}")));
        }
        if !Path::new(&cwd).is_dir() {
            return Err(refused(format!("sessions.create cwd is unavailable: {cwd}")));
        }
        self.0.entry(key.to_owned()).or_default().cwd = cwd;
        Ok(json!({ "ok": true, "key": key }))
    }

    /// The run that hangs says its last words; what is said because of it.
    pub(crate) fn finish(&mut self, key: &str, words: &str) -> Vec<Said> {
        let session = self.0.get_mut(key).expect("a session");
        let run = session.run.take().expect("a run");
        session.say(key, &run, words)
    }

    /// Another process: what ran does not run any more.
    pub(crate) fn forget_runs(&mut self) {
        self.0.values_mut().for_each(|session| session.run = None);
    }
}

impl Session {
    fn send(&mut self, key: &str, run: &str, message: &str) -> (Result<Value, Value>, Vec<Said>) {
        let own = format!("{run}:user");
        if self.rows.iter().any(|row| row["idempotencyKey"] == own) {
            let status = if self.run.is_some() { "in_flight" } else { "ok" };
            return (Ok(json!({ "runId": run, "status": status })), vec![]);
        }
        self.row(json!({ "role": "user", "content": message, "idempotencyKey": own }));
        let mut said = vec![agent(key, run, "lifecycle", json!({ "phase": "start" }))];
        let mut is_over = false;
        for directive in message.split("[[").skip(1).filter_map(|rest| Some(rest.split_once("]]")?.0)) {
            let (verb, argument) = directive.split_once(' ').unwrap_or((directive, ""));
            match verb {
                "write" => said.extend(self.write(key, run, argument)),
                "say" => {
                    said.extend(self.say(key, run, argument));
                    is_over = true;
                }
                _ => {}
            }
        }
        self.run = (!is_over).then(|| run.to_owned());
        (Ok(json!({ "runId": run, "status": "started" })), said)
    }

    fn row(&mut self, mut row: Value) -> Value {
        row["__openclaw"] = json!({ "id": format!("row-{}", self.rows.len() + 1), "seq": self.rows.len() + 1 });
        self.rows.push(row.clone());
        row
    }

    fn write(&mut self, key: &str, run: &str, argument: &str) -> Vec<Said> {
        let (file, text) = argument.split_once(' ').unwrap_or((argument, ""));
        let is_error = std::fs::write(Path::new(&self.cwd).join(file), text).is_err();
        self.calls += 1;
        let call = format!("call_{}", self.calls);
        let start = json!({ "phase": "start", "name": "write", "toolCallId": call, "args": { "path": file } });
        let result = json!({ "phase": "result", "name": "write", "toolCallId": call, "isError": is_error });
        vec![agent(key, run, "tool", start), agent(key, run, "tool", result)]
    }

    fn say(&mut self, key: &str, run: &str, words: &str) -> Vec<Said> {
        let content = json!([{ "type": "text", "text": words }]);
        let usage =
            json!({ "input": 100, "output": 20, "cacheRead": 0, "cacheWrite": 0, "cost": { "total": 0.00014 } });
        let row = self.row(json!({ "role": "assistant", "content": content, "usage": usage, "stopReason": "stop" }));
        let chat = |state: &str, more: Value| {
            let mut payload = json!({ "runId": run, "sessionKey": key, "state": state });
            payload.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            ("chat".to_owned(), payload)
        };
        vec![
            chat("delta", json!({ "deltaText": words })),
            ("session.message".to_owned(), json!({ "sessionKey": key, "message": row })),
            chat("final", json!({ "stopReason": "stop", "message": { "role": "assistant", "content": content } })),
        ]
    }
}

fn agent(key: &str, run: &str, stream: &str, data: Value) -> Said {
    ("agent".to_owned(), json!({ "runId": run, "sessionKey": key, "stream": stream, "data": data }))
}
