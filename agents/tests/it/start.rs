//! What is run for a task, shown by running it with a program that prints how it was called.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use regatta_agents::{ALL, Agent, Error, PROMPT_ARGUMENT_BYTES_MAX, Start, Task, find};
use regatta_core::event::run::Entry;

fn entry(agent: &str, command: Option<&str>, model: Option<&str>) -> Entry {
    let own = |text: Option<&str>| text.map(str::to_owned);
    Entry { agent: agent.to_owned(), command: own(command), model: own(model), sandbox: "local".to_owned() }
}

fn start(agent: &Agent, prompt: &str, prompt_file: &Path, model: Option<&str>) -> Start {
    let prompt_file = prompt_file.to_str().expect("utf-8");
    agent.start(&Task { prompt, prompt_file, model }).expect("starts")
}

/// The arguments `program` is called with for a prompt.
fn called(agent: &Agent, program: &str, prompt: &str, model: Option<&str>) -> Vec<String> {
    let folder = tempfile::tempdir().expect("folder");
    let stub = folder.path().join(program);
    fs::write(&stub, "#!/bin/sh\nfor argument; do printf '%s\\0' \"$argument\"; done\n").expect("writes");
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).expect("mode");
    let prompt_file = folder.path().join("the prompt.md");
    fs::write(&prompt_file, prompt).expect("writes");
    let start = start(agent, prompt, &prompt_file, model);
    let path = std::env::join_paths(
        [folder.path().to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").expect("a PATH"))),
    );
    let mut command = Command::new(&start.argv[0]);
    command.args(&start.argv[1..]).env_clear().env("PATH", path.expect("joins")).envs(&start.env);
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("utf-8");
    printed.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn a_command_gets_the_prompt_in_a_variable_and_in_a_file() {
    let agent = find(&entry("command", Some("./agent.sh --fast"), None)).expect("found");
    let start = start(&agent, "fix it", Path::new("/inbox/prompt"), Some("small"));
    assert_eq!(start.argv, ["/bin/sh", "-c", "./agent.sh --fast"]);
    let env: Vec<(&str, &str)> = start.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [("REGATTA_MODEL", "small"), ("REGATTA_PROMPT", "fix it"), ("REGATTA_PROMPT_FILE", "/inbox/prompt")];
    assert_eq!(env, expected);
    assert_eq!(start.env_pass, [""; 0], "a command is given no credentials");
    assert_eq!(agent.home_links(Path::new("/home/user")), []);
}

#[test]
fn a_prompt_too_large_for_a_variable_is_in_the_file_alone() {
    let agent = Agent::Command("true".to_owned());
    let fits = "x".repeat(PROMPT_ARGUMENT_BYTES_MAX);
    assert!(start(&agent, &fits, Path::new("/p"), None).env.contains_key("REGATTA_PROMPT"));
    let start = start(&agent, &format!("{fits}x"), Path::new("/p"), None);
    assert!(!start.env.contains_key("REGATTA_PROMPT") && start.env.contains_key("REGATTA_PROMPT_FILE"));
}

#[test]
fn claude_is_called_as_it_was_measured() {
    let flags = ["--output-format", "stream-json", "--verbose", "--permission-mode", "bypassPermissions"];
    let mut expected = vec!["-p", "fix \"it\"\n$(touch x) `y` \\"];
    expected.extend(flags);
    assert_eq!(called(&Agent::Claude, "claude", expected[1], None), expected);
    expected.extend(["--model", "claude-opus-4-8[1m]"]);
    assert_eq!(called(&Agent::Claude, "claude", expected[1], Some("claude-opus-4-8[1m]")), expected);
}

#[test]
fn codex_is_called_as_it_was_measured() {
    let flags = ["exec", "--json", "--dangerously-bypass-approvals-and-sandbox"];
    let mut expected = flags.to_vec();
    expected.push("fix it");
    assert_eq!(called(&Agent::Codex, "codex", "fix it\n", None), expected);
    let expected = [flags[0], flags[1], flags[2], "-c", "model=\"gpt-5-codex\"", "fix it"];
    assert_eq!(called(&Agent::Codex, "codex", "fix it", Some("gpt-5-codex")), expected);
}

#[test]
fn openclaw_is_begun_by_a_program_that_reads_the_prompts_file() {
    assert_eq!(called(&Agent::OpenClaw, "node", "fix it", Some("main")), ["--input-type=module", "-"]);
    let larger = "x".repeat(PROMPT_ARGUMENT_BYTES_MAX + 1);
    for (agent, id) in [(Some("main"), "main"), (None, "")] {
        let start = start(&Agent::OpenClaw, &larger, Path::new("/p"), agent);
        assert_eq!(start.env.get(regatta_agents::openclaw::AGENT).map(String::as_str), Some(id));
    }
    for id in ["a/b", "a:b", "Main", ""] {
        let refused = find(&entry("openclaw", None, Some(id))).expect_err(id);
        assert!(refused.hint().is_some_and(|hint| hint.contains("openclaw agents list")), "{refused}");
    }
}

#[test]
fn a_prompt_that_starts_with_a_dash_is_no_option() {
    assert_eq!(called(&Agent::Claude, "claude", "--help", None)[1], " --help");
    assert_eq!(called(&Agent::Codex, "codex", "-", None).last().map(String::as_str), Some(" -"));
}

#[test]
fn the_largest_prompt_fits_into_an_argument_and_a_larger_one_is_refused() {
    let fits = "x".repeat(PROMPT_ARGUMENT_BYTES_MAX);
    for (agent, program) in [(Agent::Claude, "claude"), (Agent::Codex, "codex")] {
        assert!(called(&agent, program, &fits, None).contains(&fits), "{program}");
        let larger = format!("{fits}x");
        let refused = agent.start(&Task { prompt: &larger, prompt_file: "/p", model: None }).expect_err("refused");
        assert!(matches!(&refused, Error::PromptTooLarge { name, .. } if *name == program), "{refused}");
        assert!(refused.hint().is_some_and(|hint| hint.contains("file of the repository")));
    }
}

#[test]
fn credentials_are_passed_by_name_and_linked_from_home() {
    let home = Path::new("/home/user");
    for (agent, variable, file) in [
        (Agent::Claude, "ANTHROPIC_API_KEY", ".claude/.credentials.json"),
        (Agent::Codex, "OPENAI_API_KEY", ".codex/auth.json"),
        (Agent::OpenClaw, "ANTHROPIC_API_KEY", ".openclaw/regatta.json"),
    ] {
        let start = start(&agent, "fix it", Path::new("/p"), None);
        assert!(start.env_pass.iter().any(|name| name == variable), "{variable}");
        assert!(start.env_pass.iter().all(|name| !start.env.contains_key(name)), "{:?}", start.env);
        assert_eq!(agent.home_links(home), [(home.join(file), PathBuf::from(file))]);
    }
}

#[test]
fn every_agent_that_is_shown_can_be_found() {
    for known in ALL {
        let command = (known.name == "command").then_some("true");
        assert!(find(&entry(known.name, command, None)).is_ok(), "{}", known.name);
        assert_eq!(known.program.is_some(), command.is_none(), "{}", known.name);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    for (asked, says, hint) in [
        (entry("cladue", None, None), "no agent \"cladue\"", "did you mean claude?"),
        (entry("zzz", None, None), "no agent \"zzz\"", "use one of: command, claude, codex"),
        (entry("command", None, None), "has no command", "--attempt"),
        (entry("codex", Some("ls"), None), "takes no command", "leave the command out"),
        (entry("claude", None, Some("--dangerous")), "cannot be the name of a model", "letters"),
        (entry("codex", None, Some("a\" b")), "cannot be the name of a model", "letters"),
        (entry("claude", None, Some("")), "cannot be the name of a model", "letters"),
    ] {
        let refused = find(&asked).expect_err("refused");
        assert!(refused.to_string().contains(says), "{refused}");
        assert!(refused.hint().is_some_and(|given| given.contains(hint)), "{:?}", refused.hint());
    }
}
