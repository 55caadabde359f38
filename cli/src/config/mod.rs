//! Configuration: defaults < `DOCKER_HOST` < `regatta.toml` of the data directory < `regatta.toml` of the project (run defaults only)
//! < environment `REGATTA_*` < flags. Every value knows where it came from; an unknown key is an error with a
//! suggestion. The tables of keys are in [`keys`]; reading files and variables is in [`layer`].

mod environment;
mod key;
mod keys;
mod layer;
mod places;
mod schema;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use key::{Key, Scope, Value, Written, duration_ms};
pub(crate) use keys::KEYS;
pub(crate) use layer::{DOCKER_HOST, Layer, flag, task};
pub(crate) use places::Vendor;
pub(crate) use schema::schema;
pub(crate) use settings::{Fence, NatsSettings, RetainSettings, ServerSettings, WebSettings};

/// Name of a configuration file, in the data directory and in a project.
pub(crate) const FILE_NAME: &str = "regatta.toml";
/// Largest configuration file in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub(crate) struct Error {
    /// File and line, variable or flag.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl From<Error> for crate::failure::Failure {
    fn from(error: Error) -> Self {
        let hint = error.hint.clone();
        let failure = Self::usage(error.to_string());
        Self { hint, ..failure }
    }
}

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    /// `default`, a file and line, a variable or a flag.
    pub(crate) from: String,
    /// Whether it came out of a repository, whose author is not the person who runs us.
    pub(crate) from_project: bool,
}

/// Every value in force, by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    settings: BTreeMap<&'static str, Setting>,
    /// Variables that a run's commands get.
    environment: environment::Environment,
}

impl Config {
    /// Puts layers over the defaults, the last one wins.
    pub(crate) fn resolve(layers: impl IntoIterator<Item = Layer>) -> Self {
        let defaults = KEYS.iter().map(|key| {
            let value = (key.default)();
            (key.name, Setting { value, from: "default".to_owned(), from_project: false })
        });
        let mut settings: BTreeMap<&'static str, Setting> = defaults.collect();
        let mut environment = environment::Environment::new();
        for layer in layers {
            settings.extend(layer.settings);
            environment.extend(layer.environment);
        }
        Self { settings, environment }
    }

    /// Every value in force, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Setting)> {
        self.settings.iter().map(|(name, setting)| (*name, setting))
    }

    fn setting(&self, name: &str) -> Option<&Setting> {
        debug_assert!(self.settings.contains_key(name), "{name} is a key");
        self.settings.get(name)
    }

    /// The server's values, as the log records them.
    pub(crate) fn applied(&self) -> regatta_core::event::config::Applied {
        let server: BTreeSet<&str> = KEYS.iter().filter(|key| key.scope == Scope::Server).map(|key| key.name).collect();
        let values = self.iter().filter(|(name, _)| server.contains(name)).map(|(name, setting)| {
            let setting =
                regatta_core::event::config::Setting { value: setting.value.to_toml(), from: setting.from.clone() };
            (name.to_owned(), setting)
        });
        regatta_core::event::config::Applied { values: values.collect() }
    }
}

#[cfg(test)]
mod tests;
