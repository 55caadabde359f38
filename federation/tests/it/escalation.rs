//! Questions that are about to expire: told elsewhere once, with the address nowhere, and nobody held up by whoever does not
//! listen.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::routing::any;
use regatta_core::event::approval::{ApprovalEvent, Decision, EscalatedTo};
use regatta_core::vault::Credential;
use regatta_core::{Event, Log as _, ReadMax, SecretString, Seq, Stream};
use regatta_federation::{Escalation, Escalator};
use regatta_gateway_fake::House;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::approvals::{answer, asked, id};
use crate::world::{World, ana, main, until};

/// Nothing else holds this.
const CANARY: &str = "canary-webhook-7731";
/// When a question that is asked now has less than five minutes left, in seconds.
const LATER_S: u64 = 1_600;

/// Somebody who takes what is posted, and what came.
#[derive(Clone)]
struct Elsewhere {
    url: String,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Elsewhere {
    /// Answers with these, one after the other; the last one for ever. `None` is no answer at all.
    async fn open(answers: &[Option<StatusCode>]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let (said, left) = (Arc::clone(&heard), Arc::new(Mutex::new(VecDeque::from(answers.to_vec()))));
        let hear = move |uri: Uri, body: String| async move {
            said.lock().expect("lock").push((uri.path().to_owned(), serde_json::from_str(&body).expect("JSON")));
            let answer = {
                let mut left = left.lock().expect("lock");
                let first = left.front().copied().flatten();
                if left.len() > 1 {
                    left.pop_front();
                }
                first
            };
            match answer {
                Some(status) => status,
                None => std::future::pending().await,
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(hear))).await });
        Self { url, heard }
    }

    /// The questions of each message.
    fn told(&self) -> Vec<Vec<String>> {
        let ids = |message: &Value| {
            let all = message["approvals"].as_array().expect("questions");
            all.iter().map(|asked| asked["approval"].as_str().expect("an id").to_owned()).collect()
        };
        self.heard.lock().expect("lock").iter().map(|(_, message)| ids(message)).collect()
    }
}

/// Tells these of what is about to expire, from now on.
async fn escalates(world: &World, webhook: Option<&Elsewhere>, slack: Option<&Elsewhere>) -> JoinHandle<()> {
    let mut named = [None, None];
    for ((name, elsewhere), named) in [("webhook", webhook), ("slack", slack)].into_iter().zip(&mut named) {
        let Some(elsewhere) = elsewhere else { continue };
        let (name, url) = (name.parse().expect("a name"), format!("{}/{CANARY}", elsewhere.url));
        world.vault.set(&name, SecretString::from(url), None, &ana()).await.expect("kept");
        *named = Some(Credential::Secret(name));
    }
    let [webhook, slack] = named;
    let page = Some("https://regatta.example".to_owned());
    let (before, pause) = (Duration::from_secs(300), Duration::from_millis(10));
    let wanted = Escalation { before, webhook, slack, page, pause };
    let escalator = Escalator::new(world.gateways.clone(), world.vault.clone(), wanted).expect("HTTPS");
    tokio::spawn(escalator.run(CancellationToken::new()))
}

/// Of which question who was told, or why not, as it is recorded.
fn recorded(world: &World) -> Vec<(String, EscalatedTo, Option<String>)> {
    let told = |event: &Event| match event {
        Event::Approval(ApprovalEvent::Escalated(fact)) => {
            Some((fact.approval.question().to_owned(), fact.to, fact.failed.clone()))
        }
        _ => None,
    };
    world.events(&Stream::approvals(&main())).iter().filter_map(told).collect()
}

async fn recorded_when(world: &World, count: usize) -> Vec<(String, EscalatedTo, Option<String>)> {
    until("it is recorded", || Some(recorded(world)).filter(|told| told.len() == count)).await
}

fn holds_canary(world: &World) -> bool {
    let all = world.disk.read(Seq(1), ReadMax { events: usize::MAX, bytes: usize::MAX }).expect("read");
    all.iter().any(|event| event.payload.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()))
}

const OK: Option<StatusCode> = Some(StatusCode::OK);

#[tokio::test]
async fn a_question_that_is_about_to_expire_is_told_elsewhere_once() {
    let (house, webhook, slack) = (House::open().await, Elsewhere::open(&[OK]).await, Elsewhere::open(&[OK]).await);
    let world = World::with(&house).await;
    for question in ["early", "early-too", "answered"] {
        asked(&world, &house, question).await;
    }
    world.clock.by_s(100);
    asked(&world, &house, "later").await;
    world.clock.by_s(LATER_S - 150);
    answer(&world, "answered", Decision::Deny, &ana()).await.expect("taken");
    let escalating = escalates(&world, Some(&webhook), Some(&slack)).await;
    let told = recorded_when(&world, 4).await;
    assert!(told.iter().all(|(question, _, failed)| question.starts_with("early") && failed.is_none()), "{told:?}");
    escalating.abort();
    // A server that is started again knows of what it told: all but the last are still open, and still about to expire.
    let world = world.again().await;
    let _escalating = escalates(&world, Some(&webhook), Some(&slack)).await;
    world.clock.by_s(60);
    recorded_when(&world, 6).await;
    assert_eq!(webhook.told(), [vec!["main.early", "main.early-too"], vec!["main.later"]]);
    let heard = webhook.heard.lock().expect("lock").clone();
    assert_eq!(heard[0].0, format!("/{CANARY}"));
    assert_eq!(heard[0].1["approvals"][0]["link"], "https://regatta.example/approvals?ask=main.early");
    let heard = slack.heard.lock().expect("lock").clone();
    assert_eq!(heard.len(), 2);
    assert!(heard[1].1["text"].as_str().expect("text").contains("```rm -rf build```"), "{heard:?}");
    assert!(!holds_canary(&world));
}

#[tokio::test]
async fn whoever_stumbles_is_told_again_and_the_address_is_recorded_nowhere() {
    let stumbles = [Some(StatusCode::BAD_GATEWAY), Some(StatusCode::TOO_MANY_REQUESTS), OK];
    let (house, webhook) = (House::open().await, Elsewhere::open(&stumbles).await);
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    world.clock.by_s(LATER_S);
    let _escalating = escalates(&world, Some(&webhook), None).await;
    assert_eq!(recorded_when(&world, 1).await, [("a-1".to_owned(), EscalatedTo::Webhook, None)]);
    assert_eq!(webhook.told().len(), 3);
}

#[tokio::test]
async fn that_nobody_could_be_told_is_recorded_after_so_many_tries_without_the_address() {
    let tried = [(StatusCode::NOT_FOUND, 1), (StatusCode::INTERNAL_SERVER_ERROR, 4), (StatusCode::FOUND, 1)];
    for (status, tries) in tried {
        let (house, webhook) = (House::open().await, Elsewhere::open(&[Some(status)]).await);
        let world = World::with(&house).await;
        asked(&world, &house, "a-1").await;
        world.clock.by_s(LATER_S);
        let _escalating = escalates(&world, Some(&webhook), None).await;
        let failed = Some(format!("it answered {}", status.as_u16()));
        assert_eq!(recorded_when(&world, 1).await, [("a-1".to_owned(), EscalatedTo::Webhook, failed)]);
        assert_eq!(webhook.told().len(), tries, "{status}");
        assert!(!holds_canary(&world));
    }
}

#[tokio::test]
async fn an_address_nobody_listens_at_is_said_without_it() {
    let house = House::open().await;
    let gone = Elsewhere { url: "http://127.0.0.1:1".to_owned(), heard: Arc::default() };
    let afar = Elsewhere { url: "http://hooks.example".to_owned(), heard: Arc::default() };
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    world.clock.by_s(LATER_S);
    let _escalating = escalates(&world, Some(&gone), Some(&afar)).await;
    let mut told = recorded_when(&world, 2).await;
    told.sort();
    let [(_, EscalatedTo::Webhook, Some(gone)), (_, EscalatedTo::Slack, Some(afar))] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(gone.contains("refused"), "{gone}");
    assert_eq!(afar, "the address does not begin with https://");
    assert!(!holds_canary(&world) && !gone.contains("127.0.0.1"), "{gone}");
}

#[tokio::test]
async fn one_who_does_not_answer_holds_up_nobody() {
    let (house, webhook, slack) = (House::open().await, Elsewhere::open(&[None]).await, Elsewhere::open(&[OK]).await);
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    world.clock.by_s(LATER_S);
    let _escalating = escalates(&world, Some(&webhook), Some(&slack)).await;
    until("the webhook is told", || (!webhook.told().is_empty()).then_some(())).await;
    assert_eq!(recorded_when(&world, 1).await, [("a-1".to_owned(), EscalatedTo::Slack, None)]);
    answer(&world, "a-1", Decision::Deny, &ana()).await.expect("taken");
    let told = world.asked(&id("a-1"));
    assert_eq!(told, ["asked", "escalated to slack", "answered deny", "resolved deny by user:ana"]);
}

#[tokio::test]
async fn what_the_log_takes_no_note_of_is_not_told_twice() {
    let (house, webhook) = (House::open().await, Elsewhere::open(&[OK]).await);
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    asked(&world, &house, "a-2").await;
    world.clock.by_s(LATER_S);
    // The use of a secret is recorded, too: once, before the disk is full.
    let escalating = escalates(&world, Some(&webhook), None).await;
    recorded_when(&world, 2).await;
    asked(&world, &house, "b-1").await;
    world.disk.is_full.store(true, Ordering::SeqCst);
    world.clock.by_s(LATER_S);
    until("it is told", || (webhook.told().len() == 2).then_some(())).await;
    world.disk.is_full.store(false, Ordering::SeqCst);
    recorded_when(&world, 3).await;
    escalating.abort();
    assert_eq!(webhook.told(), [vec!["main.a-1", "main.a-2"], vec!["main.b-1"]]);
}
