//! Layers, provenance, and what a mistake is answered with.

use std::fs;

use regatta_core::event::run::Strategy;

use super::key::{Key, Written};
use super::layer::{environment, file};
use super::*;

fn refused(text: &str, is_project: bool, says: &str, hints: &str) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(FILE_NAME);
    fs::write(&path, text).expect("written");
    let error = file(&path, is_project).expect_err(text);
    let (message, hint) = (error.to_string(), error.hint.unwrap_or_default());
    assert!(message.contains(says) && hint.contains(hints), "{message:?} / {hint:?}");
}

fn layer(text: &str, is_project: bool) -> Layer {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(FILE_NAME);
    fs::write(&path, text).expect("written");
    file(&path, is_project).expect("read")
}

fn variable(name: &str, text: &str) -> Result<Layer, Error> {
    environment([(name.to_owned(), text.to_owned())])
}

#[test]
fn a_mistake_is_told_with_its_line_and_what_was_probably_meant() {
    refused("\n[limits]\nattemps = 3\n", false, "regatta.toml:3: unknown key `limits.attemps`", "`limits.attempts`");
    refused("[limts]\nattempts = 3", false, "regatta.toml:2: unknown key `limts.attempts`", "`limits.attempts`");
    refused(
        "[server]\nlimit = 3",
        false,
        "unknown key `server.limit`",
        "did you mean `limits.attempts`, `limits.local`",
    );
    refused("zebra = 1", false, "unknown key `zebra`", "doctor --config");
    refused("[limits]\nattempts = 0", false, "should be a number between 1 and 1000", "limits.attempts:");
    refused("[run]\ntimeout = \"soon\"", false, "should be a time, as 90s, 10m, 1h30m or 90d", "run.timeout:");
    refused("[run]\nmemory = \"much\"", false, "should be a size", "run.memory:");
    refused("[run]\nstrategy = \"rase\"", false, "one of race, best, all", "run.strategy:");
    refused(
        "[log]\narchive = \"relative/x\"",
        false,
        "should be a whole path, as /mnt/elsewhere/regatta",
        "log.archive:",
    );
    refused("[sandbox]\nnetwork = \"maybe\"", false, "should be true or false", "sandbox.network:");
    refused("[run]\nsetup = [\"a\"]", false, "is one value, not a list", "run.setup:");
    refused("[run]\nchecks = [[\"a\"]]", false, "should be a list of texts", "");
    refused("[run\n", false, "regatta.toml:1:", "");
}

#[test]
fn a_repository_cannot_choose_its_own_fence() {
    refused("[sandbox]\nfence = \"landlock\"", true, "cannot be set by a project", "data directory's regatta.toml");
    let by_spec = layer("[run]\nattempts = [\"claude@host\"]", true);
    let by_default = layer("[run]\nattempts = [\"claude\"]\nsandbox = \"host\"", true);
    for project in [by_spec, by_default] {
        let failure = Config::resolve([project]).run(&["claude"]).expect_err("refused");
        assert!(failure.message.contains("has no fence"), "{}", failure.message);
    }
    let project = layer("[run]\nattempts = [\"claude\"]", true);
    let asked = flag("run.sandbox", "--sandbox", Some(Written::One("host".to_owned()))).expect("flag");
    let run = Config::resolve([project, asked]).run(&["claude"]).expect("a person asked for it");
    assert_eq!(run.attempts.first().map(|entry| entry.sandbox.as_str()), Some("host"));
}

#[test]
fn later_layers_win_and_every_value_knows_its_source() {
    let data =
        layer("[limits]\nattempts = 7\n[run]\nstrategy = \"best\"\ntimeout = \"5m\"\nchecks = [\"t=make\"]", false);
    let project = layer("[run]\nstrategy = \"all\"\nsetup = \"npm ci\"", true);
    let environment = variable("REGATTA_RUN_TIMEOUT", "1h30m").expect("variable");
    let flags = flag("run.strategy", "--strategy", Some(Written::One("race".to_owned()))).expect("flag");
    let config = Config::resolve([data, project, environment, flags]);
    let run = config.run(&[]).expect("run");
    assert_eq!((run.strategy, run.limits.agent_timeout_ms), (Strategy::Race, 90 * 60 * 1_000));
    assert_eq!((run.setup.as_deref(), run.checks.len()), (Some("npm ci"), 1));
    assert_eq!(config.server().attempts_max, 7);
    let from = |name: &str| config.setting(name).map(|setting| setting.from.clone()).expect("a key");
    assert!(from("limits.attempts").ends_with("regatta.toml:2"));
    assert_eq!(from("run.timeout"), "REGATTA_RUN_TIMEOUT");
    assert_eq!(from("run.strategy"), "--strategy");
    assert_eq!(from("run.memory"), "default");
}

#[test]
fn a_mistaken_variable_is_told_and_a_foreign_one_left_alone() {
    let error = variable("REGATTA_RUN_TIMEOT", "1m").expect_err("mistake");
    assert_eq!(error.hint.as_deref(), Some("did you mean REGATTA_RUN_TIMEOUT?"));
    for (name, hint) in [
        ("REGATTA_LIMIT_ATTEMPTS", "did you mean REGATTA_LIMITS_ATTEMPTS?"),
        ("REGATTA_DATADIR", "did you mean REGATTA_DATA_DIR?"),
        ("REGATTA_ZZZ", "unset it; every key has a variable, as run.timeout has REGATTA_RUN_TIMEOUT"),
    ] {
        assert_eq!(variable(name, "1").expect_err(name).hint.as_deref(), Some(hint), "{name}");
    }
    for name in ["REGATTA_DATA_DIR", "REGATTA_WORKSPACE", "REGATTA_TEST_NATS", "REGATTA_PROMPT_FILE", "HOME"] {
        assert_eq!(variable(name, "x").expect(name), Layer::default());
    }
    let listed = variable("REGATTA_RUN_ATTEMPTS", "claude\n codex:gpt-5 \n").expect("list");
    let run = Config::resolve([listed]).run(&["claude", "codex"]).expect("run");
    assert_eq!(run.attempts.len(), 2);
}

#[test]
fn a_task_file_names_the_prompt_and_the_runs_keys() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("task.toml");
    fs::write(&path, "prompt = \"fix it\"\nattempts = [\"claude*2\"]\nmemory = \"1GiB\"").expect("written");
    let (layer, prompt) = task(&path).expect("task");
    let run = Config::resolve([layer]).run(&["claude"]).expect("run");
    assert_eq!((prompt.as_deref(), run.attempts.len(), run.limits.memory_bytes_max), (Some("fix it"), 2, 1 << 30));
    fs::write(&path, "promt = \"x\"\nstrateg = \"all\"").expect("written");
    let error = task(&path).expect_err("mistake");
    assert!(error.to_string().contains("unknown key"), "{error}");
}

#[test]
fn an_address_is_never_shown_with_its_password() {
    let secret = "nats://ana:canary@host:4222";
    let config = Config::resolve([variable("REGATTA_NATS_URL", secret).expect("variable")]);
    assert_eq!(config.nats().expect("nats").map(|nats| nats.url).as_deref(), Some(secret));
    assert!(!format!("{:?}", config.applied()).contains("canary"));
    assert_eq!(config.setting("nats.url").map(|url| url.value.to_toml()).as_deref(), Some("\"nats://***@host:4222\""));
    let wrong = variable("REGATTA_NATS_URL", "nats://ana:canary@host, ").expect_err("mistake");
    assert!(!wrong.to_string().contains("canary") && wrong.to_string().contains("nats://host:4222"), "{wrong}");
    let half = Config::resolve([
        variable("REGATTA_NATS_URL", "host").expect("variable"),
        variable("REGATTA_NATS_TLS_CERT", "/cert.pem").expect("variable"),
    ]);
    assert!(half.nats().is_err_and(|failure| failure.message.contains("go together")));
}

#[test]
fn an_address_that_is_a_secret_is_kept_and_not_configured() {
    let wrong = variable("REGATTA_APPROVALS_SLACK", "https://hooks.slack.com/services/canary").expect_err("mistake");
    assert!(!wrong.to_string().contains("canary"), "{wrong}");
    assert!(wrong.to_string().contains("regatta secret set"), "{wrong}");
    assert!(Config::resolve([]).escalation(None).is_none());
    let named = Config::resolve([variable("REGATTA_APPROVALS_SLACK", "secret:slack").expect("variable")]);
    let wanted = named.escalation(None).expect("somebody is told");
    assert_eq!(wanted.slack.map(|slack| slack.to_string()).as_deref(), Some("secret:slack"));
    assert_eq!((wanted.webhook, wanted.before.as_secs()), (None, 300));
}

#[test]
fn a_seed_that_was_pasted_is_refused_and_not_told() {
    for kind in ["SU", "SA", "SO", "SC", "SN", "SX"] {
        let seed = format!("{kind}{}", "AB23CDEF".repeat(7));
        for pasted in
            [seed.clone(), format!("secret:{seed}"), format!(" {seed}\n"), format!("-----BEGIN X-----\n{seed}")]
        {
            let wrong = variable("REGATTA_NATS_NKEY", &pasted).expect_err(kind).to_string();
            assert!(!wrong.contains("AB23") && wrong.contains("regatta secret set NAME"), "{wrong}");
            let file = format!("[nats]\nnkey = {}", toml::Value::String(pasted));
            refused(&file, false, "nats.nkey says where a credential is kept, and never the credential", "");
        }
    }
    for named in ["secret:nats", "env:SUPER", "/keys/SUNDAY", "SUMMER"] {
        variable("REGATTA_NATS_NKEY", named).expect(named);
    }
}

#[test]
fn every_key_has_its_own_name_and_variable() {
    let names: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
    let variables: BTreeSet<String> = KEYS.iter().map(Key::variable).collect();
    assert_eq!((names.len(), variables.len()), (KEYS.len(), KEYS.len()));
}

#[test]
fn what_a_value_is_shown_as_reads_back_as_the_same_value() {
    for key in KEYS {
        let value = (key.default)();
        let shown = value.to_toml();
        if value == Value::Unset {
            continue;
        }
        let (section, name) = key.name.split_once('.').expect("dotted");
        let layer = layer(&format!("[{section}]\n{name} = {shown}"), false);
        assert_eq!(layer.settings.get(key.name).map(|setting| &setting.value), Some(&value), "{}", key.name);
    }
}

#[test]
fn a_run_gets_the_variables_that_are_declared() {
    use regatta_core::event::run::{Content, Part};
    let install = layer("[environment]\nCI = true\nNODE_ENV = \"production\"", false);
    let project = layer(
        "[environment]\nNODE_ENV = \"test\"\nKEY = { secret = \"openai\", for = [\"agent\"] }\nURL = { value = \"x\", for = \"checks\" }",
        true,
    );
    let variables = Config::resolve([install, project]).run(&[]).expect("run").environment;
    let shown: Vec<(&str, &Content, Vec<Part>)> = variables
        .iter()
        .map(|variable| (variable.name.as_str(), &variable.content, variable.parts.iter().copied().collect()))
        .collect();
    let (value, secret) = (|text: &str| Content::Value(text.to_owned()), Content::Secret("openai".to_owned()));
    let expected = [
        ("CI", &value("true"), vec![]),
        ("KEY", &secret, vec![Part::Agent]),
        ("NODE_ENV", &value("test"), vec![]),
        ("URL", &value("x"), vec![Part::Checks]),
    ];
    assert_eq!(shown, expected);
    for wrong in [
        "KEY = { secrt = \"a\" }",
        "KEY = { secret = \"a\", value = \"b\" }",
        "KEY = { for = [\"agent\"] }",
        "KEY = { value = \"a\", for = [\"agents\"] }",
    ] {
        refused(&format!("[environment]\n{wrong}"), true, "the variable KEY should be", "");
    }
}
