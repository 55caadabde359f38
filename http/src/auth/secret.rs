//! Secrets of 256 random bits: how they are drawn, written, and known again by their hash. What a secret opens is not
//! known here. A slow hash is not needed: there is nothing to guess in 256 random bits.

use std::fmt;

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Longest credential that is looked at; anything longer is none of ours.
pub(crate) const CREDENTIAL_BYTES_MAX: usize = 128;

/// What a secret is for. Each has its own hash, so that none can stand for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Token,
    Session,
    Link,
}

impl Use {
    /// What its text begins with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Token => "rgt_",
            Self::Session => "rgs_",
            Self::Link => "rgl_",
        }
    }

    fn context(self) -> &'static str {
        match self {
            Self::Token => "regatta 2026-11-22 token",
            Self::Session => "regatta 2026-11-22 session",
            Self::Link => "regatta 2026-11-22 sign-in link",
        }
    }
}

/// A fresh secret and its public name. The text exists once, for the one it is made for.
pub(crate) struct Drawn {
    /// Its public name: eight characters.
    pub(crate) id: String,
    /// Its hash, which is what is kept.
    pub(crate) hash: Hash,
    text: String,
}

impl Drawn {
    /// Takes the text, to be given away.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drawn").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is kept of a secret. Comparing takes the same time wherever two differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hash(blake3::Hash);

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        // `blake3::Hash` compares in constant time.
        self.0 == other.0
    }
}

impl Eq for Hash {}

impl Hash {
    fn of(purpose: Use, secret: &str) -> Self {
        Self(blake3::Hash::from_bytes(blake3::derive_key(purpose.context(), secret.as_bytes())))
    }

    /// As it stands in an event.
    pub(crate) fn to_hex(self) -> String {
        self.0.to_hex().to_string()
    }

    /// Reads it back; a text that is no hash becomes one that no secret has.
    pub(crate) fn from_hex(text: &str) -> Self {
        Self(blake3::Hash::from_hex(text).unwrap_or_else(|_| blake3::Hash::from_bytes([0; 32])))
    }
}

/// Draws a secret from the machine's random source.
///
/// # Errors
/// When the machine has no randomness to give.
pub(crate) fn draw(purpose: Use) -> std::io::Result<Drawn> {
    let mut random = [0_u8; 2 * SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    let (secret, name) = random.split_at(SECRET_BYTES);
    let name = name.first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes));
    let id = regatta_core::RunId::from_bits(name).to_string();
    let mut hex = String::with_capacity(2 * SECRET_BYTES);
    for byte in secret {
        hex.push_str(&format!("{byte:02x}"));
    }
    Ok(Drawn { hash: Hash::of(purpose, &hex), text: format!("{}{id}_{hex}", purpose.prefix()), id })
}

/// What somebody showed us: the name it claims, and the hash of the rest.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) hash: Hash,
}

/// Reads a credential; nothing when it has not the shape of one.
pub(crate) fn read(purpose: Use, text: &str) -> Option<Shown> {
    if text.len() > CREDENTIAL_BYTES_MAX {
        return None;
    }
    let (id, secret) = text.strip_prefix(purpose.prefix())?.split_once('_')?;
    Some(Shown { id: id.to_owned(), hash: Hash::of(purpose, secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_again_and_no_other_is() {
        let (one, two) = (draw(Use::Token).expect("random"), draw(Use::Token).expect("random"));
        assert_ne!(one.text, two.text);
        assert_eq!(format!("{one:?}").matches(&one.text).count(), 0, "debug text does not tell it");
        let (id, hash, hex) = (one.id.clone(), one.hash, one.hash.to_hex());
        let text = one.into_text();
        assert_eq!(text.len(), "rgt_".len() + 8 + 1 + 64);
        let shown = read(Use::Token, &text).expect("ours");
        assert_eq!((shown.id, shown.hash), (id, hash));
        assert_eq!(Hash::from_hex(&hex), hash);
        assert_ne!(shown.hash, two.hash);
    }

    #[test]
    fn a_secret_for_one_use_is_none_for_another() {
        let text = draw(Use::Link).expect("random").into_text();
        assert!(read(Use::Token, &text).is_none());
        let renamed = text.replace("rgl_", "rgt_");
        let (link, token) = (read(Use::Link, &text).expect("link"), read(Use::Token, &renamed).expect("shape"));
        assert_ne!(link.hash, token.hash);
    }

    #[test]
    fn what_has_not_the_shape_is_not_looked_at() {
        for text in ["", "rgt_", "rgt_nothing", "Bearer rgt_a_b", &format!("rgt_a_{}", "b".repeat(200))] {
            assert!(read(Use::Token, text).is_none(), "{text}");
        }
    }
}
