//! The vault on one disk: opened when it is first needed, changed one whole file at a time. A crash between any two
//! steps leaves the state before or the state after. Knows nothing of events.
//!
//! Another key takes over in three steps: `key.next` is on disk; the file sealed with it takes the old one's place, which
//! is the moment that counts; `key.next` becomes `key`. A start finds which key the file names and goes on from there.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::disk::{Folder, Name};
use super::file::{Contents, Entry, KeySource, decode, encode, words};
use super::key::{MasterKey, Stretch};
use super::{KeyKind, NewKey, SECRET_BYTES_MAX, SECRETS_MAX, SecretName, SecretRow, Standing, VaultError, keyring};
use crate::event::secret::Scope;

/// The vault on disk.
pub(super) struct Store {
    folder: Folder,
    /// Where the file must stand at least: what was recorded of it.
    recorded: u64,
    opened: Option<Opened>,
}

struct Opened {
    contents: Contents,
    key: MasterKey,
}

/// What is on disk before anything is opened.
enum Found {
    Nothing,
    Opened(Opened),
    /// It takes a passphrase.
    Locked(super::file::Whole, Stretch),
}

impl Store {
    pub(super) fn new(folder: &Path, recorded: u64) -> Self {
        Self { folder: Folder::new(folder), recorded, opened: None }
    }

    /// Where it stands.
    pub(super) fn standing(&mut self) -> Result<Standing, VaultError> {
        match self.opened() {
            Ok(Some(opened)) => {
                Ok(Standing::Open { key: opened.contents.kind(), generation: opened.contents.generation })
            }
            Ok(None) => Ok(Standing::Empty),
            Err(VaultError::Locked) => Ok(Standing::Locked),
            Err(error) => Err(error),
        }
    }

    /// Every secret, without its value. A locked vault tells that, too.
    pub(super) fn rows(&mut self) -> Result<Vec<SecretRow>, VaultError> {
        let row = |entry: &Entry| SecretRow {
            name: entry.name.clone(),
            generation: entry.generation,
            made_at_us: entry.made_at_us,
            changed_at_us: entry.changed_at_us,
            scope: entry.scope.clone(),
        };
        match self.opened() {
            Ok(Some(opened)) => Ok(opened.contents.entries.values().map(row).collect()),
            Ok(None) => Ok(Vec::new()),
            Err(VaultError::Locked) => match self.find()? {
                Found::Locked(whole, _) => Ok(whole.contents.entries.values().map(row).collect()),
                Found::Nothing | Found::Opened(_) => Ok(Vec::new()),
            },
            Err(error) => Err(error),
        }
    }

    /// Opens it with a passphrase.
    pub(super) fn unlock(&mut self, passphrase: &SecretString) -> Result<(), VaultError> {
        match self.find()? {
            Found::Locked(whole, stretch) => {
                let key = stretch.key(passphrase)?;
                self.opened = Some(self.genuine(whole, key, "that passphrase")?);
                // What a change from a key file to a passphrase left when it was interrupted.
                self.folder.remove(Name::Key)?;
                self.folder.remove(Name::NextKey)
            }
            Found::Nothing | Found::Opened(_) => Err(VaultError::NoPassphrase),
        }
    }

    /// A secret's value, whoever may use it.
    pub(super) fn value(&mut self, name: &SecretName) -> Result<SecretString, VaultError> {
        let not_there = || VaultError::NotThere(name.to_string());
        let folder = self.folder.clone();
        let opened = self.opened()?.ok_or_else(not_there)?;
        let entry = opened.contents.entries.get(name).ok_or_else(not_there)?;
        opened.key.open(&entry.words(), &entry.sealed).ok_or_else(|| VaultError::Damaged {
            path: folder.path(Name::Vault),
            place: format!("the secret `{name}`"),
            reason: "it does not open with the vault's key".to_owned(),
        })
    }

    /// Gives a secret a value; whose runs may use it is kept unless it is said anew.
    pub(super) fn set(
        &mut self,
        name: &SecretName,
        value: &SecretString,
        scope: Option<Scope>,
        now_us: u64,
    ) -> Result<(u64, Scope), VaultError> {
        check(value.expose_secret())?;
        if self.opened()?.is_none() {
            self.begin()?;
        }
        self.change(|contents, key| {
            let before = contents.entries.get(name);
            if before.is_none() && contents.entries.len() >= SECRETS_MAX {
                return Err(VaultError::Full);
            }
            let scope = scope.or_else(|| before.map(|before| before.scope.clone())).unwrap_or_default();
            let made_at_us = before.map_or(now_us, |before| before.made_at_us);
            let generation = contents.generation;
            let sealed = key.seal(&words(name, generation), value.expose_secret())?;
            let entry = Entry {
                name: name.clone(),
                generation,
                made_at_us,
                changed_at_us: now_us,
                scope: scope.clone(),
                sealed,
            };
            contents.entries.insert(name.clone(), entry);
            Ok(scope)
        })
    }

    /// Says whose runs may use a secret, beside those who may already.
    pub(super) fn allow(&mut self, name: &SecretName, more: &Scope) -> Result<(u64, Scope), VaultError> {
        self.change_one(name, |entry| {
            entry.scope.everywhere |= more.everywhere;
            entry.scope.repositories.extend(more.repositories.iter().cloned());
            entry.scope.clone()
        })
    }

    /// Takes a secret away.
    pub(super) fn remove(&mut self, name: &SecretName) -> Result<u64, VaultError> {
        let not_there = || VaultError::NotThere(name.to_string());
        if self.opened()?.is_none() {
            return Err(not_there());
        }
        let removed = self.change(|contents, _| contents.entries.remove(name).map(drop).ok_or_else(not_there));
        removed.map(|(generation, ())| generation)
    }

    /// Seals everything with a fresh key. How many secrets there are.
    pub(super) fn rotate(&mut self, to: &NewKey) -> Result<(u64, usize), VaultError> {
        if self.opened()?.is_none() {
            self.begin()?;
        }
        let Some(opened) = &self.opened else { return Err(VaultError::Locked) };
        let (source, key) = match to {
            NewKey::File => (KeySource::File, MasterKey::draw()?),
            NewKey::Keyring => (KeySource::Keyring, MasterKey::draw()?),
            NewKey::Passphrase(passphrase) => {
                check(passphrase.expose_secret())?;
                let stretch = Stretch::draw()?;
                let key = stretch.key(passphrase)?;
                (KeySource::Passphrase(stretch), key)
            }
        };
        let generation = opened.contents.generation + 1;
        let mut contents =
            Contents { generation, key: source, key_id: key.id(), entries: opened.contents.entries.clone() };
        for entry in contents.entries.values_mut() {
            let value = opened.key.open(&entry.words(), &entry.sealed);
            let value =
                value.ok_or_else(|| VaultError::WrongKey(format!("the key in use (secret `{}`)", entry.name)))?;
            entry.sealed = key.seal(&entry.words(), value.expose_secret())?;
        }
        let secrets = contents.entries.len();
        self.seal_with(contents, key)?;
        Ok((generation, secrets))
    }

    /// Puts what is there aside and begins an empty vault. Where the old one is now.
    pub(super) fn reset(&mut self, now_us: u64) -> Result<(u64, Option<std::path::PathBuf>), VaultError> {
        self.opened = None;
        let aside = self.folder.set_aside(now_us)?;
        self.begin()?;
        Ok((self.recorded, aside))
    }

    /// The first file, with a fresh key.
    fn begin(&mut self) -> Result<(), VaultError> {
        self.folder.make()?;
        let key = MasterKey::draw()?;
        let generation = self.recorded + 1;
        let contents = Contents { generation, key: KeySource::File, key_id: key.id(), entries: [].into() };
        self.seal_with(contents, key)
    }

    /// Writes the file under another key than before.
    fn seal_with(&mut self, contents: Contents, key: MasterKey) -> Result<(), VaultError> {
        let is_file = contents.key == KeySource::File;
        match contents.key {
            KeySource::File => self.folder.put(Name::NextKey, key.to_text().as_bytes())?,
            // One that is kept there and never came to count opens nothing.
            KeySource::Keyring => keyring::put(&key)?,
            KeySource::Passphrase(_) => {}
        }
        self.folder.put(Name::Vault, &encode(&contents, &key))?;
        self.recorded = contents.generation;
        let before = self.opened.replace(Opened { contents, key });
        if is_file {
            self.folder.rename(Name::NextKey, Name::Key)?;
        } else {
            self.folder.remove(Name::Key)?;
        }
        if let Some(before) = before.filter(|before| before.contents.key == KeySource::Keyring) {
            // It opens nothing any more; a keyring that is closed by now keeps it.
            keyring::remove(&before.contents.key_id).ok();
        }
        Ok(())
    }

    fn change_one<T>(
        &mut self,
        name: &SecretName,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Result<(u64, T), VaultError> {
        let not_there = || VaultError::NotThere(name.to_string());
        if self.opened()?.is_none() {
            return Err(not_there());
        }
        self.change(|contents, _| contents.entries.get_mut(name).map(change).ok_or_else(not_there))
    }

    /// Changes the contents and writes them; what could not be written did not happen.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Contents, &MasterKey) -> Result<T, VaultError>,
    ) -> Result<(u64, T), VaultError> {
        let Some(opened) = &mut self.opened else { return Err(VaultError::Locked) };
        let mut contents = opened.contents.clone();
        contents.generation += 1;
        let done = change(&mut contents, &opened.key)?;
        self.folder.put(Name::Vault, &encode(&contents, &opened.key))?;
        opened.contents = contents;
        self.recorded = opened.contents.generation;
        Ok((self.recorded, done))
    }

    /// What is open; opens it when it can be. Nothing when there never was a vault.
    fn opened(&mut self) -> Result<Option<&mut Opened>, VaultError> {
        if self.opened.is_none() {
            match self.find()? {
                Found::Nothing => return Ok(None),
                Found::Opened(opened) => self.opened = Some(opened),
                Found::Locked(..) => return Err(VaultError::Locked),
            }
        }
        Ok(self.opened.as_mut())
    }

    fn find(&self) -> Result<Found, VaultError> {
        let path = self.folder.path(Name::Vault);
        let Some(bytes) = self.folder.vault()? else {
            // A key is there only when a vault was; one that was to come is of a first use that was interrupted.
            let was = self.recorded > 0 || self.folder.path(Name::Key).exists();
            return if was { Err(VaultError::Missing(path)) } else { Ok(Found::Nothing) };
        };
        let whole = decode(&bytes).map_err(|damage| VaultError::Damaged {
            path: path.clone(),
            place: format!("line {}", damage.line),
            reason: damage.reason,
        })?;
        if whole.contents.generation < self.recorded {
            return Err(VaultError::Older { path, found: whole.contents.generation, recorded: self.recorded });
        }
        match &whole.contents.key {
            KeySource::Passphrase(stretch) => {
                let stretch = stretch.clone();
                Ok(Found::Locked(whole, stretch))
            }
            KeySource::Keyring => {
                let key = keyring::get(&whole.contents.key_id)?.ok_or(VaultError::NotInKeyring)?;
                self.genuine(whole, key, "what the machine's keyring holds").map(Found::Opened)
            }
            KeySource::File => {
                let key = self.key_of(&whole.contents.key_id)?;
                self.genuine(whole, key, &self.folder.path(Name::Key).display().to_string()).map(Found::Opened)
            }
        }
    }

    /// The key file the vault names; puts it in place when a rotation was interrupted.
    fn key_of(&self, id: &str) -> Result<MasterKey, VaultError> {
        let read = |name| {
            let text = self.folder.key(name)?;
            Ok::<_, VaultError>(text.map(|text| MasterKey::from_text(&text)))
        };
        if let Some(Some(key)) = read(Name::NextKey)?
            && key.id() == id
        {
            self.folder.rename(Name::NextKey, Name::Key)?;
            return Ok(key);
        }
        let path = self.folder.path(Name::Key);
        match read(Name::Key)? {
            None => Err(VaultError::KeyMissing(path)),
            Some(key) => {
                let key = key.filter(|key| key.id() == id);
                let key = key.ok_or_else(|| VaultError::WrongKey(path.display().to_string()))?;
                // Of a rotation that never came to count.
                self.folder.remove(Name::NextKey)?;
                Ok(key)
            }
        }
    }

    fn genuine(&self, whole: super::file::Whole, key: MasterKey, what: &str) -> Result<Opened, VaultError> {
        if key.id() != whole.contents.key_id {
            return Err(VaultError::WrongKey(what.to_owned()));
        }
        if !whole.is_genuine(&key) {
            return Err(VaultError::Damaged {
                path: self.folder.path(Name::Vault),
                place: "its last line".to_owned(),
                reason: "it was changed by somebody without the key".to_owned(),
            });
        }
        Ok(Opened { contents: whole.contents, key })
    }
}

impl Contents {
    fn kind(&self) -> KeyKind {
        match self.key {
            KeySource::File => KeyKind::File,
            KeySource::Passphrase(_) => KeyKind::Passphrase,
            KeySource::Keyring => KeyKind::Keyring,
        }
    }
}

/// Whether a text can be a secret's value: a variable's value, that is.
fn check(value: &str) -> Result<(), VaultError> {
    match value.len() {
        0 => Err(VaultError::Value("is empty")),
        bytes if bytes > SECRET_BYTES_MAX => Err(VaultError::Value("is too long")),
        _ if value.contains('\0') => Err(VaultError::Value("holds a NUL byte")),
        _ => Ok(()),
    }
}
