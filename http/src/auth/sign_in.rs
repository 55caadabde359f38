//! Signing in and out, and making what one signs in with.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use regatta_core::event::user::{Means, Role, SignedOutReason};
use regatta_dispatcher::{CommandKey, Refusal, RefusalKind};

use super::accounts::{By, Command, Session, Token};
use super::identity::{Credential, Identity, Place, Via};
use super::refusals::Reason;
use super::secret::{self, Drawn, Shown, Use};
use super::{Auth, Given, cookie};

/// A token just made: the only time its secret is told.
#[derive(Debug)]
pub struct Made {
    /// Its public name.
    pub id: String,
    /// The secret, to be given to whoever asked.
    pub secret: String,
}

/// The token somebody wishes for.
pub(crate) struct TokenWish {
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) role: Option<Role>,
    pub(crate) expires_at_us: Option<u64>,
}

/// Why somebody is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Nothing was shown.
    Nothing,
    /// What was shown opens nothing.
    Wrong,
    /// The session's time is over.
    Over,
    /// They are not listened to, for so many seconds.
    LockedOut(u64),
}

/// What a session begins on.
struct Ground {
    /// At most this role.
    role: Role,
    means: Means,
    /// Whether it is the person the server runs as.
    is_owner: bool,
}

/// A session that just began.
pub(crate) struct Begun {
    pub(crate) identity: Identity,
    pub(crate) cookie: String,
}

impl Auth {
    pub(crate) fn cookie_name(&self, place: &Place) -> String {
        cookie::name(&self.0.options.install, place.is_secure)
    }

    /// Who shows these headers.
    pub(crate) async fn identify(&self, place: &Place, headers: &HeaderMap) -> Result<Identity, Unknown> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let shown = value.to_str().ok().and_then(bearer).and_then(|text| secret::read(Use::Token, text));
            return self.by_token(place, shown).await.map(|(id, name, role)| Identity {
                name: name.into(),
                role,
                via: Via::Token,
                credential: Credential::Token(id),
            });
        }
        let Some(value) = cookie::read(headers, &self.cookie_name(place)) else { return Err(Unknown::Nothing) };
        self.by_session(place, secret::read(Use::Session, value)).await
    }

    /// The token somebody shows: its name, its user, and what it allows.
    async fn by_token(&self, place: &Place, shown: Option<Shown>) -> Result<(String, String, Role), Unknown> {
        let Some(shown) = shown else { return Err(self.wrong(place)) };
        let now_us = self.now_us();
        let found = {
            let accounts = self.accounts();
            let token = accounts.tokens().get(&shown.id).filter(|token| token.hash == shown.hash);
            token.map(|token| {
                let role = accounts.role(&token.user, token.role).filter(|_| token.is_good(now_us));
                let id = || shown.id.clone();
                let news = match role {
                    Some(_) if token.is_use_news(now_us) => {
                        Some(Command::NoteUsed { token: id(), source: place.address.to_string() })
                    }
                    None if token.is_past(now_us) && !token.is_known_expired => {
                        Some(Command::NoteExpired { token: id() })
                    }
                    Some(_) | None => None,
                };
                (token.user.clone(), role, news)
            })
        };
        let Some((user, role, news)) = found else { return Err(self.wrong(place)) };
        if let Some(news) = news {
            // Not to have noted it, as on a full disk, changes nothing for whoever shows it.
            self.give(By { user: &user, is_owner: false }, news).await.ok();
        }
        let Some(role) = role else { return Err(self.wrong(place)) };
        self.used().insert(shown.id.clone(), now_us);
        Ok((shown.id, user, role))
    }

    async fn by_session(&self, place: &Place, shown: Option<Shown>) -> Result<Identity, Unknown> {
        let Some(shown) = shown else { return Err(self.wrong(place)) };
        let now_us = self.now_us();
        let found = {
            let accounts = self.accounts();
            let session = accounts.sessions().get(&shown.id).filter(|session| session.hash == shown.hash);
            session.map(|session| {
                let over = self.over(&shown.id, session, now_us);
                (session.user.clone(), accounts.role(&session.user, session.role), over)
            })
        };
        match found {
            Some((user, Some(role), None)) => {
                self.used().insert(shown.id.clone(), now_us);
                Ok(Identity { name: user.into(), role, via: Via::Session, credential: Credential::Session(shown.id) })
            }
            Some((user, _, Some(reason))) => {
                let command = Command::SignOut { session: shown.id, reason };
                self.give(By { user: &user, is_owner: false }, command).await.ok();
                Err(Unknown::Over)
            }
            // A session that ended is what a browser shows that was away for long: nobody guesses here.
            Some((_, None, None)) | None => Err(Unknown::Over),
        }
    }

    /// Why a session does not hold any more.
    fn over(&self, id: &str, session: &Session, now_us: u64) -> Option<SignedOutReason> {
        if session.expires_at_us <= now_us {
            return Some(SignedOutReason::Expired);
        }
        (self.idle_at_us(id, session) <= now_us).then_some(SignedOutReason::Idle)
    }

    /// When a session will have been idle for too long, when it is not used before.
    fn idle_at_us(&self, id: &str, session: &Session) -> u64 {
        // What was used before a restart is not known; it counts as used then.
        let used_at_us = self.used().get(id).copied().unwrap_or(0).max(session.created_at_us).max(self.0.began_at_us);
        used_at_us.saturating_add(self.0.options.session_idle_ms.saturating_mul(1_000))
    }

    /// When a session ends by itself, when it is not used before.
    pub(crate) fn ends_at_us(&self, id: &str, session: &Session) -> u64 {
        session.expires_at_us.min(self.idle_at_us(id, session))
    }

    pub(crate) fn is_session_good(&self, id: &str, session: &Session, now_us: u64) -> bool {
        self.over(id, session, now_us).is_none()
    }

    /// A wrong credential was shown.
    fn wrong(&self, place: &Place) -> Unknown {
        let now_us = self.now_us();
        let locked_s = {
            let mut guesses = self.guesses();
            let locked_s = guesses.locked_s(place.address.into(), now_us);
            // Guesses while locked out are not counted: the lock ends when its time is over, whatever comes.
            if locked_s.is_none() {
                guesses.wrong(place.address.into(), now_us);
            }
            locked_s
        };
        let reason = if locked_s.is_some() { Reason::LockedOut } else { Reason::Credential };
        self.refused(reason, place.address);
        locked_s.map_or(Unknown::Wrong, Unknown::LockedOut)
    }

    pub(crate) fn refused(&self, reason: Reason, source: IpAddr) {
        self.0.refusals.note(reason, source);
    }

    /// Begins a session with a token.
    pub(crate) async fn sign_in(
        &self,
        place: &Place,
        headers: &HeaderMap,
        token: &str,
    ) -> Result<Result<Begun, Refusal>, Unknown> {
        let (id, user, role) = self.by_token(place, secret::read(Use::Token, token.trim())).await?;
        Ok(self.begin(place, headers, user, Ground { role, means: Means::Token(id), is_owner: false }).await)
    }

    /// Begins a session with a one-time link; nothing when the link opens nothing.
    pub(crate) async fn sign_in_by_link(
        &self,
        place: &Place,
        headers: &HeaderMap,
        key: &str,
    ) -> Option<Result<Begun, Refusal>> {
        let shown = secret::read(Use::Link, key);
        let made = shown.and_then(|shown| self.links().take(&shown, self.now_us()));
        let Some((user, ground)) = made.and_then(|(user, maker)| Some((user, self.ground(maker)?))) else {
            self.refused(Reason::Link, place.address);
            return None;
        };
        Some(self.begin(place, headers, user, ground).await)
    }

    /// What a link allows whose maker was known by that: no more than that does now, and for no longer. Nothing when it
    /// opens nothing any more.
    fn ground(&self, maker: Credential) -> Option<Ground> {
        let now_us = self.now_us();
        let accounts = self.accounts();
        let (role, means, is_owner) = match maker {
            Credential::Socket => (Role::Admin, Means::Link, true),
            Credential::Token(id) => {
                let token = accounts.tokens().get(&id).filter(|token| token.is_good(now_us))?;
                (accounts.role(&token.user, token.role)?, Means::Token(id), false)
            }
            Credential::Session(id) => {
                let session = accounts.sessions().get(&id)?;
                self.over(&id, session, now_us).is_none().then_some(())?;
                (accounts.role(&session.user, session.role)?, session.means.clone(), false)
            }
        };
        Some(Ground { role, means, is_owner })
    }

    async fn begin(
        &self,
        place: &Place,
        headers: &HeaderMap,
        user: String,
        Ground { role, means, is_owner }: Ground,
    ) -> Result<Begun, Refusal> {
        // Always a fresh secret: one that was there before, wherever it came from, opens nothing new.
        let drawn = draw(Use::Session)?;
        let max_ms = self.0.options.session_max_ms;
        let id = drawn.id.clone();
        let last_us = self.now_us() + max_ms.saturating_mul(1_000);
        // What begins with a token ends with it.
        let expires_at_us = match &means {
            Means::Token(token) => self
                .accounts()
                .tokens()
                .get(token)
                .and_then(|token| token.expires_at_us)
                .unwrap_or(last_us)
                .min(last_us),
            Means::Link => last_us,
        };
        let command = Command::SignIn {
            session: id.clone(),
            hash: drawn.hash,
            user: user.clone(),
            role,
            means,
            source: place.address.to_string(),
            expires_at_us,
            replaces: self.shown_session(place, headers),
        };
        // Who shows a link that was made at the socket stands for the owner.
        let by = By { user: &user, is_owner };
        self.give(by, command).await?;
        self.used().insert(id.clone(), self.now_us());
        let role = self.accounts().role(&user, role).unwrap_or(Role::Viewer);
        let cookie = cookie::set(&self.cookie_name(place), &drawn.into_text(), max_ms / 1_000, place.is_secure);
        let identity = Identity { name: user.into(), role, via: Via::Session, credential: Credential::Session(id) };
        Ok(Begun { identity, cookie })
    }

    /// The session whose cookie is shown, when it is one.
    fn shown_session(&self, place: &Place, headers: &HeaderMap) -> Option<String> {
        let shown = secret::read(Use::Session, cookie::read(headers, &self.cookie_name(place))?)?;
        let accounts = self.accounts();
        accounts.sessions().get(&shown.id).filter(|session| session.hash == shown.hash).map(|_| shown.id)
    }

    /// Ends the caller's session, when they have one; how the cookie is taken away.
    pub(crate) async fn sign_out(&self, place: &Place, identity: &Identity) -> Result<String, Refusal> {
        if let Credential::Session(session) = &identity.credential {
            let command = Command::SignOut { session: session.clone(), reason: SignedOutReason::Asked };
            self.give(By { user: &identity.name, is_owner: false }, command).await?;
        }
        Ok(cookie::clear(&self.cookie_name(place), place.is_secure))
    }

    /// Makes a one-time link's key for the owner.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn make_link(&self, owner: &str) -> Result<String, Refusal> {
        self.link(owner, Credential::Socket)
    }

    /// Makes a one-time link's key for whoever asks.
    pub(crate) fn link_for(&self, identity: &Identity) -> Result<String, Refusal> {
        self.link(&identity.name, identity.credential.clone())
    }

    fn link(&self, user: &str, maker: Credential) -> Result<String, Refusal> {
        let drawn = draw(Use::Link)?;
        self.links().add(drawn.id.clone(), drawn.hash, (user.to_owned(), maker), self.now_us());
        Ok(drawn.into_text())
    }

    /// Makes a token.
    pub(crate) async fn issue(&self, by: By<'_>, key: Option<CommandKey>, wish: TokenWish) -> Result<Made, Refusal> {
        let TokenWish { name, user, role, expires_at_us } = wish;
        let drawn = draw(Use::Token)?;
        let (id, hash) = (drawn.id.clone(), drawn.hash);
        let command = Command::IssueToken { token: id.clone(), name, user, role, hash, expires_at_us };
        match self.give_once(by, key, command).await? {
            Given::Now => Ok(Made { id, secret: drawn.into_text() }),
            Given::Before => Err(told_once()),
        }
    }

    /// Makes the first admin token, when no token was ever made; for the person the server runs as.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn first_token(&self, owner: &str) -> Result<Option<Made>, Refusal> {
        if !self.accounts().tokens().is_empty() {
            return Ok(None);
        }
        let by = By { user: owner, is_owner: true };
        let wish = TokenWish {
            name: "first start".to_owned(),
            user: owner.to_owned(),
            role: Some(Role::Admin),
            expires_at_us: None,
        };
        self.issue(by, None, wish).await.map(Some)
    }

    /// When a token was used last: as it is remembered since the start, or as it was told before.
    pub(crate) fn last_used_at_us(&self, id: &str, token: &Token) -> Option<u64> {
        self.used().get(id).copied().max(token.used_at_us)
    }
}

/// The first answer held a secret, which is kept nowhere.
fn told_once() -> Refusal {
    let message = "this idempotency key made a token before, and a token is told only once";
    Refusal::new(RefusalKind::WrongState, message)
        .hint("revoke that token, and make another one with a new key; `regatta token ls` lists them")
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn draw(purpose: Use) -> Result<Drawn, Refusal> {
    secret::draw(purpose)
        .map_err(|error| Refusal::new(RefusalKind::Unusable, format!("the machine has no randomness to give: {error}")))
}
