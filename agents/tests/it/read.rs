//! Output captured from the real programs, read in pieces of every size.

use regatta_agents::{Agent, LINE_BYTES_MAX, Said, Usage};

fn read(agent: &Agent, output: &[u8], piece_bytes: usize) -> Vec<Said> {
    let mut reader = agent.reader();
    let mut said: Vec<Said> = output.chunks(piece_bytes).flat_map(|piece| reader.read(piece)).collect();
    said.extend(reader.end());
    said
}

fn check(agent: &Agent, output: &[u8], expected: &[Said]) {
    for piece_bytes in [1, 7, 4_096, usize::MAX] {
        assert_eq!(read(agent, output, piece_bytes), expected, "in pieces of {piece_bytes}");
    }
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

const EDIT: &str = "echo 'edited by agent' >> README.md";

#[test]
fn claude_says_what_it_does_and_what_it_cost() {
    check(
        &Agent::Claude,
        include_bytes!("../fixtures/claude.jsonl"),
        &[
            Said::Session {
                id: "11111111-2222-4333-8444-555555555555".to_owned(),
                model: Some("claude-opus-4-8[1m]".to_owned()),
            },
            text("I will edit the file."),
            Said::ToolStarted { id: "toolu_2".to_owned(), name: "Bash".to_owned(), detail: EDIT.to_owned() },
            Said::ToolEnded { id: "toolu_2".to_owned(), failure: None },
            text("Done: README.md edited."),
            Said::Usage(Usage {
                input_tokens: 205,
                cached_input_tokens: 0,
                output_tokens: 49,
                cost_microdollars: Some(2_250),
            }),
            Said::Finished { text: "Done: README.md edited.".to_owned(), failed: false, denied: 0 },
        ],
    );
}

#[test]
fn a_tool_claude_was_denied_is_counted_although_it_says_that_all_is_well() {
    let said = read(&Agent::Claude, include_bytes!("../fixtures/claude-denied.jsonl"), 4_096);
    let is_why = |why: &str| why.starts_with("Output redirection to") && why.ends_with("'/workspace'.");
    let denied =
        |said: &Said| matches!(said, Said::ToolEnded { id, failure: Some(why) } if id == "toolu_6" && is_why(why));
    assert!(said.iter().any(denied), "{said:?}");
    let finished = Said::Finished { text: "Done: README.md edited.".to_owned(), failed: false, denied: 1 };
    assert_eq!(said.last(), Some(&finished));
}

#[test]
fn a_success_with_an_error_is_a_failure() {
    let output = br#"{"type":"result","subtype":"success","is_error":true,"result":"API Error: 500"}"#;
    let finished = Said::Finished { text: "API Error: 500".to_owned(), failed: true, denied: 0 };
    check(&Agent::Claude, output, &[Said::Usage(Usage::default()), finished]);
}

#[test]
fn codex_says_what_it_does_and_what_it_used() {
    let said = read(&Agent::Codex, include_bytes!("../fixtures/codex.jsonl"), 100);
    let Some((problem, said)) = said.get(1).zip(said.get(2..)) else { panic!("too little was said: {said:?}") };
    assert!(matches!(problem, Said::Problem(text) if text.starts_with("Model metadata")), "{problem:?}");
    let command = format!("/bin/bash -lc \"{EDIT}\"");
    let expected = [
        Said::ToolStarted { id: "item_1".to_owned(), name: "command_execution".to_owned(), detail: command },
        Said::ToolEnded { id: "item_1".to_owned(), failure: None },
        text("Done: README.md edited."),
        Said::Usage(Usage { input_tokens: 403, cached_input_tokens: 10, output_tokens: 40, cost_microdollars: None }),
        Said::Finished { text: String::new(), failed: false, denied: 0 },
    ];
    assert_eq!(said, expected);
}

#[test]
fn openclaw_says_what_it_does_and_what_each_message_used_is_summed_up() {
    check(
        &Agent::OpenClaw,
        include_bytes!("../fixtures/openclaw.jsonl"),
        &[
            Said::Session { id: "agent:main:regatta-7q2k9x0m-a".to_owned(), model: None },
            Said::ToolStarted {
                id: "call_1".to_owned(),
                name: "exec".to_owned(),
                detail: "pwd; echo hi > x.txt".to_owned(),
            },
            Said::ToolEnded { id: "call_1".to_owned(), failure: None },
            text("all done"),
            Said::Usage(Usage {
                input_tokens: 200,
                cached_input_tokens: 0,
                output_tokens: 40,
                cost_microdollars: Some(280),
            }),
            Said::Finished { text: "all done".to_owned(), failed: false, denied: 0 },
        ],
    );
}

#[test]
fn an_openclaw_turn_that_ends_badly_says_why() {
    let finished = |text: &str| Said::Finished { text: text.to_owned(), failed: true, denied: 0 };
    for (line, text) in [
        (r#"{"event":"chat","state":"error","errorMessage":"rate limit"}"#, "rate limit"),
        (r#"{"event":"chat","state":"aborted","message":{"content":[{"type":"text","text":"so far"}]}}"#, "so far"),
    ] {
        check(&Agent::OpenClaw, line.as_bytes(), &[Said::Usage(Usage::default()), finished(text)]);
    }
    let gap = br#"{"event":"regatta.problem","text":"4 events were missed"}"#;
    check(&Agent::OpenClaw, gap, &[Said::Problem("4 events were missed".to_owned())]);
}

#[test]
fn what_is_not_understood_is_kept_as_it_came() {
    let output = b"not json\n\n{\"type\":\"from the future\"}\n[1]\n\xff\xfe";
    let other = |text: &str| Said::Other(text.to_owned());
    let expected =
        [other("not json"), other("{\"type\":\"from the future\"}"), other("[1]"), other("\u{fffd}\u{fffd}")];
    check(&Agent::Claude, output, &expected);
    check(&Agent::Codex, output, &expected);
    check(&Agent::OpenClaw, output, &expected);
}

#[test]
fn plain_text_is_words_line_by_line_whatever_the_bytes() {
    let agent = Agent::Command("./agent.sh".to_owned());
    check(&agent, b"one\r\ntwo \xff\nlast", &[text("one"), text("two \u{fffd}"), text("last")]);
    let said = read(&agent, &vec![b'x'; 3 * LINE_BYTES_MAX], 65_536);
    assert_eq!(said.len(), 3, "an endless line comes in pieces");
}

#[test]
fn hostile_lines_never_stop_the_reader() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for line in
        [deep.as_str(), r#"{"type":"assistant","message":7}"#, r#"{"type":"result","total_cost_usd":-1e308}"#, "{}"]
    {
        for agent in [Agent::Claude, Agent::Codex, Agent::OpenClaw] {
            let mut output = line.as_bytes().to_vec();
            output.extend_from_slice(b"\nstill here");
            let said = read(&agent, &output, 4_096);
            assert_eq!(said.last(), Some(&Said::Other("still here".to_owned())));
        }
    }
}

#[test]
fn a_tool_that_failed_says_why() {
    let claude = br#"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":[{"type":"text","text":"1 failing"}]}]}}"#;
    let codex = br#"{"type":"item.completed","item":{"id":"t","type":"command_execution","aggregated_output":"1 failing\n","exit_code":1,"status":"failed"}}"#;
    let why = || Said::ToolEnded { id: "t".to_owned(), failure: Some("1 failing".to_owned()) };
    check(&Agent::Claude, claude, &[why()]);
    check(&Agent::Codex, codex, &[why()]);
}
