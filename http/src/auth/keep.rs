//! Users and tokens, as admins keep them.

use regatta_core::event::user::Role;
use regatta_dispatcher::{CommandKey, Refusal};

use super::accounts::{By, Command};
use super::{Auth, Identity, Via};
use crate::requests::{TokenRow, UserRow};

impl Identity {
    pub(crate) fn by(&self) -> By<'_> {
        By { user: &self.name, is_owner: self.via == Via::Socket }
    }
}

impl Auth {
    /// Everybody, by name.
    pub(crate) fn users(&self) -> Vec<UserRow> {
        self.accounts().users().iter().map(|(name, role)| UserRow { name: name.clone(), role: *role }).collect()
    }

    /// Every token, the newest first.
    pub(crate) fn tokens(&self) -> Vec<TokenRow> {
        let mut rows: Vec<TokenRow> = self
            .accounts()
            .tokens()
            .iter()
            .map(|(id, token)| TokenRow {
                id: id.clone(),
                name: token.name.clone(),
                user: token.user.clone(),
                role: token.role,
                created_at_us: token.created_at_us,
                expires_at_us: token.expires_at_us,
                last_used_at_us: self.last_used_at_us(id, token),
                revoked_at_us: token.revoked_at_us,
            })
            .collect();
        rows.sort_by(|a, b| (b.created_at_us, &b.id).cmp(&(a.created_at_us, &a.id)));
        rows
    }

    pub(crate) async fn revoke(&self, by: By<'_>, token: String) -> Result<(), Refusal> {
        self.give(by, Command::RevokeToken { token }).await
    }

    pub(crate) async fn add_user(
        &self,
        by: By<'_>,
        key: Option<CommandKey>,
        user: String,
        role: Role,
    ) -> Result<(), Refusal> {
        self.give_once(by, key, Command::AddUser { user, role }).await.map(drop)
    }

    pub(crate) async fn change_role(&self, by: By<'_>, user: String, role: Role) -> Result<(), Refusal> {
        self.give(by, Command::ChangeRole { user, role }).await
    }

    pub(crate) async fn remove_user(&self, by: By<'_>, user: String) -> Result<(), Refusal> {
        self.give(by, Command::RemoveUser { user }).await
    }
}
