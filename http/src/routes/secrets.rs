//! The vault, as admins keep it: names go out, values only come in, and only where nobody can listen.

use std::fmt;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use regatta_core::event::secret::{Scope, UsedBy};
use regatta_core::vault::{NewKey, SecretName};
use regatta_core::{Actor, Refusal, VaultError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Body;
use crate::auth::{Identity, Place};
use crate::requests::{KeyRequest, LastUse, PassphraseRequest, SecretRequest, SecretRow, SecretsView, VaultAnswer};
use crate::sensitive::{is_private, private, sensitive};
use crate::{Plane, Problem};

/// What stands before the name of a secret where a key of the configuration takes a credential.
const REFERENCE: &str = "secret:";

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(set, allow, remove))
        .routes(routes!(rotate))
        .routes(routes!(unlock))
        .routes(routes!(reset))
}

/// Lists every secret, without its value.
#[utoipa::path(get, path = "/secrets", operation_id = "listSecrets", tag = "vault",
    responses((status = 200, description = "By name.", body = SecretsView)))]
async fn list(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Extension(place): Extension<Place>,
) -> Result<Json<SecretsView>, Problem> {
    let standing = plane.vault.standing().await?;
    let rows = plane.vault.rows().await?;
    let settings = settings(&plane).await;
    let rows = rows.into_iter().map(|row| shown(&plane, row, &settings)).collect();
    Ok(Json(SecretsView { standing, may_set: is_private(&identity, &place), rows }))
}

/// Gives a secret a value. Refused where others could listen.
#[utoipa::path(put, path = "/secrets/{name}", operation_id = "setSecret", tag = "vault",
    params(("name" = String, Path, description = "What it is called.")), request_body = SecretRequest,
    responses((status = 200, description = "It is sealed and on disk.", body = SecretRow)))]
async fn set(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Extension(place): Extension<Place>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<SecretRow>, Problem> {
    private(&identity, &place)?;
    let request: SecretRequest = sensitive(body)?;
    let name: SecretName = name.parse()?;
    plane.vault.set(&name, request.value, request.scope, &Actor::user(&identity.name)).await?;
    row(&plane, &name).await
}

/// Lets runs of more repositories use a secret.
#[utoipa::path(patch, path = "/secrets/{name}", operation_id = "allowSecret", tag = "vault",
    params(("name" = String, Path, description = "Which.")), request_body = Scope,
    responses((status = 200, description = "They may.", body = SecretRow)))]
async fn allow(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<SecretRow>, Problem> {
    let more: Scope = super::json(body)?;
    let name: SecretName = name.parse()?;
    plane.vault.allow(&name, more, &Actor::user(&identity.name)).await?;
    row(&plane, &name).await
}

/// Takes a secret away.
#[utoipa::path(delete, path = "/secrets/{name}", operation_id = "removeSecret", tag = "vault",
    params(("name" = String, Path, description = "Which.")),
    responses((status = 204, description = "It is gone.")))]
async fn remove(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    plane.vault.remove(&name.parse()?, &Actor::user(&identity.name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Seals everything with a fresh key.
#[utoipa::path(put, path = "/vault/key", operation_id = "rotateVault", tag = "vault", request_body = KeyRequest,
    responses((status = 200, description = "Everything is sealed with it.", body = VaultAnswer)))]
async fn rotate(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Extension(place): Extension<Place>,
    body: Body,
) -> Result<Json<VaultAnswer>, Problem> {
    private(&identity, &place)?;
    let request: KeyRequest = sensitive(body)?;
    let to = match (request.passphrase, request.keyring) {
        (None, false) => NewKey::File,
        (Some(passphrase), false) => NewKey::Passphrase(passphrase),
        (None, true) => NewKey::Keyring,
        (Some(_), true) => return Err(Problem::invalid("a key is of a passphrase or in the keyring").hint("say one")),
    };
    let secrets = plane.vault.rotate(to, &Actor::user(&identity.name)).await?;
    Ok(Json(VaultAnswer { secrets, aside: None }))
}

/// Opens a vault that takes a passphrase.
#[utoipa::path(put, path = "/vault/passphrase", operation_id = "unlockVault", tag = "vault",
    request_body = PassphraseRequest,
    responses((status = 200, description = "It is open until the server ends.", body = VaultAnswer)))]
async fn unlock(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
    Extension(place): Extension<Place>,
    body: Body,
) -> Result<Json<VaultAnswer>, Problem> {
    private(&identity, &place)?;
    let PassphraseRequest { passphrase } = sensitive(body)?;
    plane.vault.unlock(passphrase).await?;
    Ok(Json(VaultAnswer { secrets: plane.vault.rows().await?.len(), aside: None }))
}

/// Puts the vault aside, with everything in it, and begins an empty one.
#[utoipa::path(put, path = "/vault/contents", operation_id = "resetVault", tag = "vault",
    responses((status = 200, description = "It is empty.", body = VaultAnswer)))]
async fn reset(
    State(plane): State<Plane>,
    Extension(identity): Extension<Identity>,
) -> Result<Json<VaultAnswer>, Problem> {
    let aside = plane.vault.reset(&Actor::user(&identity.name)).await?;
    Ok(Json(VaultAnswer { secrets: 0, aside: aside.map(|path| path.display().to_string()) }))
}

async fn row(plane: &Plane, name: &SecretName) -> Result<Json<SecretRow>, Problem> {
    let row = plane.vault.rows().await?.into_iter().find(|row| row.name == *name);
    let row = row.ok_or_else(|| VaultError::NotThere(name.to_string()))?;
    Ok(Json(shown(plane, row, &settings(plane).await)))
}

fn shown(plane: &Plane, row: regatta_core::vault::SecretRow, settings: &[(String, String)]) -> SecretRow {
    let last_use =
        plane.vault.last_use(&row.name).map(|last| LastUse { at_us: last.at_us, by: Who(&last.by).to_string() });
    let named = settings.iter().filter(|(_, secret)| secret.as_str() == row.name.as_str());
    SecretRow {
        settings: named.map(|(key, _)| key.clone()).collect(),
        name: row.name.to_string(),
        made_at_us: row.made_at_us,
        changed_at_us: row.changed_at_us,
        scope: row.scope,
        last_use,
    }
}

/// Keys of the configuration that name a secret, each with its name.
async fn settings(plane: &Plane) -> Vec<(String, String)> {
    let rows = plane.premises.config().await.unwrap_or_default();
    let named = rows.into_iter().filter_map(|row| {
        let secret = row.value.as_str()?.strip_prefix(REFERENCE)?.to_owned();
        Some((row.key, secret))
    });
    named.collect()
}

struct Who<'a>(&'a UsedBy);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            UsedBy::Attempt { attempt, phase, .. } => write!(f, "{attempt} ({phase})"),
            UsedBy::Setting(setting) => write!(f, "{setting}"),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        if let VaultError::Disk { source, .. } = &error {
            tracing::error!(%source, "the vault: {error}");
        }
        Refusal::from(&error).into()
    }
}
