//! The first call of a connection: who we are, what we may, and the proof. Pure; the secrets in it are only written into
//! the text that goes to the gateway.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::frame::FrameError;
use crate::identity::{Claim, Device};

/// The protocol this speaks, and the only one.
pub const PROTOCOL: u32 = 4;
/// Most bytes of the first call; a gateway closes the connection on more.
pub const CONNECT_BYTES_MAX: usize = 65_536;
/// The id of the first call.
pub(crate) const CONNECT_ID: &str = "connect";

/// As whom we connect. Names and modes are a closed set on the gateway's side; a product's own name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// One of the gateway's client ids.
    pub id: &'static str,
    /// One of the gateway's client modes.
    pub mode: &'static str,
}

impl Client {
    /// What a control plane is: trusted on the same machine with the shared token, and it keeps no pairing.
    pub const BACKEND: Self = Self { id: "gateway-client", mode: "backend" };
    /// What a person's command line is: paired by itself on the same machine.
    pub const CLI: Self = Self { id: "cli", mode: "cli" };
}

/// What proves that we may.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The gateway's shared token.
    Token(SecretString),
    /// The gateway's password.
    Password(SecretString),
    /// A token this device was given by an earlier handshake.
    DeviceToken(SecretString),
    /// The gateway asks for nothing.
    Nothing,
}

impl Credential {
    /// The token that the device signs together with the rest. A password never is.
    fn signed_token(&self) -> &str {
        match self {
            Self::Token(token) | Self::DeviceToken(token) => token.expose_secret(),
            Self::Password(_) | Self::Nothing => "",
        }
    }

    fn auth(&self) -> Option<Auth<'_>> {
        match self {
            Self::Token(token) => Some(Auth::Token(token.expose_secret())),
            Self::Password(password) => Some(Auth::Password(password.expose_secret())),
            Self::DeviceToken(token) => Some(Auth::DeviceToken(token.expose_secret())),
            Self::Nothing => None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Auth<'a> {
    Token(&'a str),
    Password(&'a str),
    DeviceToken(&'a str),
}

/// What the gateway says first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Challenge {
    pub(crate) nonce: String,
    /// Its clock, in milliseconds since the Unix epoch. We sign with it, so that ours need not agree.
    pub(crate) ts: u64,
}

/// Everything a connection asks for.
pub(crate) struct Asking<'a> {
    pub(crate) client: Client,
    pub(crate) version: &'a str,
    pub(crate) scopes: &'a [&'a str],
    pub(crate) caps: &'a [&'a str],
    pub(crate) credential: &'a Credential,
    pub(crate) device: Option<&'a Device>,
}

const ROLE: &str = "operator";
const PLATFORM: &str = "linux";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    min_protocol: u32,
    max_protocol: u32,
    client: ClientParams<'a>,
    role: &'a str,
    scopes: &'a [&'a str],
    caps: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Auth<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceParams<'a>>,
}

#[derive(Serialize)]
struct ClientParams<'a> {
    id: &'a str,
    version: &'a str,
    platform: &'a str,
    mode: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceParams<'a> {
    id: &'a str,
    public_key: String,
    signature: String,
    signed_at: u64,
    nonce: &'a str,
}

#[derive(Serialize)]
struct Call<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'static str,
    method: &'static str,
    params: Params<'a>,
}

impl Asking<'_> {
    /// The first call, as the answer to a challenge. Secret: it is sent and nothing else.
    pub(crate) fn answer(&self, challenge: &Challenge) -> Result<SecretString, FrameError> {
        let client =
            ClientParams { id: self.client.id, version: self.version, platform: PLATFORM, mode: self.client.mode };
        let params = Params {
            min_protocol: PROTOCOL,
            max_protocol: PROTOCOL,
            client,
            role: ROLE,
            scopes: self.scopes,
            caps: self.caps,
            auth: self.credential.auth(),
            device: self.device.map(|device| self.proof(device, challenge)),
        };
        let call = Call { kind: "req", id: CONNECT_ID, method: "connect", params };
        let text = serde_json::to_string(&call)
            .map_err(|_| FrameError::Malformed("the first call could not be written".to_owned()))?;
        if text.len() > CONNECT_BYTES_MAX { Err(FrameError::TooLarge(text.len())) } else { Ok(text.into()) }
    }

    fn proof<'a>(&self, device: &'a Device, challenge: &'a Challenge) -> DeviceParams<'a> {
        let claim = Claim {
            client_id: self.client.id,
            client_mode: self.client.mode,
            role: ROLE,
            scopes: self.scopes,
            signed_at_ms: challenge.ts,
            token: self.credential.signed_token(),
            nonce: &challenge.nonce,
            platform: PLATFORM,
        };
        DeviceParams {
            id: device.id(),
            public_key: device.public_key(),
            signature: device.sign(&claim),
            signed_at: challenge.ts,
            nonce: &challenge.nonce,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(credential: &Credential, device: Option<&Device>) -> Value {
        let asking = Asking {
            client: Client::BACKEND,
            version: "0.1.0",
            scopes: &["operator.read"],
            caps: &["approvals"],
            credential,
            device,
        };
        let challenge = Challenge { nonce: "n-1".to_owned(), ts: 1_795_328_450_453 };
        serde_json::from_str(asking.answer(&challenge).expect("written").expose_secret()).expect("JSON")
    }

    #[test]
    fn each_credential_stands_where_the_gateway_looks_for_it() {
        let cases = [
            (Credential::Token("t".into()), json!({ "token": "t" })),
            (Credential::Password("p".into()), json!({ "password": "p" })),
            (Credential::DeviceToken("d".into()), json!({ "deviceToken": "d" })),
            (Credential::Nothing, Value::Null),
        ];
        for (credential, auth) in cases {
            assert_eq!(asked(&credential, None)["params"]["auth"], auth);
            assert!(!format!("{credential:?}").contains(['"']), "{credential:?} prints no secret");
        }
    }

    #[test]
    fn a_call_without_a_device_is_exactly_this() {
        let params = json!({
            "minProtocol": 4, "maxProtocol": 4, "role": "operator", "scopes": ["operator.read"], "caps": ["approvals"],
            "client": { "id": "gateway-client", "version": "0.1.0", "platform": "linux", "mode": "backend" },
        });
        let call = json!({ "type": "req", "id": "connect", "method": "connect", "params": params });
        assert_eq!(asked(&Credential::Nothing, None), call);
    }

    #[test]
    fn a_device_signs_with_the_gateways_nonce_and_time() {
        let device = Device::from_seed(&Device::new_seed().expect("random")).expect("a key");
        let call = asked(&Credential::Token("t".into()), Some(&device));
        let proof = &call["params"]["device"];
        assert_eq!((&proof["id"], &proof["nonce"]), (&json!(device.id()), &json!("n-1")));
        assert_eq!(proof["signedAt"], 1_795_328_450_453_u64);
    }
}
