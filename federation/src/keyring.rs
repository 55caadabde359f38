//! What proves to gateways that we may: tokens, passwords and tokens of our device, each a secret of the vault with a name
//! made of the gateway's; and the device, one for the whole installation, whose seed is one, too.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regatta_core::event::gateway::{Added, Proof};
use regatta_core::vault::ExposeSecret as _;
use regatta_core::{Actor, GatewayName, Refusal, RefusalKind, SecretName, SecretString, Vault, VaultError};
use regatta_gateway::{Credential, Device, Options, SEED_BYTES};
use secrecy::SecretBox;

/// The seed of this installation's device. Two devices of one installation would push each other out at a gateway.
const DEVICE: &str = "gateway-device";

/// A secret that comes with a new gateway.
#[derive(Debug, Clone)]
pub enum Secret {
    /// Its shared token.
    Token(SecretString),
    /// Its password.
    Password(SecretString),
}

impl Secret {
    pub(crate) fn proof(secret: Option<&Self>) -> Proof {
        match secret {
            Some(Self::Token(_)) => Proof::Token,
            Some(Self::Password(_)) => Proof::Password,
            None => Proof::Device,
        }
    }

    fn value(&self) -> &SecretString {
        match self {
            Self::Token(value) | Self::Password(value) => value,
        }
    }
}

/// The way to what proves that we may. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keyring {
    vault: Vault,
    /// Held while it is made, so that it is made once.
    device: Arc<tokio::sync::Mutex<Option<Arc<Device>>>>,
}

impl Keyring {
    pub(crate) fn new(vault: Vault) -> Self {
        Self { vault, device: Arc::default() }
    }

    /// How to connect to a gateway.
    pub(crate) async fn options(&self, added: &Added) -> Result<Options, Refusal> {
        let credential = self.credential(added).await?;
        let device = self.device().await?;
        let allow_plain = added.allow_plain;
        Ok(Options { allow_plain, device: Some(device), ..Options::control_plane(&added.url, credential) })
    }

    async fn credential(&self, added: &Added) -> Result<Credential, Refusal> {
        let name = secret_name(&added.gateway, added.proof);
        let found = self.vault.credential(&name, &format!("gateway {}", added.gateway)).await;
        match (added.proof, found) {
            (Proof::Token, Ok(token)) => Ok(Credential::Token(token)),
            (Proof::Password, Ok(password)) => Ok(Credential::Password(password)),
            (Proof::Device, Ok(token)) => Ok(Credential::DeviceToken(token)),
            // Before it was paired there is none; where nothing is asked for there never is.
            (Proof::Device, Err(VaultError::NotThere(_))) => Ok(Credential::Nothing),
            (_, Err(error)) => Err(Refusal::from(&error)),
        }
    }

    /// This installation's device; made when it is first needed.
    async fn device(&self) -> Result<Arc<Device>, Refusal> {
        let mut known = self.device.lock().await;
        if let Some(device) = &*known {
            return Ok(Arc::clone(device));
        }
        let name = device_name();
        let seed = match self.vault.credential(&name, "gateways").await {
            Ok(text) => seed(&text).ok_or_else(|| {
                Refusal::new(RefusalKind::Unusable, format!("the secret `{name}` is not a device's key"))
                    .hint(format!("remove it, and a new one is made: regatta secret rm {name}"))
            })?,
            Err(VaultError::NotThere(_)) => self.new_seed(&name).await?,
            Err(error) => return Err(Refusal::from(&error)),
        };
        let unusable = |error| Refusal::new(RefusalKind::Unusable, format!("{error}"));
        let device = Arc::new(Device::from_seed(&seed).map_err(unusable)?);
        Ok(Arc::clone(known.insert(device)))
    }

    async fn new_seed(&self, name: &SecretName) -> Result<SecretBox<[u8; SEED_BYTES]>, Refusal> {
        let seed = Device::new_seed().map_err(|error| Refusal::new(RefusalKind::Unusable, error.to_string()))?;
        let text = SecretString::from(URL_SAFE_NO_PAD.encode(seed.expose_secret()));
        self.vault.set(name, text, None, &Actor::regatta()).await.map_err(|error| Refusal::from(&error))?;
        Ok(seed)
    }

    /// Keeps what came with a new gateway.
    pub(crate) async fn keep(&self, gateway: &GatewayName, secret: &Secret, by: &Actor) -> Result<(), Refusal> {
        let name = secret_name(gateway, Secret::proof(Some(secret)));
        let kept = self.vault.set(&name, secret.value().clone(), None, by).await;
        kept.map(drop).map_err(|error| Refusal::from(&error))
    }

    /// Keeps a token a gateway gave this device, when it is another one than before.
    pub(crate) async fn keep_device_token(&self, gateway: &GatewayName, token: &SecretString) -> Result<(), Refusal> {
        let name = secret_name(gateway, Proof::Device);
        let known = self.vault.known(std::slice::from_ref(&name)).await;
        if known.iter().any(|(_, known)| known.expose_secret() == token.expose_secret()) {
            return Ok(());
        }
        let kept = self.vault.set(&name, token.clone(), None, &Actor::regatta()).await;
        kept.map(drop).map_err(|error| Refusal::from(&error))
    }

    /// Takes away what was kept of a gateway until then; what somebody put under such a name later is theirs.
    pub(crate) async fn forget(&self, gateway: &GatewayName, until_us: u64) -> Result<(), Refusal> {
        let rows = self.vault.rows().await.map_err(|error| Refusal::from(&error))?;
        let names = [Proof::Token, Proof::Password, Proof::Device].map(|proof| secret_name(gateway, proof));
        for row in rows.into_iter().filter(|row| row.changed_at_us <= until_us && names.contains(&row.name)) {
            match self.vault.remove(&row.name, &Actor::regatta()).await {
                Ok(()) | Err(VaultError::NotThere(_)) => {}
                Err(error) => return Err(Refusal::from(&error)),
            }
        }
        Ok(())
    }
}

fn seed(text: &SecretString) -> Option<SecretBox<[u8; SEED_BYTES]>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.expose_secret()).ok()?;
    Some(SecretBox::new(Box::new(bytes.try_into().ok()?)))
}

fn secret_name(gateway: &GatewayName, proof: Proof) -> SecretName {
    let what = match proof {
        Proof::Token => "token",
        Proof::Password => "password",
        Proof::Device => "device-token",
    };
    named(&format!("gateway.{gateway}.{what}"))
}

fn device_name() -> SecretName {
    named(DEVICE)
}

#[expect(clippy::expect_used, reason = "a gateway's name is shorter than a secret's, of fewer characters")]
fn named(text: &str) -> SecretName {
    text.parse().expect("a secret's name")
}
