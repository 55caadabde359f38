//! What may become of users, tokens and sessions: a wish and a state become facts or a refusal. Pure.

use regatta_core::event::user::{
    Added, Means, NAME_CHARS_MAX, Removed, Role, RoleChanged, SignedIn, SignedOut, SignedOutReason, TokenExpired,
    TokenIssued, TokenRevoked, TokenUsed, UserEvent,
};
use regatta_dispatcher::{Refusal, RefusalKind};

use super::{Accounts, SESSIONS_MAX, SESSIONS_PER_USER_MAX, TOKENS_MAX, USERS_MAX};
use crate::auth::secret::Hash;

/// Who wishes something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) user: &'a str,
    /// Whether it is the person the server runs as, at the socket.
    pub(crate) is_owner: bool,
}

/// A wish about users, tokens and sessions. Whether the caller's role allows it is asked before, by the route.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    AddUser {
        user: String,
        role: Role,
    },
    ChangeRole {
        user: String,
        role: Role,
    },
    RemoveUser {
        user: String,
    },
    IssueToken {
        token: String,
        name: String,
        user: String,
        role: Option<Role>,
        hash: Hash,
        expires_at_us: Option<u64>,
    },
    RevokeToken {
        token: String,
    },
    NoteExpired {
        token: String,
    },
    NoteUsed {
        token: String,
        source: String,
    },
    SignIn {
        session: String,
        hash: Hash,
        user: String,
        role: Role,
        means: Means,
        source: String,
        expires_at_us: u64,
        replaces: Option<String>,
    },
    SignOut {
        session: String,
        reason: SignedOutReason,
    },
}

impl Accounts {
    /// Decides about a wish.
    pub(crate) fn decide(&self, by: By<'_>, command: Command, now_us: u64) -> Result<Vec<UserEvent>, Refusal> {
        match command {
            Command::AddUser { user, role } => self.add_user(user, role),
            Command::ChangeRole { user, role } => self.change_role(by, user, role),
            Command::RemoveUser { user } => {
                self.known(&user)?;
                self.leaves_an_admin(by, &user)?;
                Ok(vec![UserEvent::Removed(Removed { user })])
            }
            Command::IssueToken { token, name, user, role, hash, expires_at_us } => {
                let issued = Issue { token, name, user, role, hash, expires_at_us };
                self.issue(by, issued, now_us)
            }
            Command::RevokeToken { token } => match self.tokens.get(&token) {
                None => Err(no_token(&token)),
                // Revoking twice is what was wanted.
                Some(found) if found.revoked_at_us.is_some() => Ok(Vec::new()),
                Some(_) => Ok(vec![UserEvent::TokenRevoked(TokenRevoked { token })]),
            },
            Command::NoteExpired { token } => {
                let is_news =
                    self.tokens.get(&token).is_some_and(|found| found.is_past(now_us) && !found.is_known_expired);
                Ok(is_news.then_some(UserEvent::TokenExpired(TokenExpired { token })).into_iter().collect())
            }
            Command::NoteUsed { token, source } => {
                let is_news = self.tokens.get(&token).is_some_and(|found| found.is_use_news(now_us));
                Ok(is_news.then_some(UserEvent::TokenUsed(TokenUsed { token, source })).into_iter().collect())
            }
            Command::SignIn { session, hash, user, role, means, source, expires_at_us, replaces } => {
                let signed = SignedIn { session, user, role, means, hash: hash.to_hex(), source, expires_at_us };
                self.sign_in(by, signed, replaces)
            }
            Command::SignOut { session, reason } => Ok(self.sign_out(&session, reason).into_iter().collect()),
        }
    }

    fn add_user(&self, user: String, role: Role) -> Result<Vec<UserEvent>, Refusal> {
        check_name(&user)?;
        if self.users.contains_key(&user) {
            return Err(Refusal::new(RefusalKind::WrongState, format!("there is a user {user} already"))
                .hint(format!("to change what they may do: regatta user role {user} ROLE")));
        }
        if self.users.len() >= USERS_MAX {
            return Err(Refusal::new(RefusalKind::Busy, format!("there are {USERS_MAX} users, which is the most"))
                .hint("remove some: regatta user rm NAME"));
        }
        Ok(vec![UserEvent::Added(Added { user, role })])
    }

    fn change_role(&self, by: By<'_>, user: String, to: Role) -> Result<Vec<UserEvent>, Refusal> {
        let from = self.known(&user)?;
        if from == to {
            return Ok(Vec::new());
        }
        self.leaves_an_admin(by, &user)?;
        Ok(vec![UserEvent::RoleChanged(RoleChanged { user, from, to })])
    }

    /// Whoever is the only admin stays it, so that nobody locks all of them out by a slip; the owner has another door.
    fn leaves_an_admin(&self, by: By<'_>, user: &str) -> Result<(), Refusal> {
        let mut admins = self.users.iter().filter(|(_, role)| **role == Role::Admin).map(|(name, _)| name);
        if by.is_owner || admins.next().map(String::as_str) != Some(user) || admins.next().is_some() {
            return Ok(());
        }
        Err(Refusal::new(RefusalKind::WrongState, format!("the only admin is {user}"))
            .hint("make somebody else admin first: regatta user role NAME admin"))
    }

    fn known(&self, user: &str) -> Result<Role, Refusal> {
        let missing = || {
            Refusal::new(RefusalKind::NotFound, format!("there is no user {user:?}"))
                .hint("`regatta user ls` lists them; `regatta user add NAME` adds one")
        };
        self.users.get(user).copied().ok_or_else(missing)
    }

    /// The owner need not be added by anybody: the first thing made for them adds them.
    fn known_or_owner(&self, by: By<'_>, user: &str) -> Result<(Role, Option<UserEvent>), Refusal> {
        if by.is_owner && by.user == user && !self.users.contains_key(user) {
            let added = self.add_user(user.to_owned(), Role::Admin)?;
            return Ok((Role::Admin, added.into_iter().next()));
        }
        Ok((self.known(user)?, None))
    }

    fn issue(&self, by: By<'_>, wish: Issue, now_us: u64) -> Result<Vec<UserEvent>, Refusal> {
        let Issue { token, name, user, role, hash, expires_at_us } = wish;
        check_text("a token's name", &name)?;
        let (own, added) = self.known_or_owner(by, &user)?;
        let role = role.unwrap_or(own);
        if role > own {
            return Err(Refusal::new(
                RefusalKind::Invalid,
                format!("a token of {user}, who is {own}, cannot be {role}"),
            )
            .hint(format!("ask for {own} at most, or: regatta user role {user} {role}")));
        }
        if expires_at_us.is_some_and(|at_us| at_us <= now_us) {
            return Err(Refusal::new(RefusalKind::Invalid, "the token would have expired already"));
        }
        if self.tokens.values().filter(|found| found.is_good(now_us)).count() >= TOKENS_MAX {
            return Err(Refusal::new(RefusalKind::Busy, format!("there are {TOKENS_MAX} tokens, which is the most"))
                .hint("revoke some: regatta token revoke ID"));
        }
        if self.tokens.contains_key(&token) {
            return Err(Refusal::new(RefusalKind::Busy, "that name is taken").hint("try again"));
        }
        let issued = TokenIssued { token, name, user, role, hash: hash.to_hex(), expires_at_us };
        Ok(added.into_iter().chain([UserEvent::TokenIssued(issued)]).collect())
    }

    fn sign_in(&self, by: By<'_>, signed: SignedIn, replaces: Option<String>) -> Result<Vec<UserEvent>, Refusal> {
        let (_, added) = self.known_or_owner(by, &signed.user)?;
        if self.sessions.contains_key(&signed.session) {
            return Err(Refusal::new(RefusalKind::Busy, "that name is taken").hint("try again"));
        }
        let mut ended: Vec<UserEvent> = replaces
            .and_then(|session| self.sign_out(&session, SignedOutReason::Replaced))
            .into_iter()
            .chain(self.oldest(SESSIONS_PER_USER_MAX, Some(&signed.user)))
            .chain(self.oldest(SESSIONS_MAX, None))
            .collect();
        ended.dedup();
        Ok(added.into_iter().chain(ended).chain([UserEvent::SignedIn(signed)]).collect())
    }

    /// The end of the oldest session, when there are as many as there may be.
    fn oldest(&self, max: usize, user: Option<&str>) -> Option<UserEvent> {
        let sessions = || self.sessions.iter().filter(|(_, session)| user.is_none_or(|user| session.user == user));
        if sessions().count() < max {
            return None;
        }
        let (oldest, _) = sessions().min_by_key(|(_, session)| session.created_at_us)?;
        self.sign_out(oldest, SignedOutReason::Replaced)
    }

    fn sign_out(&self, session: &str, reason: SignedOutReason) -> Option<UserEvent> {
        let user = self.sessions.get(session)?.user.clone();
        Some(UserEvent::SignedOut(SignedOut { session: session.to_owned(), user, reason }))
    }
}

struct Issue {
    token: String,
    name: String,
    user: String,
    role: Option<Role>,
    hash: Hash,
    expires_at_us: Option<u64>,
}

fn no_token(token: &str) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("there is no token {token:?}"))
        .hint("`regatta token ls` lists them; give the ID of one")
}

/// A name that is safe wherever it is shown, typed or put into a path.
fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_alphanumeric() || "._-@ ".contains(c);
    let begins_well = name.starts_with(char::is_alphanumeric);
    if begins_well && name.chars().count() <= NAME_CHARS_MAX && name.chars().all(fits) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
    Err(Refusal::new(RefusalKind::Invalid, format!("this cannot be a user's name: {shown:?}"))
        .hint(format!("1 to {NAME_CHARS_MAX} letters, digits, spaces and . _ - @, a letter or digit first")))
}

fn check_text(what: &str, text: &str) -> Result<(), Refusal> {
    let count = text.chars().count();
    if (1..=NAME_CHARS_MAX).contains(&count) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::Invalid,
        format!("{what} has 1 to {NAME_CHARS_MAX} characters, none of them control characters"),
    ))
}
