//! Browsers that mean ill, or are broken: answered, bounded, let go; and the server goes on.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::Place;

#[tokio::test]
async fn what_is_no_call_is_answered_and_the_browser_stays() {
    let place = Place::new().await;
    let mut browser = place.browser("admin").await;
    let deep = format!(
        r#"{{"type":"req","id":"1","method":"health","params":{{"a":{}{}}}}}"#,
        "[".repeat(90_000),
        "]".repeat(90_000)
    );
    let long_list =
        format!(r#"{{"type":"req","id":"1","method":"chat.send","params":{{"a":[{}0]}}}}"#, "0,".repeat(3 << 20));
    let long_id = json!({ "type": "req", "id": "x".repeat(10_000), "method": "health" }).to_string();
    for (text, id) in [
        ("", "invalid"),
        ("{", "invalid"),
        ("[1,2,3]", "invalid"),
        ("\"type\"", "invalid"),
        (r#"{"type":"event","event":"chat"}"#, "invalid"),
        (r#"{"type":"req","id":"1","method":"health","seq":1}"#, "invalid"),
        (r#"{"type":"req","id":7,"method":"health"}"#, "invalid"),
        (long_id.as_str(), "invalid"),
        (r#"{"type":"req","id":"1","method":"health","params":[]}"#, "1"),
        (r#"{"type":"req","id":"1","method":"health","params":"x"}"#, "1"),
        (deep.as_str(), "1"),
        (long_list.as_str(), "1"),
        (r#"{"type":"req","id":"1","method":"connect"}"#, "1"),
    ] {
        browser.say(Message::text(text)).await;
        let answer = browser.answer().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(id), &json!("INVALID_REQUEST")), "{text:.80}");
        assert!(answer.to_string().len() < 1_000, "nothing is repeated");
    }
    assert_eq!(browser.call("health", json!({})).await["ok"], true);
}

#[tokio::test]
async fn a_message_has_a_bound_and_binary_is_not_understood() {
    let place = Place::new().await;
    let mut large = place.browser("operator").await;
    large.say(Message::text("x".repeat((8 << 20) + 1))).await;
    assert_eq!(large.closed().await, (1009, "frame too large".to_owned()));
    let mut binary = place.browser("admin").await;
    binary.say(Message::binary(vec![0; 16])).await;
    assert_eq!(binary.closed().await, (1003, "text only".to_owned()));
    super::until("their places are free", async || place.world.live_clients.seated() == 0).await;
}

#[tokio::test]
async fn calls_under_way_are_bounded() {
    let place = Place::new().await;
    place.house.ignores("status");
    let mut browser = place.browser("operator").await;
    for _ in 0..40 {
        browser.begin("status", json!({})).await;
    }
    for number in 33..=40 {
        let busy = browser.answer().await;
        assert_eq!(
            (&busy["id"], &busy["error"]["details"]["code"]),
            (&json!(format!("call {number}")), &json!("REGATTA_BUSY"))
        );
        assert_eq!(busy["error"]["retryable"], true);
    }
    super::until("the others are asked", async || place.house.calls("status").len() == 32).await;
    // Another one is not held up by that.
    assert_eq!(place.browser("admin").await.call("health", json!({})).await["ok"], true);
}

#[tokio::test]
async fn how_much_a_call_holds_is_bounded_by_its_method_and_by_what_is_under_way() {
    let place = Place::new().await;
    place.house.ignores("chat.send");
    let mut browser = place.browser("operator").await;
    let file = |mib: usize| json!({ "message": "look", "attachments": [{ "content": "A".repeat(mib << 20) }] });
    let refused = browser.call("health", file(1)).await;
    assert_eq!(refused["error"]["details"]["code"], "REGATTA_TOO_LARGE", "{refused}");
    for _ in 0..2 {
        browser.begin("chat.send", file(7)).await;
    }
    let busy = browser.call("chat.send", file(7)).await;
    assert_eq!(busy["error"]["details"]["code"], "REGATTA_BUSY", "{busy}");
    super::until("both are asked", async || place.house.calls("chat.send").len() == 2).await;
    assert_eq!(browser.call("health", json!({})).await["ok"], true, "what is small goes on");
}
