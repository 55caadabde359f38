//! Why the vault cannot do something, and what to do about it. Never holds a value.

use std::io;
use std::path::PathBuf;

use super::{NAME_BYTES_MAX, SECRET_BYTES_MAX, SECRETS_MAX};

/// Why the vault cannot do it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No secret can be called that.
    #[error("{0:?} cannot be a secret's name")]
    Name(String),
    /// The value is empty, too long, or holds what no variable can.
    #[error("the value {0}")]
    Value(&'static str),
    /// There are as many secrets as there may be.
    #[error("there are {SECRETS_MAX} secrets, which is the most")]
    Full,
    /// There is no such secret.
    #[error("there is no secret `{0}`")]
    NotThere(String),
    /// The secret exists, but not for runs of that repository.
    #[error("the secret `{secret}` may not be used by runs of {repository}")]
    NotAllowed {
        /// Which.
        secret: String,
        /// Whose runs.
        repository: String,
    },
    /// The passphrase is not known yet.
    #[error("the vault is locked")]
    Locked,
    /// The vault does not open by a passphrase.
    #[error("the vault opens by a key file, not by a passphrase")]
    NoPassphrase,
    /// The key is not the one the vault was sealed with.
    #[error("{0} does not open the vault")]
    WrongKey(String),
    /// The key file is gone.
    #[error("the vault's key is missing: {0}")]
    KeyMissing(PathBuf),
    /// Others than the owner may read the key file.
    #[error("{path} can be read by others (mode {mode:03o})")]
    KeyOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The keyring of the desktop session cannot be asked.
    #[error("the machine's keyring cannot be used: {0}")]
    Keyring(String),
    /// The keyring of the desktop session has no such key.
    #[error("the vault's key is missing in the machine's keyring")]
    NotInKeyring,
    /// The vault's file is not what was written.
    #[error("{path} is damaged at {place}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// There was a vault, and its file is gone.
    #[error("the vault's file is missing: {0}")]
    Missing(PathBuf),
    /// The vault's file is an older one than the log knows of.
    #[error("{path} is older than what was recorded: it stands at change {found}, the log knows of change {recorded}")]
    Older {
        /// The file.
        path: PathBuf,
        /// Where it stands.
        found: u64,
        /// Where it should stand at least.
        recorded: u64,
    },
    /// The disk failed.
    #[error("failed to {action}")]
    Disk {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// What was done could not be recorded.
    #[error("failed to record it: {0}")]
    Log(String),
    /// The machine has no random bytes, or not the memory a passphrase asks for.
    #[error("failed to {0}")]
    Machine(String),
}

impl VaultError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Name(_) => {
                format!("1 to {NAME_BYTES_MAX} letters, digits and . _ -, a letter or digit first, as openai")
            }
            Self::Value(_) => format!("a value is text of 1 to {SECRET_BYTES_MAX} bytes without NUL"),
            Self::Full => "remove what nobody uses: regatta secret rm NAME".to_owned(),
            Self::NotThere(secret) => format!("put it there: regatta secret set {secret}"),
            Self::NotAllowed { secret, repository } => {
                format!("when you trust it: regatta secret allow {secret} --repository {repository}")
            }
            Self::Locked => "give its passphrase: regatta secret unlock".to_owned(),
            Self::NoPassphrase => "nothing is to be done; `regatta secret rotate --passphrase` changes that".to_owned(),
            Self::WrongKey(_) => "bring back the one it was sealed with; what is sealed is lost without it, and then \
                                  `regatta secret reset` begins anew"
                .to_owned(),
            Self::KeyMissing(_) => "restore it from where you keep it; without it what is sealed is lost, and then \
                                    `regatta secret reset` begins anew"
                .to_owned(),
            Self::Keyring(_) => {
                "start the server from a desktop session whose keyring is unlocked (DBUS_SESSION_BUS_ADDRESS \
                                 says which), and ask again"
                    .to_owned()
            }
            Self::NotInKeyring => {
                "open the keyring it was put into, as the person who did; without the key what is sealed is \
                                   lost, and then `regatta secret reset` begins anew"
                    .to_owned()
            }
            Self::KeyOpenToOthers { path, .. } => {
                format!("chmod 600 {}; if others may have read it: regatta secret rotate, after that", path.display())
            }
            Self::Damaged { .. } | Self::Missing(_) | Self::Older { .. } => {
                "restore the folder `vault` from a backup; when there is none, `regatta secret reset` begins anew"
                    .to_owned()
            }
            Self::Disk { .. } => "nothing was changed; the server's own output says more".to_owned(),
            Self::Log(_) => "try again once the log can be written".to_owned(),
            Self::Machine(_) => "nothing was changed; try again".to_owned(),
        }
    }
}
