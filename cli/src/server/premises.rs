//! The configuration and the machine, as the API asks about them. A change is written into the data directory's
//! `regatta.toml`, comments kept, and recorded; what the server keeps to is in force after its next start.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use regatta_core::event::ConfigEvent;
use regatta_core::event::config::{Applied, Changed};
use regatta_core::{Actor, Append, Draft, Envelope, Event, Expect, Log, ReadMax, Stream, SystemClock, Vault, log};
use regatta_dispatcher::{Refusal, RefusalKind};
use regatta_http::premises::{ConfigChange, ConfigRow, Finding, Measured, Premises, PruneRequest, Pruned};
use serde_json::Value as Json;
use toml_edit::DocumentMut;

use super::disk;
use super::retention::Retention;
use crate::commands::doctor;
use crate::config::{self, Config, FILE_NAME, KEYS, Key, Scope, Value, Written};
use crate::failure::chain;
use crate::suggest;

/// Keys that are not changed over the network: whoever mistakes one would lock themselves out.
const BY_HAND: &[&str] = &["http.listen", "http.hosts", "http.behind_proxy", "http.tls_cert", "http.tls_key"];
/// Changes told at most, the newest.
const HISTORY_MAX: usize = 500;

/// This installation's configuration and machine.
pub(super) struct Here {
    data_dir: PathBuf,
    /// What the server was started with.
    in_force: Config,
    log: Arc<dyn Log>,
    vault: Vault,
    retention: Retention,
    /// Held while the file is changed.
    changing: tokio::sync::Mutex<()>,
    /// Held while the doctor looks, who starts programs.
    looking: tokio::sync::Mutex<()>,
    /// Held while the disk is measured, which reads every folder.
    measuring: Arc<tokio::sync::Mutex<()>>,
}

impl Here {
    pub(super) fn new(
        (data_dir, in_force): (&Path, &Config),
        log: Arc<dyn Log>,
        vault: &Vault,
        retention: &Retention,
    ) -> Self {
        let (changing, looking) = (tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
        let measuring = Arc::default();
        let (data_dir, in_force, vault) = (data_dir.to_owned(), in_force.clone(), vault.clone());
        Self { data_dir, in_force, log, vault, retention: retention.clone(), changing, looking, measuring }
    }

    fn path(&self) -> PathBuf {
        self.data_dir.join(FILE_NAME)
    }

    /// What would be in force at a start now, as far as the file says.
    fn written(&self) -> Result<Config, Refusal> {
        Config::of_server(&self.data_dir, Vec::new()).map_err(mistaken)
    }

    fn row(&self, key: &Key, written: &Config) -> Option<ConfigRow> {
        let by_name =
            |config: &Config| config.iter().find(|(name, _)| *name == key.name).map(|(_, found)| found.clone());
        let (now, next) = (by_name(&self.in_force)?, by_name(written)?);
        let is_live = key.scope == Scope::Run;
        let shown = if is_live { &next } else { &now };
        let is_overruled = !is_from_file(&shown.from);
        let differs = !is_live && !is_overruled && next.value != now.value;
        Some(ConfigRow {
            key: key.name.to_owned(),
            value: json(&shown.value),
            default: json(&(key.default)()),
            source: shown.from.clone(),
            about: key.about.to_owned(),
            changeable: !is_overruled && !BY_HAND.contains(&key.name),
            after_restart: differs.then(|| json(&next.value)),
        })
    }

    async fn record(&self, changed: Changed, by: Actor) -> Result<(), Refusal> {
        let draft = Draft::new(&Event::Config(ConfigEvent::Changed(changed)), &SystemClock, by, uuid::Uuid::nil());
        let draft = Draft { correlation: draft.id.0, ..draft };
        let append = Append { stream: Stream::config(), expect: Expect::Any, events: vec![draft] };
        log::append(&*self.log, append).await.map(drop).map_err(|error| {
            Refusal::new(RefusalKind::ReadOnly, chain(&error))
                .hint("nothing was changed; try again once the log can be written")
        })
    }
}

#[async_trait]
impl Premises for Here {
    async fn config(&self) -> Result<Vec<ConfigRow>, Refusal> {
        let written = self.written()?;
        Ok(KEYS.iter().filter_map(|key| self.row(key, &written)).collect())
    }

    async fn configure(&self, key: &str, value: Json, by: Actor) -> Result<ConfigRow, Refusal> {
        let _changing = self.changing.lock().await;
        let key = known(key)?;
        let gone = || Refusal::new(RefusalKind::Invalid, format!("{} has no value", key.name));
        let row = self.row(key, &self.written()?).ok_or_else(gone)?;
        if !row.changeable {
            return Err(Refusal::new(
                RefusalKind::WrongState,
                format!("{} is not changed here; it comes from {}", key.name, row.source),
            )
            .hint(format!("change it there, or in {}, and start the server again", self.path().display())));
        }
        let to = read(key, &value)?;
        let path = self.path();
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let after = edited(&before, key, to.as_ref()).map_err(|reason| {
            Refusal::new(RefusalKind::Invalid, format!("{} cannot be changed: {reason}", path.display()))
                .hint("correct it by hand")
        })?;
        write(&path, &after)?;
        let checked = self.written().and_then(|config| check(&config).map(|()| config));
        let changed = Changed {
            key: key.name.to_owned(),
            from: toml(&row.after_restart.unwrap_or(row.value)),
            to: to.as_ref().map(Value::to_toml),
            is_live: key.scope == Scope::Run,
        };
        let recorded = match checked {
            Ok(config) => self.record(changed, by).await.map(|()| config),
            Err(refusal) => Err(refusal),
        };
        match recorded {
            Ok(config) => self.row(key, &config).ok_or_else(gone),
            Err(refusal) => {
                // What is not recorded must not hold.
                write(&path, &before)?;
                Err(refusal)
            }
        }
    }

    async fn config_history(&self) -> Result<Vec<ConfigChange>, Refusal> {
        let mut changes = History::default();
        let mut next = 1;
        loop {
            let batch = self.log.read_stream(&Stream::config(), next, ReadMax::default());
            let batch = batch.map_err(|error| Refusal::new(RefusalKind::Unusable, chain(&error)))?;
            let Some(last) = batch.last() else { break };
            next = last.stream_seq + 1;
            batch.iter().for_each(|envelope| changes.fold(envelope));
        }
        Ok(changes.rows.into_iter().rev().take(HISTORY_MAX).collect())
    }

    async fn doctor(&self) -> Vec<Finding> {
        let _looking = self.looking.lock().await;
        doctor::look(&self.data_dir, &self.vault).await
    }

    async fn disk(&self) -> Result<Measured, Refusal> {
        let measuring = Arc::clone(&self.measuring).lock_owned().await;
        let data_dir = self.data_dir.clone();
        let unusable = |reason: String| {
            Refusal::new(RefusalKind::Unusable, format!("the data directory cannot be measured: {reason}"))
        };
        let measured = tokio::task::spawn_blocking(move || {
            // It goes on when whoever asked has gone, and the next one waits for it.
            let _measuring = measuring;
            disk::measure(&data_dir)
        });
        let measured = measured.await;
        measured.map_err(|error| unusable(error.to_string()))?.map_err(|error| unusable(error.to_string()))
    }

    async fn prune(&self, request: PruneRequest, by: Actor) -> Result<Pruned, Refusal> {
        // Reading a backup takes its time: it goes on when whoever asked has gone.
        let retention = self.retention.clone();
        let done = tokio::spawn(async move { retention.prune(request, by).await }).await;
        done.map_err(|error| Refusal::new(RefusalKind::Unusable, error.to_string()))?
    }
}

/// Changes, as the events tell them: one that somebody made, and one that a start found.
#[derive(Default)]
struct History {
    rows: Vec<ConfigChange>,
    applied: Option<Applied>,
    /// What was changed and will be found in force by the next start, which is then no news.
    told: std::collections::BTreeMap<String, String>,
}

impl History {
    fn fold(&mut self, envelope: &Envelope) {
        match envelope.event() {
            Ok(Event::Config(ConfigEvent::Changed(changed))) => {
                let to = changed.to.clone().unwrap_or_else(|| default_of(&changed.key));
                self.push(&changed.key, &changed.from, &to, envelope);
                self.told.insert(changed.key, to);
            }
            Ok(Event::Config(ConfigEvent::Applied(applied))) => {
                for (key, setting) in &applied.values {
                    let before = self.applied.as_ref().and_then(|before| before.values.get(key));
                    let is_news = before.is_some_and(|before| before.value != setting.value);
                    if is_news && self.told.get(key) != Some(&setting.value) {
                        let from = before.map(|before| before.value.clone()).unwrap_or_default();
                        self.push(key, &from, &setting.value, envelope);
                    }
                }
                self.told.clear();
                self.applied = Some(applied);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn push(&mut self, key: &str, from: &str, to: &str, envelope: &Envelope) {
        self.rows.push(ConfigChange {
            key: key.to_owned(),
            from: from_toml(from),
            to: from_toml(to),
            by: envelope.actor.as_str().to_owned(),
            at_us: envelope.at_us,
            seq: envelope.seq,
        });
    }
}

fn default_of(key: &str) -> String {
    KEYS.iter().find(|known| known.name == key).map(|known| (known.default)().to_toml()).unwrap_or_default()
}

fn is_from_file(source: &str) -> bool {
    source == "default" || source == config::DOCKER_HOST || source.contains(FILE_NAME)
}

fn mistaken(error: config::Error) -> Refusal {
    let hint = error.hint.clone().unwrap_or_else(|| "correct it there".to_owned());
    Refusal::new(RefusalKind::Invalid, error.to_string()).hint(hint)
}

/// What a start would refuse is refused before it is written.
fn check(config: &Config) -> Result<(), Refusal> {
    let wrong = |failure: crate::failure::Failure| Refusal::new(RefusalKind::Invalid, failure.message);
    config.web().map(drop).map_err(wrong)?;
    config.check_vendors().map_err(wrong)?;
    config.nats().map(drop).map_err(wrong)
}

fn known(name: &str) -> Result<&'static Key, Refusal> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        let close = suggest::closest(name, KEYS.iter().map(|key| key.name));
        let hint = close.map(|close| format!("did you mean {close}?"));
        Refusal::new(RefusalKind::NotFound, format!("there is no key {name:?}"))
            .hint(hint.unwrap_or_else(|| "`regatta doctor --config` lists every key".to_owned()))
    })
}

/// A value as JSON gives it; nothing for `null`.
fn read(key: &Key, value: &Json) -> Result<Option<Value>, Refusal> {
    let one = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    let wrong =
        |message: String| Refusal::new(RefusalKind::Invalid, message).hint(format!("{}: {}", key.name, key.about));
    let written = match value {
        Json::Null => return Ok(None),
        Json::Array(values) => values.iter().map(one).collect::<Option<Vec<_>>>().map(Written::Many),
        Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Object(_) => one(value).map(Written::One),
    };
    let written =
        written.ok_or_else(|| wrong(format!("{} should be a text, a number, a flag or a list of texts", key.name)))?;
    key.read(&written).map(Some).map_err(wrong)
}

/// The file with one key set, or without it.
fn edited(text: &str, key: &Key, to: Option<&Value>) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let (section, name) = key.name.split_once('.').ok_or("a key has a section")?;
    match to {
        None => {
            if let Some(table) = document.get_mut(section).and_then(toml_edit::Item::as_table_like_mut) {
                table.remove(name);
            }
            // A section without keys would be read as a key.
            if document
                .get(section)
                .and_then(toml_edit::Item::as_table_like)
                .is_some_and(toml_edit::TableLike::is_empty)
            {
                document.remove(section);
            }
        }
        Some(to) => {
            let value: toml_edit::Value =
                to.to_file().parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
            let section = document.entry(section).or_insert_with(toml_edit::table);
            let table = section.as_table_like_mut().ok_or_else(|| format!("`{}` is no table", key.name))?;
            table.insert(name, toml_edit::value(value));
        }
    }
    Ok(document.to_string())
}

/// Puts the whole file in place at once, on disk when this returns. It may hold a password, so only its owner reads it.
fn write(path: &Path, text: &str) -> Result<(), Refusal> {
    let put = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder)?.sync_all()
    };
    put().map_err(|error| Refusal::new(RefusalKind::ReadOnly, format!("{} cannot be written: {error}", path.display())))
}

fn json(value: &Value) -> Json {
    match value {
        Value::Flag(flag) => Json::Bool(*flag),
        Value::Count(count) => (*count).into(),
        Value::List(texts) => texts.clone().into(),
        Value::Unset => Json::Null,
        Value::Text(_) | Value::Address(_) | Value::Milli(_) | Value::Ms(_) | Value::Bytes(_) => {
            from_toml(&value.to_toml())
        }
    }
}

fn toml(value: &Json) -> String {
    if value.is_null() { Value::Unset.to_toml() } else { value.to_string() }
}

/// A value as it would stand in the file, as JSON.
fn from_toml(text: &str) -> Json {
    let value: Option<toml_edit::Value> = text.parse().ok();
    let one = |value: &toml_edit::Value| match value {
        toml_edit::Value::String(text) => Json::String(text.value().clone()),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(flag) => Json::Bool(*flag.value()),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Datetime(_) | toml_edit::Value::Array(_) | toml_edit::Value::InlineTable(_) => Json::Null,
    };
    match value {
        Some(toml_edit::Value::Array(values)) => values.iter().map(one).collect::<Vec<_>>().into(),
        Some(value) => one(&value),
        None => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> &'static Key {
        known(name).expect("a key")
    }

    fn becomes(before: &str, name: &str, to: Json, after: Result<&str, &str>) {
        let to = read(key(name), &to);
        let edited = to.map_err(|refusal| refusal.message).and_then(|to| edited(before, key(name), to.as_ref()));
        match (edited, after) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected),
            (Err(message), Err(says)) => assert!(message.contains(says), "{says:?} is not in {message:?}"),
            (edited, after) => panic!("{edited:?} is not {after:?}"),
        }
    }

    #[test]
    fn a_change_keeps_what_else_stands_in_the_file() {
        let file = "# ours\n[limits]\nattempts = 4 # enough\nlocal = 2\n";
        becomes(file, "limits.attempts", 8.into(), Ok("# ours\n[limits]\nattempts = 8\nlocal = 2\n"));
        becomes(file, "limits.local", Json::Null, Ok("# ours\n[limits]\nattempts = 4 # enough\n"));
        becomes("[nats]\nurl = \"nats://localhost\"\n", "nats.url", Json::Null, Ok(""));
        becomes("", "run.checks", serde_json::json!(["make test"]), Ok("[run]\nchecks = [\"make test\"]\n"));
        becomes("", "run.timeout", "90s".into(), Ok("[run]\ntimeout = \"1m 30s\"\n"));
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_before_it_is_written() {
        becomes("", "limits.attempts", 0.into(), Err("a number between 1 and"));
        becomes("", "sandbox.fence", "none".into(), Err("one of auto"));
        becomes("", "run.checks", serde_json::json!([{}]), Err("should be a text"));
        becomes("limits = 3", "limits.attempts", 8.into(), Err("is no table"));
        let refused = known("limits.attemts").expect_err("no key");
        assert_eq!(refused.hint.as_deref(), Some("did you mean limits.attempts?"));
    }
}
