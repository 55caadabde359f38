//! The secrets a command is given: names for everybody, values for nobody but the command. Knows nothing of where they are
//! kept.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Variables whose values are secret. Printed and compared by their names alone, and wiped from memory when dropped.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, SecretString>);

impl Secrets {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names and values, for whoever makes the command's environment.
    pub fn exposed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
    }
}

impl FromIterator<(String, SecretString)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (String, SecretString)>>(secrets: I) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }
}

impl Eq for Secrets {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_printed() {
        let secrets: Secrets = [("API_KEY".to_owned(), SecretString::from("canary"))].into_iter().collect();
        assert_eq!(format!("{secrets:?}"), r#"{"API_KEY"}"#);
        assert_eq!(secrets.exposed().collect::<Vec<_>>(), [("API_KEY", "canary")]);
    }
}
