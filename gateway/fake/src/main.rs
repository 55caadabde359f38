//! The fake gateway as a process, for tests that are no Rust: prints its address, then does what each line of standard
//! input says, as `{"do":"ask","id":"a-1","command":"uname -s","decisions":["allow-once","deny"]}`, and prints what came of it.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "its output is what it is asked for")]

use std::time::{SystemTime, UNIX_EPOCH};

use regatta_gateway_fake::House;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

#[tokio::main]
async fn main() {
    let house = House::open().await;
    println!("{}", json!({ "url": house.url }));
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("standard input") {
        let order: Value = serde_json::from_str(&line).expect("JSON");
        println!("{}", done(&house, &order));
    }
}

fn done(house: &House, order: &Value) -> Value {
    let text = |field: &str| order[field].as_str().unwrap_or_default();
    match text("do") {
        "wants-token" => house.wants_token(text("token")),
        "wants-pairing" => house.wants_pairing(text("request")),
        "approve" => house.approve(),
        "say" => house.say(text("event"), order["payload"].clone()),
        "answers" => house.answers(text("method"), order["payload"].clone()),
        "denies" => house.denies(text("method"), order["error"].clone()),
        "calls" => return json!({ "calls": house.calls(text("method")) }),
        "skip" => house.skip(order["count"].as_u64().unwrap_or(1)),
        "ask" => {
            let decisions = order["decisions"].as_array().into_iter().flatten().filter_map(Value::as_str);
            house.ask(text("id"), text("command"), &decisions.collect::<Vec<_>>(), now_ms());
        }
        "ask-of" => house.ask_of(text("attempt"), text("id"), text("command"), now_ms()),
        "ask-as-plugin" => house.ask_as_plugin(text("id"), text("title"), &["allow-once", "deny"], now_ms()),
        "answer" => house.answer(text("id"), text("decision"), text("by")),
        "asked" => return json!({ "status": house.asked(text("id")).status }),
        "drop" => house.drop_connections(),
        "restart" => house.restart(),
        other => return json!({ "error": format!("{other:?} is nothing it can do") }),
    }
    json!({})
}

fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a gateway has a clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
