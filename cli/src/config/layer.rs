//! One source of values each: a file, the environment, a flag. Knows nothing of what the values are for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::key::{Key, Scope, Written};
use super::{Config, Error, FILE_BYTES_MAX, KEYS, Setting, environment};
use crate::suggest;

/// Values from one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(super) settings: BTreeMap<&'static str, Setting>,
    /// Variables that a run's commands get.
    pub(super) environment: environment::Environment,
}

/// What every variable of ours begins with.
const PREFIX: &str = "REGATTA_";
/// Variables of ours that are no configuration: where and who, what a sandbox tells an attempt, what tests ask for.
const OTHER_VARIABLES: &[&str] = &[
    "REGATTA_ARTIFACTS",
    "REGATTA_ATTEMPT",
    "REGATTA_DATA_DIR",
    "REGATTA_EXEC",
    "REGATTA_GOLDEN",
    "REGATTA_INBOX",
    "REGATTA_KILLS",
    "REGATTA_LOG",
    "REGATTA_MODEL",
    "REGATTA_OUTBOX",
    "REGATTA_PROMPT",
    "REGATTA_PROMPT_FILE",
    "REGATTA_RUN",
    "REGATTA_SANDBOX",
    "REGATTA_SEED",
    "REGATTA_SEEDS",
    "REGATTA_USER",
    "REGATTA_WORKSPACE",
];
/// What the names of such variables begin with.
const OTHER_PREFIXES: &[&str] = &["REGATTA_TEST_"];
/// A variable of other programs that says what a key of ours does, while nothing else says it.
pub(crate) const DOCKER_HOST: &str = "DOCKER_HOST";

impl Layer {
    fn put(&mut self, key: &Key, written: &Written, from: &str, from_project: bool) -> Result<(), Error> {
        let wrong =
            |message| Error { place: from.to_owned(), message, hint: Some(format!("{}: {}", key.name, key.about)) };
        let value = key.read(written).map_err(wrong)?;
        self.settings.insert(key.name, Setting { value, from: from.to_owned(), from_project });
        Ok(())
    }
}

/// One value from a flag, as `--timeout`.
pub(crate) fn flag(name: &'static str, flag: &str, written: Option<Written>) -> Result<Layer, Error> {
    let mut layer = Layer::default();
    if let (Some(written), Some(key)) = (written, KEYS.iter().find(|key| key.name == name)) {
        layer.put(key, &written, flag, false)?;
    }
    Ok(layer)
}

/// Values from variables `REGATTA_<SECTION>_<KEY>`. Any other variable of ours is a mistake, as an unknown key is.
pub(crate) fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Layer, Error> {
    let mut layer = Layer::default();
    for (variable, text) in variables {
        let is_other = OTHER_VARIABLES.contains(&variable.as_str())
            || OTHER_PREFIXES.iter().any(|prefix| variable.starts_with(prefix));
        let Some(name) = variable.strip_prefix(PREFIX).filter(|_| !is_other) else { continue };
        if let Some(key) = KEYS.iter().find(|key| key.variable() == variable) {
            layer.put(key, &Written::One(text), &variable, false)?;
            continue;
        }
        let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
        let known = known.iter().map(String::as_str).chain(OTHER_VARIABLES.iter().copied());
        let known = known.filter_map(|known| known.strip_prefix(PREFIX));
        let close = suggest::closest(name, known).map(|close| format!("did you mean {PREFIX}{close}?"));
        let hint = close
            .unwrap_or_else(|| "unset it; every key has a variable, as run.timeout has REGATTA_RUN_TIMEOUT".to_owned());
        return Err(Error {
            place: variable,
            message: "no configuration key has this variable".to_owned(),
            hint: Some(hint),
        });
    }
    Ok(layer)
}

/// Values from a `regatta.toml`; nothing when there is none. A project's file may set run defaults only.
pub(crate) fn file(path: &Path, is_project: bool) -> Result<Layer, Error> {
    // Whoever opens a pipe waits for somebody to write into it.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let message = "it is no regular file".to_owned();
        return Err(Error { place: path.display().to_string(), message, hint: None });
    }
    let Some(text) = read(path)? else { return Ok(Layer::default()) };
    let place = path.display().to_string();
    let reader = Reader { text: &text, place: &place, prefix: "", is_project };
    reader.layer(|key| !is_project || key.scope == Scope::Run).map(|(layer, _)| layer)
}

/// Values from a task file, whose keys are those of `[run]` without the section; and its `prompt`.
pub(crate) fn task(path: &Path) -> Result<(Layer, Option<String>), Error> {
    let place = path.display().to_string();
    let missing = || Error { place: place.clone(), message: "no such file".to_owned(), hint: None };
    let text = read(path)?.ok_or_else(missing)?;
    Reader { text: &text, place: &place, prefix: "run.", is_project: false }.layer(|key| key.scope == Scope::Run)
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    let wrong = |message: String| Error { place: path.display().to_string(), message, hint: None };
    let file = match File::open(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        other => other.map_err(|error| wrong(format!("failed to open: {error}")))?,
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(format!("failed to read: {error}")))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(wrong(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(Some(text))
}

/// Walks one file.
struct Reader<'a> {
    text: &'a str,
    place: &'a str,
    /// What stands before every key of the file.
    prefix: &'static str,
    is_project: bool,
}

impl Reader<'_> {
    fn layer(&self, allowed: impl Fn(&Key) -> bool) -> Result<(Layer, Option<String>), Error> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            self.wrong(offset, error.message().to_owned(), None)
        })?;
        let mut found = Vec::new();
        flatten(table.get_ref(), "", &mut found);
        let (mut layer, mut prompt) = (Layer::default(), None);
        for (offset, name, value) in found {
            let written = written(value).map_err(|reason| self.wrong(offset, format!("{name} {reason}"), None))?;
            if let ("prompt", "run.", Written::One(text)) = (name.as_str(), self.prefix, &written) {
                prompt = Some(text.clone());
                continue;
            }
            if let Some(name) = environment::within(&name) {
                let read = environment::read(&mut layer.environment, name, &written);
                read.map_err(|reason| self.wrong(offset, reason, None))?;
                continue;
            }
            let key = self.key(offset, &name, &allowed)?;
            layer.put(key, &written, &self.at(offset), self.is_project)?;
        }
        environment::variables(&layer.environment).map_err(|reason| self.wrong(0, reason, None))?;
        Ok((layer, prompt))
    }

    fn key(&self, offset: usize, name: &str, allowed: impl Fn(&Key) -> bool) -> Result<&'static Key, Error> {
        let key = KEYS.iter().find(|key| key.name.strip_prefix(self.prefix) == Some(name));
        match key {
            Some(key) if allowed(key) => Ok(key),
            Some(key) => {
                let hint = "a project's file sets run defaults only; put this into the data directory's regatta.toml";
                Err(self.wrong(offset, format!("`{}` cannot be set by a project", key.name), Some(hint.to_owned())))
            }
            None => {
                let known = KEYS.iter().filter(|key| allowed(key)).filter_map(|key| key.name.strip_prefix(self.prefix));
                let hint = suggest::did_you_mean(&suggest::closest_keys(name, known), |name| format!("`{name}`"));
                let hint = hint.or_else(|| Some("`regatta doctor --config` lists every key".to_owned()));
                Err(self.wrong(offset, format!("unknown key `{name}`"), hint))
            }
        }
    }

    fn at(&self, offset: usize) -> String {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", self.place)
    }

    fn wrong(&self, offset: usize, message: String, hint: Option<String>) -> Error {
        Error { place: self.at(offset), message, hint }
    }
}

/// Lists every value of a table by its dotted name and the offset of its key.
fn flatten<'a>(table: &'a DeTable<'a>, prefix: &str, found: &mut Vec<(usize, String, &'a DeValue<'a>)>) {
    for (name, value) in table {
        let dotted = format!("{prefix}{}", name.get_ref());
        match value.get_ref().as_table().filter(|inner| !inner.is_empty()) {
            Some(inner) => flatten(inner, &format!("{dotted}."), found),
            None => found.push((name.span().start, dotted, value.get_ref())),
        }
    }
}

fn written(value: &DeValue<'_>) -> Result<Written, String> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(integer) => Some(integer.to_string()),
        DeValue::Float(float) => Some(float.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    if let Some(values) = value.as_array() {
        let texts: Option<Vec<String>> = values.iter().map(|value| one(value.get_ref())).collect();
        return texts.map(Written::Many).ok_or_else(|| "should be a list of texts".to_owned());
    }
    one(value).map(Written::One).ok_or_else(|| "should be a text, a number, a flag or a list".to_owned())
}

impl Config {
    /// Reads the server's half: the data directory's file and the environment.
    pub(crate) fn of_server(data_dir: &Path, flags: Vec<Layer>) -> Result<Self, Error> {
        let layers = [customary()?, file(&data_dir.join(super::FILE_NAME), false)?, environment(variables())?];
        Ok(Self::resolve(layers.into_iter().chain(flags)))
    }

    /// Reads everything: also the project's file and a task's.
    pub(crate) fn of_run(
        data_dir: &Path,
        project: Option<&Path>,
        task: Layer,
        flags: Vec<Layer>,
    ) -> Result<Self, Error> {
        let layers: Vec<Layer> = sources(data_dir, project).into_iter().collect::<Result<_, _>>()?;
        Ok(Self::resolve(layers.into_iter().chain([task]).chain(flags)))
    }

    /// Reads what can be read, and says what is wrong with the rest.
    pub(crate) fn as_far_as_readable(data_dir: &Path, project: Option<&Path>) -> (Self, Vec<Error>) {
        let (mut layers, mut errors) = (Vec::new(), Vec::new());
        for source in sources(data_dir, project) {
            match source {
                Ok(layer) => layers.push(layer),
                Err(error) => errors.push(error),
            }
        }
        (Self::resolve(layers), errors)
    }
}

/// What stands on this machine, the strongest last.
fn sources(data_dir: &Path, project: Option<&Path>) -> [Result<Layer, Error>; 4] {
    let project = project.map_or(Ok(Layer::default()), |path| file(path, true));
    [customary(), file(&data_dir.join(super::FILE_NAME), false), project, environment(variables())]
}

/// What variables of other programs say.
fn customary() -> Result<Layer, Error> {
    let host = std::env::var(DOCKER_HOST).ok().filter(|host| !host.trim().is_empty());
    flag("docker.host", DOCKER_HOST, host.map(Written::One))
}

/// This process's variables that are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
}
