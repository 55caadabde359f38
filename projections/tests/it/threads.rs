//! Conversations of gateways, folded from captured frames and from the odd ones the protocol is known for.

use regatta_core::event::gateway::{GatewayEvent, Removed};
use regatta_core::{GatewayName, ThreadId};
use regatta_projections::snapshot;
use regatta_projections::threads::{
    GatewayRunState, GatewayRunView, PartView, RUNS_MAX, TEXT_BYTES_MAX, THREAD_BYTES_MAX, THREADS_MAX, ThreadView,
    ToolState,
};
use regatta_projections::{Projection as _, Views};
use serde_json::{Value, json};

use crate::gateways::{Gateways as _, captured, main};
use crate::history::{History, views};

const OBSERVED: &str = include_str!("../../../gateway/tests/frames/observer-subscribed-tool-turn.jsonl");
const ABORTED: &str = include_str!("../../../gateway/tests/frames/chat-abort.jsonl");
const RECONNECTED: &str = include_str!("../../../gateway/tests/frames/reconnect-socket.jsonl");
const ALLOWED: &str = include_str!("../../../gateway/tests/frames/exec-approval-allow-once.jsonl");

/// The only thread there is after these frames.
fn thread(history: &History) -> ThreadView {
    let views = history.views();
    let rows = views.threads.view(None).rows;
    assert_eq!(rows.len(), 1, "{rows:?}");
    views.threads.get(rows[0].id).expect("a thread")
}

fn of(file: &str) -> ThreadView {
    let mut history = History::new();
    for (_, frame) in captured(file) {
        history.heard("b-1", &frame);
    }
    thread(&history)
}

/// Frames made by hand.
fn made(frames: &[Value]) -> History {
    let mut history = History::new();
    history.connected("b-1", "c-1");
    for frame in frames {
        history.heard("b-1", frame);
    }
    history
}

fn chat(run: &str, more: Value) -> Value {
    let mut payload = json!({ "runId": run, "sessionKey": "agent:main:main", "agentId": "main" });
    payload.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({ "type": "event", "event": "chat", "payload": payload, "seq": 1 })
}

fn says(text: &str) -> Value {
    json!({ "role": "assistant", "content": [{ "type": "text", "text": text }] })
}

fn only(thread: &ThreadView) -> &GatewayRunView {
    let [run] = &thread.turns[..] else { panic!("{:?}", thread.turns) };
    run
}

#[test]
fn a_captured_turn_has_its_prompt_its_tool_its_text_and_what_it_cost() {
    let thread = of(OBSERVED);
    assert_eq!((thread.row.agent.as_deref(), thread.row.state), (Some("main"), Some(GatewayRunState::Final)));
    let run = only(&thread);
    assert_eq!(run.prompt.as_deref(), Some("[[exec uname -o]][[say observed turn done]]"));
    assert_eq!((run.text.as_str(), run.reason.as_deref()), ("observed turn done", None));
    assert_eq!(
        (run.model.as_deref(), run.input_tokens, run.output_tokens, run.cost_micros),
        (Some("stub-1"), 200, 40, 280)
    );
    let [tool] = &run.tools[..] else { panic!("{:?}", run.tools) };
    assert_eq!((tool.name.as_str(), tool.title.as_deref()), ("exec", Some("Exec uname -o")));
    assert_eq!((tool.state, tool.output.as_str(), tool.exit_code), (ToolState::Done, "GNU/Linux", Some(0)));
    assert_eq!(tool.arguments.as_deref(), Some("{\"command\":\"uname -o\"}"));
    assert_eq!(tool.approval.as_deref(), Some("8f42ba7d-3014-4944-9dab-51bad3dc282a"));
    assert!(run.addenda.is_empty() && !run.is_cut && run.ended_at_us.is_some());
    let said = PartView::Text { text: "observed turn done".to_owned() };
    assert_eq!(run.parts, [PartView::Tool { call: tool.call.clone() }, said]);
}

fn row(seq: u64, content: &Value) -> Value {
    let message = json!({
        "role": "assistant", "content": content, "usage": { "input": 10, "output": 2 },
        "__openclaw": { "runId": "r-1", "seq": seq },
    });
    let payload = json!({ "sessionKey": "agent:main:main", "agentId": "main", "message": message });
    json!({ "type": "event", "event": "session.message", "payload": payload, "seq": 1 })
}

#[test]
fn what_was_said_before_a_tool_stays_before_it() {
    let call = json!({ "type": "toolCall", "id": "t-1", "name": "exec", "arguments": {} });
    let text = |text: &str| json!({ "type": "text", "text": text });
    let history = made(&[
        chat("r-1", json!({ "state": "delta", "deltaText": "I look.", "message": says("I look.") })),
        row(2, &json!([text("I look."), call])),
        row(4, &json!([text("It is there.")])),
        chat("r-1", json!({ "state": "final", "message": says("It is there.") })),
    ]);
    let said = |text: &str| PartView::Text { text: text.to_owned() };
    let parts = [said("I look."), PartView::Tool { call: "t-1".to_owned() }, said("It is there.")];
    assert_eq!(only(&thread(&history)).parts, parts);
}

#[test]
fn a_row_that_is_told_again_counts_once() {
    let first = row(2, &json!("once"));
    let history = made(&[chat("r-1", json!({ "state": "delta", "deltaText": "once" })), first.clone(), first]);
    let thread = thread(&history);
    let run = only(&thread);
    assert_eq!((run.input_tokens, run.output_tokens, run.parts.len()), (10, 2, 1));
}

/// The same, as it is made of a transcript.
fn late(mut frame: Value) -> Value {
    frame["reconstructed"] = true.into();
    frame.as_object_mut().expect("an object").remove("seq");
    frame
}

#[test]
fn a_row_that_was_missed_stands_where_it_was_said_and_counts() {
    let said = |text: &str| PartView::Text { text: text.to_owned() };
    let begun = chat("r-1", json!({ "state": "delta", "deltaText": "one" }));
    let rows =
        [row(2, &json!("one")), row(6, &json!("three")), late(row(4, &json!("two"))), late(row(4, &json!("two")))];
    let thread = thread(&made(&[&[begun], &rows[..]].concat()));
    let run = only(&thread);
    assert_eq!(run.parts, ["one", "two", "three"].map(said));
    assert_eq!((run.input_tokens, run.output_tokens), (30, 6));
}

/// A row of somebody else than an agent.
fn other(seq: u64, at_ms: u64, more: &Value) -> Value {
    let mut message = json!({ "__openclaw": { "seq": seq, "recordTimestampMs": at_ms } });
    message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let payload = json!({ "sessionKey": "agent:main:main", "agentId": "main", "message": message });
    json!({ "type": "event", "event": "session.message", "payload": payload, "seq": 1 })
}

#[test]
fn what_a_tool_did_while_nobody_listened_is_read_out_of_the_transcript() {
    let call = json!({ "type": "toolCall", "id": "t-1", "name": "exec", "arguments": { "command": "uname" } });
    let gave = json!({
        "role": "toolResult", "toolCallId": "t-1", "toolName": "exec", "isError": true, "details": { "exitCode": 3 },
        "content": [{ "type": "text", "text": "no such thing" }],
    });
    let thread = thread(&made(&[late(row(2, &json!([call]))), late(other(3, 9, &gave))]));
    let run = only(&thread);
    let [tool] = &run.tools[..] else { panic!("{:?}", run.tools) };
    assert_eq!((tool.name.as_str(), tool.arguments.as_deref()), ("exec", Some("{\"command\":\"uname\"}")));
    assert_eq!((tool.state, tool.output.as_str(), tool.exit_code), (ToolState::Failed, "no such thing", Some(3)));
    assert_eq!(run.parts, [PartView::Tool { call: "t-1".to_owned() }]);
}

#[test]
fn a_run_that_was_missed_stands_before_those_that_began_after_it() {
    let mut history = made(&[chat("first", json!({ "state": "final", "message": says("one") }))]);
    let between_ms = history.now_us() / 1_000 + 500;
    history.heard("b-1", &chat("third", json!({ "state": "final", "message": says("three") })));
    let asked = json!({ "role": "user", "content": "and two?", "idempotencyKey": "second:user" });
    let mut end = chat("second", json!({ "state": "final", "message": says("two") }));
    end["payload"]["message"]["timestamp"] = json!(between_ms + 100);
    history.heard("b-1", &late(other(3, between_ms, &asked)));
    history.heard("b-1", &late(end));
    let thread = thread(&history);
    let turns: Vec<&str> = thread.turns.iter().map(|run| run.run.as_str()).collect();
    assert_eq!(turns, ["first", "second", "third"]);
    let second = &thread.turns[1];
    assert_eq!((second.prompt.as_deref(), second.text.as_str()), (Some("and two?"), "two"));
    assert_eq!((second.started_at_us, second.ended_at_us), (between_ms * 1_000, Some((between_ms + 100) * 1_000)));
    assert_eq!(thread.row.last_text, "three");
}

#[test]
fn parts_are_kept_as_far_as_text_is() {
    let long = "x".repeat(TEXT_BYTES_MAX - 1);
    let history =
        made(&[chat("r-1", json!({ "state": "delta", "deltaText": "x" })), row(2, &json!(long)), row(3, &json!("yz"))]);
    let thread = thread(&history);
    let run = only(&thread);
    assert!(run.is_cut);
    assert_eq!(run.parts.last(), Some(&PartView::Text { text: "y".to_owned() }));
}

#[test]
fn a_captured_turn_of_ones_own_reads_the_same() {
    // Its tools come as `agent`, not as `session.tool`.
    let thread = of(ALLOWED);
    let run = only(&thread);
    assert_eq!((run.state, run.text.as_str()), (GatewayRunState::Final, "The tool said: Linux"));
    assert_eq!((run.tools[0].state, run.tools[0].output.as_str()), (ToolState::Done, "Linux"));
}

#[test]
fn a_run_that_waits_for_a_person_says_so() {
    let mut history = History::new();
    for (_, frame) in captured(ALLOWED) {
        history.heard("b-1", &frame);
        if frame["payload"]["data"]["phase"] == "waiting-approval" {
            let run = only(&thread(&history)).clone();
            assert_eq!((run.state, run.tools[0].state), (GatewayRunState::Waiting, ToolState::Waiting));
            return;
        }
    }
    panic!("it never waited");
}

#[test]
fn a_captured_abort_keeps_the_first_end_and_what_was_said_so_far() {
    let thread = of(ABORTED);
    let run = only(&thread);
    assert_eq!((run.state, run.reason.as_deref()), (GatewayRunState::Aborted, Some("rpc")));
    assert!(run.text.starts_with("tick 1 tick 2"), "{}", run.text);
}

#[test]
fn text_missed_while_the_socket_was_gone_is_made_good_by_what_comes_next() {
    let mut history = History::new();
    history.connected("b-1", "c-1");
    let mut last = 1;
    for (conn, frame) in captured(RECONNECTED) {
        if conn != last {
            history.connected("b-1", "c-2");
            last = conn;
        }
        history.heard("b-1", &frame);
    }
    let thread = thread(&history);
    let run = only(&thread);
    let whole: Vec<String> = (1..=80).map(|number| format!("tick {number}")).collect();
    assert_eq!((run.state, run.text.trim()), (GatewayRunState::Final, whole.join(" ").as_str()));
}

#[test]
fn the_first_end_counts_and_later_ones_are_addenda() {
    let failed = |text: &str, seq: u64| chat("r", json!({ "state": "error", "errorMessage": text, "seq": seq }));
    let twice = made(&[failed("HTTP 500", 9), failed("something went wrong", 1), failed("HTTP 500", 2)]);
    let thread = thread(&twice);
    let run = only(&thread);
    assert_eq!((run.state, run.reason.as_deref()), (GatewayRunState::Error, Some("HTTP 500")));
    let addenda: Vec<&str> = run.addenda.iter().map(|addendum| addendum.text.as_str()).collect();
    assert_eq!(addenda, ["something went wrong", "HTTP 500"]);
}

#[test]
fn a_queued_run_ends_empty_and_the_answer_comes_under_another_id() {
    let history = made(&[
        chat("asked", json!({ "state": "final" })),
        chat("real", json!({ "state": "delta", "deltaText": "hel" })),
        chat("real", json!({ "state": "delta", "deltaText": "lo" })),
        chat("real", json!({ "state": "final", "stopReason": "stop", "message": says("hello") })),
    ]);
    let thread = thread(&history);
    let turns: Vec<(&str, GatewayRunState, &str)> =
        thread.turns.iter().map(|run| (run.run.as_str(), run.state, run.text.as_str())).collect();
    assert_eq!(turns, [("asked", GatewayRunState::Final, ""), ("real", GatewayRunState::Final, "hello")]);
    assert_eq!((thread.row.runs, thread.row.last_text.as_str()), (2, "hello"));
}

#[test]
fn an_increment_that_replaces_replaces_everything_so_far() {
    let history = made(&[
        chat("r", json!({ "state": "delta", "deltaText": "[[secret]] hi" })),
        chat("r", json!({ "state": "delta", "deltaText": "hi", "replace": true })),
        chat("r", json!({ "state": "delta", "deltaText": " there" })),
    ]);
    assert_eq!(only(&thread(&history)).text, "hi there");
}

#[test]
fn a_run_whose_end_nobody_heard_is_ended_by_a_restart_and_not_by_a_new_socket() {
    let mut history = made(&[chat("r", json!({ "state": "delta", "deltaText": "hi" }))]);
    history.connected("b-1", "c-2");
    assert_eq!(only(&thread(&history)).state, GatewayRunState::Running);
    history.connected("b-2", "c-3");
    let ended = only(&thread(&history)).clone();
    assert_eq!((ended.state, ended.reason.as_deref()), (GatewayRunState::Unknown, Some("the gateway was restarted")));
    // What the gateway goes on with by itself is another run.
    history.heard("b-2", &chat("resumed", json!({ "state": "final", "message": says("done") })));
    assert_eq!(thread(&history).row.state, Some(GatewayRunState::Final));
}

#[test]
fn a_session_that_is_idle_has_no_run_and_one_that_does_not_know_may_have() {
    let changed = |ids: Value| {
        let payload = json!({ "sessionKey": "agent:main:main", "hasActiveRun": false, "activeRunIds": ids });
        json!({ "type": "event", "event": "sessions.changed", "payload": payload, "seq": 2 })
    };
    let begun = || chat("r", json!({ "state": "delta", "deltaText": "hi" }));
    let state = |ids: Value| only(&thread(&made(&[begun(), changed(ids)]))).state;
    assert_eq!(state(Value::Null), GatewayRunState::Running);
    assert_eq!(state(json!([])), GatewayRunState::Unknown);
    // What the chat itself says counts more, also when it comes late.
    let late = made(&[begun(), changed(json!([])), chat("r", json!({ "state": "final", "message": says("hi!") }))]);
    let run = only(&thread(&late)).clone();
    assert_eq!((run.state, run.text.as_str(), run.addenda.len()), (GatewayRunState::Final, "hi!", 0));
}

#[test]
fn that_a_session_is_told_of_again_does_not_make_its_conversation_a_new_one() {
    let mut history = made(&[chat("r", json!({ "state": "final", "message": says("done") }))]);
    let before = thread(&history).row.last_at_us;
    let payload = json!({ "sessionKey": "agent:main:main", "label": "the build", "hasActiveRun": false });
    history.heard("b-2", &json!({ "type": "event", "event": "sessions.changed", "payload": payload, "seq": 1 }));
    let row = thread(&history).row;
    assert_eq!((row.label.as_deref(), row.last_at_us), (Some("the build"), before));
}

#[test]
fn an_agents_own_end_waits_for_the_last_of_the_text_and_says_how_it_ended_when_that_never_comes() {
    let begun = || chat("r", json!({ "state": "delta", "deltaText": "hello" }));
    let payload = json!({
        "runId": "r", "sessionKey": "agent:main:main", "stream": "lifecycle", "data": { "phase": "end" },
    });
    let told = || json!({ "type": "event", "event": "agent", "payload": payload, "seq": 2 });
    let said = chat("r", json!({ "state": "final", "message": says("hello over the wire") }));
    let payload = json!({ "sessionKey": "agent:main:main", "hasActiveRun": false, "activeRunIds": [] });
    let idle = json!({ "type": "event", "event": "sessions.changed", "payload": payload, "seq": 3 });
    let after = |frames: &[Value]| {
        let run = only(&thread(&made(frames))).clone();
        (run.state, run.text)
    };
    assert_eq!(after(&[begun(), told()]), (GatewayRunState::Running, "hello".to_owned()));
    let whole = (GatewayRunState::Final, "hello over the wire".to_owned());
    assert_eq!(after(&[begun(), told(), said.clone()]), whole);
    assert_eq!(after(&[begun(), told(), idle.clone()]), (GatewayRunState::Final, "hello".to_owned()));
    assert_eq!(after(&[begun(), told(), idle, said]), whole);
}

#[test]
fn runs_of_a_gateway_that_is_removed_are_over() {
    let mut history = made(&[chat("r", json!({ "state": "delta", "deltaText": "hi" }))]);
    history.of_gateway(GatewayEvent::Removed(Removed { gateway: main() }));
    assert_eq!(only(&thread(&history)).state, GatewayRunState::Unknown);
}

#[test]
fn memory_is_bounded_however_much_is_said() {
    let long = made(&[chat("r", json!({ "state": "delta", "message": says(&"é".repeat(TEXT_BYTES_MAX)) }))]);
    let run = only(&thread(&long)).clone();
    assert!(run.is_cut && run.text.len() <= TEXT_BYTES_MAX && run.text.ends_with('é'));
    let many: Vec<Value> = (0..RUNS_MAX + 5).map(|run| chat(&run.to_string(), json!({ "state": "final" }))).collect();
    let thread = thread(&made(&many));
    assert_eq!(
        (thread.turns.len(), thread.row.runs as usize, thread.turns[0].run.as_str()),
        (RUNS_MAX, RUNS_MAX + 5, "5")
    );
    let sessions: Vec<Value> = (0..THREADS_MAX + 3)
        .map(|number| {
            let mut frame = chat("r", json!({ "state": "final" }));
            frame["payload"]["sessionKey"] = format!("agent:main:{number}").into();
            frame
        })
        .collect();
    let views = made(&sessions).views();
    assert_eq!(views.threads.view(None).rows.len(), THREADS_MAX);
    assert_eq!(views.threads.get(ThreadId::of(&main(), "agent:main:0")), None, "the oldest made room");
    let other: GatewayName = "other".parse().expect("a name");
    assert_eq!(views.threads.view(Some(&other)).rows, []);
}

/// What a tool of a run gives.
fn gives(run: &str, call: &str, output: &str) -> Value {
    let data = json!({ "phase": "result", "toolCallId": call, "name": "exec",
        "result": { "content": [{ "type": "text", "text": output }] } });
    let payload = json!({ "runId": run, "stream": "tool", "data": data, "sessionKey": "agent:main:main" });
    json!({ "type": "event", "event": "agent", "payload": payload, "seq": 1 })
}

#[test]
fn a_thread_holds_no_more_than_its_bytes_and_the_last_run_whole() {
    let mut frames = vec![];
    for run in 0..6 {
        let run = run.to_string();
        frames.push(chat(&run, json!({ "state": "delta", "message": says(&"x".repeat(TEXT_BYTES_MAX)) })));
        frames.extend((0..40).map(|tool| gives(&run, &tool.to_string(), &"y".repeat(4 << 10))));
    }
    let thread = thread(&made(&frames));
    let bytes = serde_json::to_vec(&thread).expect("JSON").len();
    assert!(bytes < THREAD_BYTES_MAX + (32 << 10), "{bytes}");
    assert_eq!(thread.row.runs, 6);
    let last = thread.turns.last().expect("a run");
    assert_eq!((last.run.as_str(), last.text.len(), last.tools.len()), ("5", TEXT_BYTES_MAX, 40));
    let outputs: Vec<bool> = last.tools.iter().map(|tool| tool.output.is_empty()).collect();
    assert!(outputs[0] && !outputs[39] && outputs.is_sorted_by(|one, next| one >= next), "the first make room");
}

#[test]
fn an_id_of_any_length_is_the_same_one_again() {
    let (long, call) = ("r".repeat(10_000), "c".repeat(10_000));
    let delta = |text: &str| chat(&long, json!({ "state": "delta", "deltaText": text }));
    let thread = thread(&made(&[delta("a"), gives(&long, &call, "1"), delta("b"), gives(&long, &call, "2")]));
    let run = only(&thread);
    assert_eq!((run.text.as_str(), run.tools.len(), run.tools[0].output.as_str()), ("ab", 1, "2"));
    assert!(run.run.len() < 1_000 && run.tools[0].call.len() < 1_000);
}

#[test]
fn a_snapshot_holds_conversations_and_goes_on_where_it_was_put_down() {
    let mut history = History::new();
    let frames = captured(OBSERVED);
    for (_, frame) in &frames {
        history.heard("b-1", frame);
    }
    let (before, after) = history.events.split_at(30);
    let kept = snapshot::save(&views(before));
    let mut restored: Views = snapshot::restore(&kept).expect("restored");
    after.iter().for_each(|envelope| restored.apply(envelope));
    assert_eq!(restored, history.views());
}

#[test]
fn odd_frames_say_nothing_and_harm_nothing() {
    let odd = [
        json!({ "type": "event", "event": "chat", "payload": 7 }),
        json!({ "type": "event", "event": "chat", "payload": { "runId": 1 } }),
        json!({ "type": "event", "event": "agent", "payload": { "runId": "r", "stream": "tool", "data": [] } }),
        json!({ "type": "event", "event": "session.message", "payload": { "sessionKey": "s" } }),
        json!({ "type": "event", "event": "sessions.changed" }),
    ];
    let views = made(&odd).views();
    assert_eq!(views.threads.view(None).rows, []);
}
