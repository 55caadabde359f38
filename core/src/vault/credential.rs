//! A credential as the configuration names it: a file, a variable, or a secret of the vault. Never the credential itself.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::str::FromStr;

use super::{SecretName, SecretString, Vault, VaultError};

/// Largest file that holds a credential, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// What stands before the name of a secret.
const SECRET: &str = "secret:";
/// What stands before the name of a variable.
const VARIABLE: &str = "env:";

/// Where a credential comes from. Written `secret:NAME`, `env:NAME`, or as the path of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A secret of the vault.
    Secret(SecretName),
    /// A variable of this process.
    Variable(String),
    /// A file.
    File(PathBuf),
}

/// Why a credential could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The vault does not give it.
    #[error("{error}; {}", error.hint())]
    Vault {
        /// Why not.
        error: VaultError,
    },
    /// Only the server opens the vault.
    #[error("{0} is a secret of the vault, which only the server opens; name a file or env:NAME here")]
    NoVault(SecretName),
    /// The variable is not set.
    #[error("the variable {0} is not set where this process was started")]
    Variable(String),
    /// The file cannot be read.
    #[error("failed to read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl FromStr for Credential {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        if let Some(name) = text.strip_prefix(SECRET) {
            return name.parse().map(Self::Secret);
        }
        let variable = text.strip_prefix(VARIABLE).map(|name| Self::Variable(name.to_owned()));
        Ok(variable.unwrap_or_else(|| Self::File(PathBuf::from(text))))
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "{SECRET}{name}"),
            Self::Variable(name) => write!(f, "{VARIABLE}{name}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Credential {
    /// The credential itself, for the key of the configuration that names it.
    ///
    /// # Errors
    /// Why it cannot be had, with what to do.
    pub async fn read(&self, vault: Option<&Vault>, setting: &str) -> Result<SecretString, CredentialError> {
        match (self, vault) {
            (Self::Secret(name), Some(vault)) => {
                vault.credential(name, setting).await.map_err(|error| CredentialError::Vault { error })
            }
            (Self::Secret(name), None) => Err(CredentialError::NoVault(name.clone())),
            (Self::Variable(name), _) => {
                std::env::var(name).map(Into::into).map_err(|_| CredentialError::Variable(name.clone()))
            }
            (Self::File(path), _) => {
                let read = || {
                    let mut text = String::new();
                    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
                    Ok(SecretString::from(text))
                };
                read().map_err(|source| CredentialError::File { path: path.clone(), source })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_named_and_never_held() {
        let secret = Credential::Secret("nats".parse().expect("name"));
        for (text, then) in [
            ("secret:nats", secret),
            ("env:NATS_CREDS", Credential::Variable("NATS_CREDS".to_owned())),
            ("/etc/nats.creds", Credential::File("/etc/nats.creds".into())),
        ] {
            let read: Credential = text.parse().expect(text);
            assert_eq!((&read, read.to_string().as_str()), (&then, text));
        }
        assert!("secret:a b".parse::<Credential>().is_err());
    }
}
