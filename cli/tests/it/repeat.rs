//! The same idempotency key after the server was killed: the first answer, and nothing is done.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::install::{Install, can_race};
use crate::sign_in::{ask, status, text, up};

/// How long a killed server may take to be gone.
const GONE_MAX: Duration = Duration::from_secs(20);

struct Person {
    url: String,
    by: String,
}

impl Person {
    fn post(&self, path: &str, key: &str, body: &str) -> String {
        let key = format!("Idempotency-Key: {key}");
        ask(&self.url, &format!("POST /api/v1{path}"), &[&self.by, &key], body)
    }
}

/// The body of an answer.
fn body(answer: &str) -> Value {
    let (_, text) = answer.split_once("\r\n\r\n").expect("an answer");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn kill(told: &Value) {
    let pid = told["pid"].as_u64().expect("a process").to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill").success());
    let begin = Instant::now();
    while Path::new("/proc").join(&pid).exists() {
        assert!(begin.elapsed() < GONE_MAX, "it does not die");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_key_is_answered_as_at_first_after_the_server_was_killed_and_nothing_is_done_twice() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let told = up(&install, &[]);
    let by = format!("Authorization: Bearer {}", text(&told, "admin_token"));
    let person = Person { url: text(&told, "url").to_owned(), by: by.clone() };
    let changes = "command=echo changed >> file";
    let run = install.race(&["-a", changes, "-a", "command=echo other >> file", "--strategy", "all"], 1);
    let attempt = |slot: &str, what: &str| format!("/runs/{run}/attempts/{slot}/{what}");
    let asked = [
        ("/users".to_owned(), "k1", r#"{"name":"ben","role":"viewer"}"#, "201"),
        (attempt("a", "discard"), "k2", r#"{"reason":"worse"}"#, "204"),
        (attempt("a", "restore"), "k3", "", "204"),
        (attempt("b", "discard"), "k4", "{}", "204"),
        (format!("/runs/{run}/pick"), "k5", r#"{"attempt":"a","reason":"better"}"#, "204"),
    ];
    for (path, key, body, answer) in &asked {
        let said = person.post(path, key, body);
        assert_eq!(status(&said), *answer, "{path}: {said}");
    }
    let made = person.post("/tokens", "k6", r#"{"name":"ci"}"#);
    assert_eq!(status(&made), "201", "{made}");
    // What was done is undone since, so that doing it again would be seen.
    install.regatta(&["user", "rm", "ben"]).exits(0);
    install.regatta(&["restore", &format!("{run}.b")]).exits(0);
    install.regatta(&["watch", &run]).exits(0);
    kill(&told);
    let told = up(&install, &[]);
    let person = Person { url: text(&told, "url").to_owned(), by };
    for (path, key, body, answer) in &asked {
        let said = person.post(path, key, body);
        assert_eq!(status(&said), *answer, "{path}: {said}");
    }
    assert_eq!(status(&person.post("/users", "k1", r#"{"name":"eve","role":"admin"}"#)), "422", "another body");
    assert_eq!(status(&person.post(&attempt("a", "discard"), "k2", "{}")), "422", "another body");
    let made = person.post("/tokens", "k6", r#"{"name":"ci"}"#);
    assert!(status(&made) == "409" && made.contains("told only once"), "{made}");
    assert_eq!(status(&person.post("/runs/last/cancel", "k7", "")), "400", "by then the last run may be another");
    let kinds = |kind: &str| {
        let all = install.regatta(&["log", "tail", "--json", "--from", "1"]).exits(0).out;
        all.lines().filter(|line| line.contains(&format!("\"{kind}\""))).count()
    };
    for (kind, count) in [("run.attempt_discarded", 2), ("run.discard_undone", 2), ("user.added", 2)] {
        assert_eq!(kinds(kind), count, "{kind}");
    }
    let users = install.view(&["user", "ls"]);
    assert!(!users.to_string().contains("ben"), "{users}");
}

#[test]
fn two_people_with_the_same_key_have_a_run_each_also_after_the_server_was_killed() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let told = up(&install, &[]);
    let ana = format!("Authorization: Bearer {}", text(&told, "admin_token"));
    let person = |told: &Value, by: &str| Person { url: text(told, "url").to_owned(), by: by.to_owned() };
    let user = person(&told, &ana).post("/users", "k1", r#"{"name":"zoe","role":"operator"}"#);
    assert_eq!(status(&user), "201", "{user}");
    let token = body(&person(&told, &ana).post("/tokens", "k2", r#"{"name":"hers","user":"zoe"}"#));
    let zoe = format!("Authorization: Bearer {}", text(&token, "token"));
    let ask = |told: &Value, by: &str, prompt: &str| {
        let attempts = [json!({ "agent": "command", "command": "true" })];
        let task =
            json!({ "prompt": prompt, "repository": install.repository(), "attempts": attempts, "strategy": "all" });
        person(told, by).post("/runs", "mine", &task.to_string())
    };
    let runs = |told: &Value| [&ana, &zoe].map(|by| text(&body(&ask(told, by, "one")), "run").to_owned());
    let first = runs(&told);
    assert_ne!(first[0], first[1], "one's key is not the other's");
    kill(&told);
    let told = up(&install, &[]);
    assert_eq!(runs(&told), first, "each is answered with their own");
    assert_eq!(status(&ask(&told, &zoe, "two")), "422", "another body");
}
