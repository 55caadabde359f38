//! Gateways as callers from everywhere meet them: who may have which method called, who reads what they said, and where a
//! token is taken.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use regatta_core::event::gateway::{Frame, GatewayEvent};
use regatta_core::{Event, Stream};
use serde_json::{Value, json};

use super::{ask, bearer, near, problem};
use crate::world::{World, text};

const TOKEN: &str = "canary-of-a-gateway-5521";

#[tokio::test]
async fn a_gateways_token_is_not_taken_where_others_can_listen_and_never_told() {
    let world = World::new();
    let ada = world.user("ada", "admin").await.token;
    let body = json!({ "name": "main", "url": "ws://127.0.0.1:1", "token": TOKEN }).to_string();
    let headers = [("authorization", bearer(&ada))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = world.by(near(), ask("POST", "/api/v1/gateways", &headers, &body)).await;
    assert_eq!(problem(refused).await, (StatusCode::CONFLICT, "in_the_clear".to_owned()));
    for wrong in [
        json!({ "name": "No Name", "url": "ws://127.0.0.1:1", "token": TOKEN }),
        json!({ "name": "main", "url": format!("ws://{TOKEN}@host"), "token": TOKEN }),
        json!({ "name": "main", "url": "ws://127.0.0.1:1", "token": TOKEN, "password": TOKEN }),
        json!({ "name": "main", "url": "ws://127.0.0.1:1", "token": TOKEN, "odd": 1 }),
    ] {
        let (status, said) = text(world.post("/gateways", wrong.to_string()).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
        assert!(!said.contains(TOKEN), "{said}");
    }
    let (status, said) = text(world.post("/gateways", body).await).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let (_, listed) = text(world.get("/gateways").await).await;
    assert!(said.contains("\"name\":\"main\"") && !said.contains(TOKEN) && !listed.contains(TOKEN), "{said} {listed}");
    let (status, said) =
        text(world.post("/gateways", json!({ "name": "main", "url": "ws://h" }).to_string()).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a credential would go there in the clear: {said}");
}

#[tokio::test]
async fn a_method_is_called_for_whoever_may_and_refused_before_it_is_sent() {
    let world = World::new();
    let body = json!({ "name": "main", "url": "ws://127.0.0.1:1" }).to_string();
    assert_eq!(world.post("/gateways", body).await.status(), StatusCode::CREATED);
    let ben = world.user("ben", "operator").await.token;
    let ada = world.user("ada", "admin").await.token;
    let hello = json!({ "message": "hello" });
    let slash = json!({ "message": "/config" });
    // There is no connection, which is asked about last.
    for (token, method, params, met) in [
        (&ben, "health", json!({}), "wrong_state"),
        (&ben, "chat.send", hello.clone(), "wrong_state"),
        (&ben, "chat.send", slash.clone(), "forbidden"),
        (&ben, "config.patch", json!({}), "forbidden"),
        (&ben, "exec.approval.list", json!({}), "forbidden"),
        (&ada, "chat.send", slash, "wrong_state"),
        (&ada, "config.patch", json!({}), "wrong_state"),
        (&ada, "exec.approval.resolve", json!({}), "forbidden"),
        (&ada, "health", json!([]), "invalid"),
    ] {
        let authorization = bearer(token);
        let body = json!({ "method": method, "params": params }).to_string();
        let headers = [("authorization", authorization.as_str())];
        let answer = world.by(near(), ask("POST", "/api/v1/gateways/main/call", &headers, &body)).await;
        assert_eq!(problem(answer).await.1, met, "{method} {params}");
    }
}

impl World {
    /// A gateway said that.
    pub(super) async fn said(&self, event: &str, frame: &str) {
        let (gateway, boot_id, conn_id) = ("main".parse().expect("a name"), "b".to_owned(), "c".to_owned());
        let stream = Stream::link(&gateway);
        let text = frame.to_owned().into_bytes().into();
        let frame = Frame { gateway, boot_id, conn_id, seq: Some(1), event: event.to_owned(), text };
        self.append(stream, Event::Gateway(GatewayEvent::Frame(frame))).await;
    }
}

#[tokio::test]
async fn what_a_gateway_said_is_read_by_whom_its_door_would_tell_it() {
    let world = World::new();
    let mut tokens = Vec::new();
    for role in ["viewer", "operator", "approver", "admin"] {
        tokens.push(bearer(&world.user(role, role).await.token));
    }
    let first = world.log.head().0 + 1;
    let said = [
        ("chat", r#"{"payload":{"sessionKey":"k"}}"#, 0),
        ("session.message", r#"{"payload":{},"reconstructed":true}"#, 0),
        ("agent", r#"{"payload":{"stream":"approval","data":{"message":"uname"}}}"#, 2),
        ("exec.approval.requested", r#"{"payload":{}}"#, 2),
        ("terminal.data", r#"{"payload":{}}"#, 3),
        ("chat", r#"{"payload":{},"recipientProfileId":"p"}"#, 3),
        ("chat", "{", 3),
    ];
    for (event, frame, _) in said {
        world.said(event, frame).await;
    }
    for (role, authorization) in tokens.iter().enumerate() {
        let headers = [("authorization", authorization.as_str())];
        let (_, page) = text(world.near("GET", "/api/v1/events?kind=gateway", &headers).await).await;
        let page: Value = serde_json::from_str(&page).expect("JSON");
        let read: Vec<u64> =
            page["rows"].as_array().expect("rows").iter().map(|row| row["seq"].as_u64().expect("a seq")).collect();
        let may = (first..).zip(said).filter(|(_, (.., least))| role >= *least).map(|(seq, _)| seq);
        assert_eq!(read, may.collect::<Vec<_>>(), "role {role}");
        for (seq, (event, _, least)) in (first..).zip(said) {
            let one = world.near("GET", &format!("/api/v1/events/{seq}"), &headers).await.status();
            let may = if role >= least { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(one, may, "role {role} of {event}");
        }
    }
}

#[tokio::test]
async fn a_call_takes_no_key_since_nobody_could_keep_it() {
    let world = World::new();
    let request = Request::post("/api/v1/gateways/main/call").header("idempotency-key", "k");
    let answer = world.send(request.body(Body::from(r#"{"method":"health"}"#)).expect("request")).await;
    let (status, said) = text(answer).await;
    assert!(status == StatusCode::BAD_REQUEST && said.contains("a call takes no idempotency-key"), "{said}");
}

#[tokio::test]
async fn rules_are_added_and_removed_by_admins_alone_and_seen_by_everybody() {
    let world = World::new();
    let rule = json!({ "name": "builds", "answer": "allow", "scope": { "command": "make *" }, "reason": "harmless" });
    let look = json!({ "answer": "deny", "scope": { "command": "*" } }).to_string();
    for (role, met) in [("viewer", 403), ("operator", 403), ("approver", 403), ("admin", 201)] {
        let token = bearer(&world.user(&format!("a-{role}"), role).await.token);
        let headers = [("authorization", token.as_str())];
        let by = |method, path, body: &str| world.by(near(), ask(method, path, &headers, body));
        let answer = by("POST", "/api/v1/approvals/rules", &rule.to_string()).await;
        assert_eq!(answer.status(), met, "{role} adds");
        let met = if role == "admin" { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN };
        assert_eq!(by("DELETE", "/api/v1/approvals/rules/builds", "").await.status(), met, "{role} removes");
        assert_eq!(by("GET", "/api/v1/approvals/rules", "").await.status(), StatusCode::OK, "{role} looks");
        let met = if role == "viewer" { StatusCode::FORBIDDEN } else { StatusCode::OK };
        assert_eq!(by("POST", "/api/v1/approvals/rules/preview", &look).await.status(), met, "{role} looks ahead");
        let answers = json!({ "approvals": ["main.x"], "decision": "deny" }).to_string();
        let met = if role == "viewer" || role == "operator" { "forbidden" } else { "not_found" };
        let answer = by("POST", "/api/v1/approvals/answers", &answers).await;
        assert_eq!(problem(answer).await.1, met, "{role} answers");
    }
}

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused_with_what_to_do() {
    let world = World::new();
    let rule = |change: Value| {
        let mut rule = json!({ "name": "r", "answer": "allow", "scope": { "command": "make" }, "reason": "harmless" });
        let (Some(rule), Some(change)) = (rule.as_object_mut(), change.as_object()) else { panic!("objects") };
        rule.extend(change.clone());
        json!(rule).to_string()
    };
    for (change, says) in [
        (json!({ "scope": {} }), "name an agent, a gateway, a folder, a command or a run"),
        (json!({ "scope": { "command": "" } }), "command has 1 to 1024 characters"),
        (json!({ "scope": { "cwd": "work" } }), "begins with /"),
        (json!({ "scope": { "comand": "make" } }), "comand"),
        (json!({ "answer": "allow-always" }), "allow-always"),
        (json!({ "name": "No Name" }), "a rule's name"),
        (json!({ "reason": " " }), "reason has 1 to 300 characters"),
    ] {
        let (status, said) = text(world.post("/approvals/rules", rule(change.clone())).await).await;
        assert!(status == StatusCode::BAD_REQUEST && said.contains(says), "{change}: {said}");
    }
    assert_eq!(world.post("/approvals/rules", rule(json!({}))).await.status(), StatusCode::CREATED);
    let (status, said) = text(world.post("/approvals/rules", rule(json!({}))).await).await;
    assert!(status == StatusCode::CONFLICT && said.contains("there is a rule r already"), "{said}");
    let (_, listed) = text(world.get("/approvals/rules").await).await;
    assert!(listed.contains("\"reason\":\"harmless\""), "{listed}");
}

#[tokio::test]
async fn what_is_not_there_says_where_to_look() {
    let world = World::new();
    for (path, hint) in [("/gateways/attic", "regatta gateway ls"), ("/threads/7q2k9x0m", "GET /threads")] {
        let (status, said) = text(world.get(path).await).await;
        assert!(status == StatusCode::NOT_FOUND && said.contains(hint), "{path}: {said}");
    }
    let (status, said) = text(world.post("/approvals/main.x/answer", r#"{"decision":"deny"}"#).await).await;
    assert!(status == StatusCode::NOT_FOUND && said.contains("regatta approvals"), "{said}");
    let (status, said) = text(world.post("/approvals/main.x/answer", r#"{"decision":"maybe"}"#).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
}
