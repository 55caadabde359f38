//! The master key and what is done with it: XChaCha20-Poly1305 around each value, a keyed hash around the whole file.
//! Knows nothing of files.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::VaultError;

/// Bytes of the master key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of XChaCha20's nonce; so many that random ones never meet.
const NONCE_BYTES: usize = 24;
/// Bytes of a passphrase's salt.
const SALT_BYTES: usize = 16;
/// Memory argon2 takes for a passphrase, in KiB: what the RFC suggests where memory is scarce.
const ARGON2_MEMORY_KIB: u32 = 64 << 10;
/// Passes over that memory.
const ARGON2_PASSES: u32 = 3;
/// Lanes of it.
const ARGON2_LANES: u32 = 4;
/// Most memory a file may ask for, so that a planted one cannot take all there is.
const ARGON2_MEMORY_KIB_MAX: u32 = 1 << 20;
/// Most passes a file may ask for.
const ARGON2_PASSES_MAX: u32 = 64;
/// Most lanes a file may ask for.
const ARGON2_LANES_MAX: u32 = 64;

/// How a key comes out of a passphrase. Stands in the vault's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    argon2id_memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// In base 64.
    salt: String,
}

impl Stretch {
    /// With a fresh salt.
    pub(super) fn draw() -> Result<Self, VaultError> {
        let salt = STANDARD.encode(random::<SALT_BYTES>()?);
        Ok(Self { argon2id_memory_kib: ARGON2_MEMORY_KIB, passes: ARGON2_PASSES, lanes: ARGON2_LANES, salt })
    }

    /// The key of a passphrase. Takes a moment on purpose.
    pub(super) fn key(&self, passphrase: &SecretString) -> Result<MasterKey, VaultError> {
        let machine = |error: String| VaultError::Machine(format!("stretch the passphrase: {error}"));
        let is_bounded = self.argon2id_memory_kib <= ARGON2_MEMORY_KIB_MAX
            && self.passes <= ARGON2_PASSES_MAX
            && self.lanes <= ARGON2_LANES_MAX;
        if !is_bounded {
            return Err(machine("the vault's file asks for more than any of ours would".to_owned()));
        }
        let salt = STANDARD.decode(&self.salt).map_err(|error| machine(error.to_string()))?;
        let params = Params::new(self.argon2id_memory_kib, self.passes, self.lanes, Some(KEY_BYTES));
        let params = params.map_err(|error| machine(error.to_string()))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose_secret().as_bytes(), &salt, &mut *key)
            .map_err(|error| machine(error.to_string()))?;
        Ok(MasterKey(key))
    }
}

/// What everything is sealed with. Wiped from memory when dropped.
pub(super) struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl MasterKey {
    /// A fresh one.
    pub(super) fn draw() -> Result<Self, VaultError> {
        random().map(|key| Self(Zeroizing::new(key)))
    }

    /// As a key file holds it.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", STANDARD.encode(*self.0)))
    }

    /// From what a key file holds.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim_end()).ok()?);
        let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(key)))
    }

    /// Tells keys apart without telling what they are.
    pub(super) fn id(&self) -> String {
        let id = self.derived("regatta vault 2026-11-28 key id");
        blake3::hash(&*id).to_hex().chars().take(16).collect()
    }

    /// What proves that only who has the key wrote these bytes.
    pub(super) fn mac(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.derived("regatta vault 2026-11-28 whole file"), bytes)
    }

    /// Seals a value so that it opens only under the same words.
    pub(super) fn seal(&self, words: &str, value: &str) -> Result<String, VaultError> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let payload = Payload { msg: value.as_bytes(), aad: words.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| VaultError::Machine("seal a value".to_owned()))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a value; nothing when it was sealed with another key, under other words, or is damaged.
    pub(super) fn open(&self, words: &str, sealed: &str) -> Option<SecretString> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: words.as_bytes() };
        let value = Zeroizing::new(self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?);
        Some(SecretString::from(str::from_utf8(&value).ok()?))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = self.derived("regatta vault 2026-11-28 values");
        XChaCha20Poly1305::new((&*key).into())
    }

    fn derived(&self, context: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(blake3::derive_key(context, &*self.0))
    }
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], VaultError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| VaultError::Machine(format!("draw random bytes: {error}")))?;
    Ok(bytes)
}
