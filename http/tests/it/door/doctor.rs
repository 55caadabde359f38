//! What the doctor finds of a gateway.

use serde_json::{Value, json};

use super::{Place, until};
use crate::world::text;

async fn found(place: &Place) -> Value {
    let (_, said) = text(place.world.get("/doctor").await).await;
    let findings: Value = serde_json::from_str(&said).expect("JSON");
    let of_main = findings.as_array().expect("a list").iter().find(|finding| finding["name"] == "gateway main");
    of_main.expect("a finding").clone()
}

#[tokio::test]
async fn a_gateway_that_is_away_or_does_not_let_us_answer_is_found_with_what_to_do() {
    let place = Place::new().await;
    let good = "connected, version 2026.9.6; questions of its agents are heard";
    assert_eq!(found(&place).await, json!({ "name": "gateway main", "state": "ok", "found": good }));
    place.house.grants(&["operator.read", "operator.write"]);
    place.house.drop_connections();
    until("it lacks something", async || found(&place).await["state"] == "warn").await;
    let lacking = found(&place).await;
    assert!(lacking["found"].as_str().expect("text").contains("agents' questions are denied at once"), "{lacking}");
    assert!(lacking["fix"].as_str().expect("text").contains("shared token"), "{lacking}");
    let token = json!({ "code": "INVALID_REQUEST", "message": "no", "details": { "code": "AUTH_TOKEN_MISMATCH" } });
    place.house.refuses(token, 1008);
    place.house.drop_connections();
    until("it is refused", async || found(&place).await["found"].as_str().is_some_and(|found| found.ends_with("no")))
        .await;
    let away = found(&place).await;
    assert_eq!(away["state"], "fail");
    assert!(away["fix"].as_str().expect("text").contains("gateway.auth.token"), "{away}");
}
