//! What people elsewhere are told of questions that are about to expire: as JSON, and as Slack writes it. Pure.
//!
//! Slack: <https://api.slack.com/messaging/webhooks>, and `mrkdwn` as in
//! <https://api.slack.com/reference/surfaces/formatting#escaping>.

use regatta_core::event::approval::Requested;
use serde_json::{Value, json};

use crate::escalation::Expiring;

/// Questions told of one by one; of more than these it is said how many.
const TOLD_MAX: usize = 20;
/// Longest command that is told, in characters.
const COMMAND_CHARS_MAX: usize = 1_000;
/// The same in Slack, whose messages are short.
const SLACK_CHARS_MAX: usize = 150;

/// For programs.
pub(crate) fn json(due: &[Expiring], page: Option<&str>) -> Value {
    let told = due.iter().take(TOLD_MAX).map(|Expiring { asked, left }| {
        let question = &asked.question;
        json!({
            "approval": asked.approval,
            "gateway": asked.approval.gateway,
            "agent": question.agent,
            "attempt": question.attempt(),
            "command": cut(&question.command, COMMAND_CHARS_MAX),
            "plugin": question.plugin.as_ref().map(|plugin| &plugin.name),
            "cwd": question.cwd,
            "expires_at_ms": asked.expires_at_ms,
            "left_s": left.as_secs(),
            "link": link(asked, page),
        })
    });
    json!({ "event": "approvals.expiring", "count": due.len(), "approvals": told.collect::<Vec<_>>() })
}

/// For people, as text of Slack.
pub(crate) fn slack(due: &[Expiring], page: Option<&str>) -> Value {
    let told = due.iter().take(TOLD_MAX).map(|Expiring { asked, left }| {
        let question = &asked.question;
        let who = escaped(question.agent.as_deref().unwrap_or("an agent"));
        let command = escaped(&cut(&question.command, SLACK_CHARS_MAX)).replace('`', "'");
        let link = link(asked, page).map(|link| format!(" <{link}|Answer it>")).unwrap_or_default();
        let minutes = left.as_secs().div_ceil(60);
        format!("{who} of {} waits for an answer, {minutes} min more.{link}\n```{command}```", asked.approval.gateway)
    });
    let mut lines: Vec<String> = told.collect();
    match due.len().saturating_sub(TOLD_MAX) {
        0 => {}
        more => lines.push(format!("… and {more} more")),
    }
    json!({ "text": lines.join("\n") })
}

/// Says which question, and opens nothing by itself.
fn link(asked: &Requested, page: Option<&str>) -> Option<String> {
    page.map(|page| format!("{}/approvals?ask={}", page.trim_end_matches('/'), asked.approval))
}

fn cut(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() { format!("{shown}…") } else { shown }
}

/// A text that means nothing to Slack.
fn escaped(text: &str) -> String {
    let seen = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c });
    seen.collect::<String>().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use regatta_core::event::approval::{Decision, Question};

    use super::*;

    fn expiring(id: &str, command: &str) -> Expiring {
        let asked = Requested {
            approval: id.parse().expect("an id"),
            boot_id: "b-1".to_owned(),
            question: Question {
                command: command.to_owned(),
                agent: Some("main".to_owned()),
                session: Some("agent:main:regatta-7q2k9x0m-b".to_owned()),
                ..Question::default()
            },
            decisions: vec![Decision::Deny],
            asked_at_ms: 1_000,
            expires_at_ms: 2_000,
            is_reconstructed: false,
        };
        Expiring { asked, left: Duration::from_secs(121) }
    }

    #[test]
    fn programs_are_told_every_field_and_where_to_answer() {
        let told = json(&[expiring("main.a-1", "make")], Some("https://regatta.example/"));
        let then = json!({
            "event": "approvals.expiring", "count": 1,
            "approvals": [{
                "approval": "main.a-1", "gateway": "main", "agent": "main", "attempt": "7q2k9x0m.b", "command": "make",
                "plugin": null, "cwd": null, "expires_at_ms": 2_000, "left_s": 121,
                "link": "https://regatta.example/approvals?ask=main.a-1",
            }],
        });
        assert_eq!(told, then);
    }

    #[test]
    fn a_command_says_nothing_to_slack_by_itself() {
        let told = slack(&[expiring("main.a-1", "echo `x` <!channel> && y\u{1b}")], None);
        let text = "main of main waits for an answer, 3 min more.\n```echo 'x' &lt;!channel&gt; &amp;&amp; y ```";
        assert_eq!(told, json!({ "text": text }));
    }

    #[test]
    fn of_many_questions_the_first_are_told_and_how_many_there_are() {
        let long = "x".repeat(COMMAND_CHARS_MAX + 1);
        let many: Vec<Expiring> = (0..TOLD_MAX + 3).map(|n| expiring(&format!("main.a-{n}"), &long)).collect();
        let told = json(&many, None);
        assert_eq!((&told["count"], told["approvals"].as_array().map(Vec::len)), (&json!(23), Some(TOLD_MAX)));
        let cut = told["approvals"][0]["command"].as_str().map(|command| command.chars().count());
        assert_eq!(cut, Some(COMMAND_CHARS_MAX + 1));
        assert!(slack(&many, None)["text"].as_str().is_some_and(|text| text.ends_with("… and 3 more")));
    }
}
