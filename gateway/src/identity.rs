//! Who we are to a gateway: an Ed25519 key of this installation, and the line it signs at every handshake. Keeps no
//! file; whoever makes one keeps its seed in the vault.
//!
//! Source of the shapes: the gateway's own handshake, captured in `tests/frames/handshake-token-new-device.jsonl`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use secrecy::{ExposeSecret as _, SecretBox};

/// Bytes of the seed a device's key is made of.
pub const SEED_BYTES: usize = 32;

/// A device's key pair. Prints as its id.
pub struct Device {
    key: Ed25519KeyPair,
    id: String,
}

/// Why a device could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The machine's random source failed.
    #[error("the machine gave no random bytes")]
    Random,
    /// The seed is not one.
    #[error("the seed of the device's key cannot be used")]
    Seed,
}

/// What is signed at a handshake.
pub(crate) struct Claim<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) client_mode: &'a str,
    pub(crate) role: &'a str,
    /// In the order they are sent.
    pub(crate) scopes: &'a [&'a str],
    pub(crate) signed_at_ms: u64,
    /// The token sent with it; never a password.
    pub(crate) token: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) platform: &'a str,
}

impl Device {
    /// A seed for a new device.
    ///
    /// # Errors
    /// When the machine's random source fails.
    pub fn new_seed() -> Result<SecretBox<[u8; SEED_BYTES]>, DeviceError> {
        let mut seed = Box::new([0; SEED_BYTES]);
        SystemRandom::new().fill(seed.as_mut()).map_err(|_| DeviceError::Random)?;
        Ok(SecretBox::new(seed))
    }

    /// The device of that seed; the same seed is always the same device.
    ///
    /// # Errors
    /// When no key can be made of it.
    pub fn from_seed(seed: &SecretBox<[u8; SEED_BYTES]>) -> Result<Self, DeviceError> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret()).map_err(|_| DeviceError::Seed)?;
        let id = digest(&SHA256, key.public_key().as_ref()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { key, id })
    }

    /// Its name: the SHA-256 of its public key, in lower-case hex.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its raw public key in unpadded base64url.
    pub(crate) fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref())
    }

    /// The signature of a claim in unpadded base64url.
    pub(crate) fn sign(&self, claim: &Claim<'_>) -> String {
        URL_SAFE_NO_PAD.encode(self.key.sign(claim.line(&self.id).as_bytes()).as_ref())
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Device").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Claim<'_> {
    /// The line that is signed, in its third version. The last field, a device family, we have none of.
    pub(crate) fn line(&self, device_id: &str) -> String {
        let platform = self.platform.trim().to_ascii_lowercase();
        let signed_at = self.signed_at_ms.to_string();
        let scopes = self.scopes.join(",");
        let fields = [
            "v3",
            device_id,
            self.client_id,
            self.client_mode,
            self.role,
            &scopes,
            &signed_at,
            self.token,
            self.nonce,
            &platform,
            "",
        ];
        fields.join("|")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const CAPTURED: &str = include_str!("../tests/frames/handshake-token-new-device.jsonl");

    fn captured_connect() -> Value {
        let frames = CAPTURED.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line"));
        frames.map(|line| line["frame"].clone()).find(|frame| frame["method"] == "connect").expect("a connect")
    }

    #[test]
    fn the_line_is_the_one_a_real_gateway_accepted() {
        let connect = captured_connect();
        let (params, device) = (&connect["params"], &connect["params"]["device"]);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let scopes: Vec<String> = params["scopes"].as_array().expect("scopes").iter().map(text).collect();
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let claim = Claim {
            client_id: &text(&params["client"]["id"]),
            client_mode: &text(&params["client"]["mode"]),
            role: &text(&params["role"]),
            scopes: &scopes,
            signed_at_ms: device["signedAt"].as_u64().expect("a time"),
            token: &text(&params["auth"]["token"]),
            nonce: &text(&device["nonce"]),
            // This client sent `platform` with its name only, and the gateway took the empty family as absent.
            platform: &text(&params["client"]["platform"]),
        };
        let decode = |value: &Value| URL_SAFE_NO_PAD.decode(text(value)).expect("base64url");
        let key = decode(&device["publicKey"]);
        let id: String = digest(&SHA256, &key).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(id, text(&device["id"]));
        let verifier = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
        verifier.verify(claim.line(&id).as_bytes(), &decode(&device["signature"])).expect("it signed this line");
    }

    #[test]
    fn the_same_seed_is_the_same_device_and_prints_no_key() {
        let seed = Device::new_seed().expect("random");
        let (one, same) = (Device::from_seed(&seed).expect("a key"), Device::from_seed(&seed).expect("a key"));
        let other = Device::from_seed(&Device::new_seed().expect("random")).expect("a key");
        assert_eq!((one.id(), one.public_key()), (same.id(), same.public_key()));
        assert_ne!(one.id(), other.id());
        assert_eq!(format!("{one:?}"), format!("Device {{ id: \"{}\", .. }}", one.id()));
        assert!(!format!("{seed:?}").contains(&format!("{:?}", seed.expose_secret())));
    }
}
