//! How an attempt is written on the command line and in `regatta.toml`.
//!
//! `AGENT[:MODEL][@SANDBOX][*COUNT]`, or `command[@SANDBOX][*COUNT]=SHELL`. Examples: `claude`, `codex:gpt-5`,
//! `claude:sonnet*3`, `codex@docker`, `openclaw:main@gateway:ams`, `command=./my-agent.sh`. Pure.

use regatta_core::GatewayName;
use regatta_core::event::run::{Entry, Site};
use regatta_dispatcher::request::ATTEMPTS_MAX;

use crate::suggest;
use crate::terminal::escape;

/// The sandboxes there are. Whether one can be used, the server says.
pub(crate) const SANDBOXES: &[&str] = &["local", "host", "docker", "e2b", "daytona", GATEWAY];
/// The one of them that has places: the gateways of the installation.
const GATEWAY: &str = regatta_sessions::NAME;
/// The agent that is any program.
const COMMAND: &str = "command";

/// A text that is not an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an attempt: {reason}")]
pub(crate) struct InvalidSpec {
    text: String,
    reason: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// What every hint falls back on.
const EXAMPLES: &str =
    "write AGENT[:MODEL][@SANDBOX][*COUNT], as claude, codex:gpt-5, claude:sonnet*3, or command=./my-agent.sh";

/// Reads one attempt; a count gives as many entries.
pub(crate) fn parse(text: &str, agents: &[&str], sandbox: &str) -> Result<Vec<Entry>, InvalidSpec> {
    let wrong = |reason: String, hint: Option<String>| InvalidSpec {
        text: text.to_owned(),
        reason,
        hint: hint.unwrap_or_else(|| EXAMPLES.to_owned()),
    };
    let (head, command) = split_command(text);
    let (head, count) = split_count(head).map_err(|reason| wrong(reason, None))?;
    let (head, sandbox) = split_sandbox(head).unwrap_or((head, sandbox));
    let (agent, model) = match head.split_once(':') {
        Some((agent, model)) => (agent.trim(), Some(model.trim())),
        None => (head.trim(), None),
    };
    if agent.is_empty() {
        return Err(wrong("it names no agent".to_owned(), None));
    }
    if !agents.contains(&agent) && agent != COMMAND {
        let hint = suggest::closest(agent, agents.iter().copied().chain([COMMAND])).map_or_else(
            || format!("known agents: {}; any other program runs as command='…'", agents.join(", ")),
            |close| format!("did you mean {close}? any program runs as command='…'"),
        );
        return Err(wrong(format!("there is no agent {agent:?}"), Some(hint)));
    }
    if model == Some("") {
        return Err(wrong("it names no model after the colon".to_owned(), None));
    }
    check_sandbox(sandbox).map_err(|(reason, hint)| wrong(reason, Some(hint)))?;
    match (agent == COMMAND, command.map(str::trim)) {
        (true, None | Some("")) => {
            return Err(wrong("it has no command".to_owned(), Some("write command=./my-agent.sh".to_owned())));
        }
        (true, Some(_)) if model.is_some() => {
            return Err(wrong(
                "a command has no model".to_owned(),
                Some("pass the model inside the command".to_owned()),
            ));
        }
        _ => {}
    }
    let entry = Entry {
        agent: agent.to_owned(),
        command: command.map(|command| command.trim().to_owned()),
        model: model.map(str::to_owned),
        sandbox: sandbox.to_owned(),
    };
    Ok(vec![entry; count])
}

fn check_sandbox(sandbox: &str) -> Result<(), (String, String)> {
    let Site { provider: name, place } = Site::from(sandbox);
    if !SANDBOXES.contains(&name) {
        let hint = suggest::closest(name, SANDBOXES.iter().copied()).map_or_else(
            || format!("known sandboxes: {}", SANDBOXES.join(", ")),
            |close| format!("did you mean {close}?"),
        );
        return Err((format!("there is no sandbox {name:?}"), hint));
    }
    match place {
        None => Ok(()),
        Some(place) if name == GATEWAY && place.parse::<GatewayName>().is_ok() => Ok(()),
        Some(place) if name == GATEWAY => {
            Err((format!("{place:?} is no gateway's name"), "regatta gateway ls shows them".to_owned()))
        }
        Some(place) => Err((
            format!("sandbox {name} has no {place:?}"),
            format!("write @{name}; a model goes before it, as :opus@{name}"),
        )),
    }
}

/// The shell text after `command…=`; other agents have none, so their models may hold any character.
fn split_command(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((head, command)) if is_command(head) => (head, Some(command)),
        _ => (text, None),
    }
}

fn is_command(head: &str) -> bool {
    head.trim().strip_prefix(COMMAND).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@', '*']))
}

fn split_count(head: &str) -> Result<(&str, usize), String> {
    let Some((rest, count)) = head.rsplit_once('*') else { return Ok((head, 1)) };
    let number: usize = count.trim().parse().map_err(|_| format!("{count:?} is not a count"))?;
    if (1..=ATTEMPTS_MAX).contains(&number) {
        Ok((rest, number))
    } else {
        Err(format!("the count must be between 1 and {ATTEMPTS_MAX}"))
    }
}

/// A sandbox begins with a letter; a model's version (`sonnet@20250514`) does not.
fn split_sandbox(head: &str) -> Option<(&str, &str)> {
    let (rest, sandbox) = head.rsplit_once('@')?;
    sandbox.starts_with(|c: char| c.is_ascii_alphabetic()).then_some((rest, sandbox.trim()))
}

/// One line for people: how an entry would be written.
pub(crate) fn show(entry: &Entry) -> String {
    let model = entry.model.as_ref().map_or(String::new(), |model| format!(":{model}"));
    let sandbox = if entry.sandbox == "local" { String::new() } else { format!("@{}", entry.sandbox) };
    let command = entry.command.as_ref().map_or(String::new(), |command| format!("={command}"));
    format!("{}{model}{sandbox}{command}", entry.agent)
}

/// Longest name of a command for people.
const BRIEF_CHARS_MAX: usize = 80;

/// A few words for people: a command by its own text, any other agent as it would be written. What is too long is cut
/// at its end and nowhere else, because the table is evidence of what ran.
pub(crate) fn brief(agent: &str, command: Option<&str>, model: Option<&str>, sandbox: &str) -> String {
    let Some(command) = command else {
        let (agent, sandbox) = (agent.to_owned(), sandbox.to_owned());
        return show(&Entry { agent, command: None, model: model.map(str::to_owned), sandbox });
    };
    escape::cut(command, BRIEF_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENTS: &[&str] = &["claude", "codex", "gemini", "openclaw"];

    fn reads(text: &str, count: usize, agent: &str, model: Option<&str>, sandbox: &str, command: Option<&str>) {
        let entries = parse(text, AGENTS, "local").unwrap_or_else(|error| panic!("{error}"));
        let entry = Entry {
            agent: agent.to_owned(),
            model: model.map(str::to_owned),
            sandbox: sandbox.to_owned(),
            command: command.map(str::to_owned),
        };
        assert_eq!(entries, vec![entry; count], "{text}");
    }

    fn refused(text: &str, says: &str, hints: &str) {
        let error = parse(text, AGENTS, "local").expect_err(text);
        let (message, hint) = (error.to_string(), error.hint);
        assert!(message.contains(says) && hint.contains(hints), "{text}: {message} / {hint}");
    }

    #[test]
    fn attempts_read_as_they_are_meant() {
        reads("claude", 1, "claude", None, "local", None);
        reads("codex:gpt-5", 1, "codex", Some("gpt-5"), "local", None);
        reads("claude:sonnet*3", 3, "claude", Some("sonnet"), "local", None);
        reads("claude@docker*2", 2, "claude", None, "docker", None);
        reads("claude@host", 1, "claude", None, "host", None);
        reads("claude:opus@host*2", 2, "claude", Some("opus"), "host", None);
        reads("claude:claude-sonnet-4@20250514", 1, "claude", Some("claude-sonnet-4@20250514"), "local", None);
        reads("gemini:openrouter/a:beta=x", 1, "gemini", Some("openrouter/a:beta=x"), "local", None);
        reads("openclaw:main@gateway*4", 4, "openclaw", Some("main"), "gateway", None);
        reads("openclaw@gateway:ams", 1, "openclaw", None, "gateway:ams", None);
        reads("command=./my-agent.sh", 1, "command", None, "local", Some("./my-agent.sh"));
        reads("command=A=1 ./a.sh *.txt a@b*3", 1, "command", None, "local", Some("A=1 ./a.sh *.txt a@b*3"));
        reads("command@host*2=true", 2, "command", None, "host", Some("true"));
        reads("command = true ", 1, "command", None, "local", Some("true"));
    }

    #[test]
    fn what_is_not_an_attempt_is_refused_with_what_to_write() {
        refused("", "names no agent", "AGENT[:MODEL]");
        refused("claud", "no agent \"claud\"", "did you mean claude?");
        refused("zzz", "no agent \"zzz\"", "known agents: claude, codex, gemini, openclaw");
        refused("claude:", "no model", "AGENT");
        refused("claude@hots", "no sandbox \"hots\"", "did you mean host?");
        refused("claude@docker:opus", "sandbox docker has no \"opus\"", ":opus@docker");
        refused("openclaw@gateway:A b", "no gateway's name", "regatta gateway ls");
        refused("claude*0", "between 1 and 100", "AGENT");
        refused("claude*many", "\"many\" is not a count", "AGENT");
        refused("command", "no command", "command=./my-agent.sh");
        refused("command=  ", "no command", "command=./my-agent.sh");
        refused("command:gpt=true", "no model", "inside the command");
    }

    #[test]
    fn a_command_is_shown_as_it_was_given_and_only_its_end_is_cut() {
        for command in ["head -c 9 /dev/zero > n", "node '/tmp/demo/programs/careful.mjs'", "printf 'a  b'", "cat /"] {
            assert_eq!(brief("command", Some(command), None, "local"), command);
        }
        let long = brief("command", Some(&"x".repeat(99)), None, "local");
        assert_eq!(long, format!("{}…", "x".repeat(BRIEF_CHARS_MAX - 1)));
        assert_eq!(brief("claude", None, Some("opus"), "host"), "claude:opus@host");
    }

    #[test]
    fn an_entry_is_shown_as_it_would_be_written() {
        for text in [
            "claude",
            "codex:gpt-5",
            "claude:opus@host",
            "command=./a.sh",
            "command@host=A=1 ./a",
            "openclaw:main@gateway:ams",
        ] {
            let entries = parse(text, AGENTS, "local").expect(text);
            assert_eq!(entries.first().map(show).as_deref(), Some(text));
        }
    }
}
