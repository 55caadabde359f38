//! Given facts, a wish, then facts or a refusal.

use regatta_core::event::user::{Means, Role, SignedOutReason, UserEvent};

use super::{Accounts, By, Command, SESSIONS_PER_USER_MAX};
use crate::auth::secret::Hash;

const NOW: u64 = 1_000;
const OWNER: By<'static> = By { user: "ada", is_owner: true };
const ADMIN: By<'static> = By { user: "root", is_owner: false };

fn hash() -> Hash {
    Hash::from_hex(&"ab".repeat(32))
}

fn add(user: &str, role: Role) -> Command {
    Command::AddUser { user: user.to_owned(), role }
}

fn issue(token: &str, user: &str, role: Option<Role>, expires_at_us: Option<u64>) -> Command {
    let (token, name, user) = (token.to_owned(), "n".to_owned(), user.to_owned());
    Command::IssueToken { token, name, user, role, hash: hash(), expires_at_us }
}

fn sign_in(session: &str, user: &str, means: Means, replaces: Option<&str>) -> Command {
    Command::SignIn {
        session: session.to_owned(),
        hash: hash(),
        user: user.to_owned(),
        role: Role::Admin,
        means,
        source: "127.0.0.1".to_owned(),
        expires_at_us: 9_000,
        replaces: replaces.map(str::to_owned),
    }
}

fn sign_out(session: &str) -> Command {
    Command::SignOut { session: session.to_owned(), reason: SignedOutReason::Asked }
}

fn revoke(token: &str) -> Command {
    Command::RevokeToken { token: token.to_owned() }
}

fn remove(user: &str) -> Command {
    Command::RemoveUser { user: user.to_owned() }
}

/// Facts in short.
fn short(event: &UserEvent) -> String {
    match event {
        UserEvent::Added(fact) => format!("added {} {}", fact.user, fact.role),
        UserEvent::RoleChanged(fact) => format!("role {} {}>{}", fact.user, fact.from, fact.to),
        UserEvent::Removed(fact) => format!("removed {}", fact.user),
        UserEvent::TokenIssued(fact) => format!("issued {} {} {}", fact.token, fact.user, fact.role),
        UserEvent::TokenRevoked(fact) => format!("revoked {}", fact.token),
        UserEvent::TokenExpired(fact) => format!("expired {}", fact.token),
        UserEvent::TokenUsed(fact) => format!("used {} {}", fact.token, fact.source),
        UserEvent::SignedIn(fact) => format!("in {} {}", fact.session, fact.user),
        UserEvent::SignedOut(fact) => format!("out {}", fact.session),
        UserEvent::Refused(_) => "refused".to_owned(),
        UserEvent::Restated(_) => "restated".to_owned(),
    }
}

fn role(user: &str, role: Role) -> Command {
    Command::ChangeRole { user: user.to_owned(), role }
}

fn given(commands: Vec<Command>) -> Accounts {
    let mut accounts = Accounts::default();
    for (place, command) in (0..).zip(commands) {
        let events = accounts.decide(OWNER, command, NOW).expect("what is given is legal");
        events.iter().for_each(|event| accounts.evolve(event, NOW + place));
    }
    accounts
}

fn check(commands: Vec<Command>, by: By<'_>, when: Command, then: Result<&[&str], &str>) {
    let decided = given(commands).decide(by, when, NOW);
    let decided = decided.map(|events| events.iter().map(short).collect::<Vec<_>>()).map_err(|refusal| refusal.message);
    match (decided, then) {
        (Ok(events), Ok(expected)) => assert_eq!(events, expected),
        (Err(message), Err(says)) => assert!(message.contains(says), "{says:?} is not in {message:?}"),
        (decided, then) => panic!("{decided:?} is not {then:?}"),
    }
}

#[test]
fn the_owner_is_added_by_the_first_thing_made_for_them_and_nobody_else_is() {
    check(vec![], OWNER, issue("t", "ada", None, None), Ok(&["added ada admin", "issued t ada admin"]));
    check(vec![], OWNER, sign_in("s", "ada", Means::Link, None), Ok(&["added ada admin", "in s ada"]));
    check(vec![], OWNER, issue("t", "bob", None, None), Err("no user \"bob\""));
    check(vec![], ADMIN, issue("t", "root", None, None), Err("no user \"root\""));
}

#[test]
fn a_user_is_added_once_under_a_name_that_is_safe_to_show() {
    check(vec![], OWNER, add("bob@example", Role::Viewer), Ok(&["added bob@example viewer"]));
    check(vec![add("bob", Role::Viewer)], OWNER, add("bob", Role::Admin), Err("a user bob already"));
    for name in ["", " a", "\u{1b}[2J", "../x/..%", &"x".repeat(65)] {
        check(vec![], OWNER, add(name, Role::Viewer), Err("cannot be a user's name"));
    }
}

#[test]
fn a_token_is_never_worth_more_than_its_user() {
    let bob = || vec![add("bob", Role::Operator)];
    check(bob(), ADMIN, issue("t", "bob", None, None), Ok(&["issued t bob operator"]));
    check(bob(), ADMIN, issue("t", "bob", Some(Role::Viewer), None), Ok(&["issued t bob viewer"]));
    check(bob(), ADMIN, issue("t", "bob", Some(Role::Approver), None), Err("cannot be approver"));
    check(bob(), ADMIN, issue("t", "bob", None, Some(NOW)), Err("expired already"));
    let demote = role("bob", Role::Viewer);
    let accounts = given(vec![add("bob", Role::Operator), issue("t", "bob", None, None), demote]);
    assert_eq!(accounts.role("bob", accounts.tokens()["t"].role), Some(Role::Viewer));
}

#[test]
fn what_a_token_opened_closes_with_it() {
    let signed = || vec![issue("t", "ada", None, None), sign_in("s", "ada", Means::Token("t".to_owned()), None)];
    assert_eq!(given(signed()).sessions().len(), 1);
    for end in [revoke("t"), remove("ada")] {
        let accounts = given(signed().into_iter().chain([end]).collect());
        assert_eq!((accounts.sessions().len(), accounts.tokens()["t"].is_good(NOW)), (0, false));
    }
    check(vec![issue("t", "ada", None, None), revoke("t")], OWNER, revoke("t"), Ok(&[]));
    check(vec![], OWNER, revoke("t"), Err("no token \"t\""));
}

#[test]
fn an_expired_token_is_noted_once() {
    let note = || Command::NoteExpired { token: "t".to_owned() };
    let mut accounts = given(vec![issue("t", "ada", None, Some(NOW + 1))]);
    assert_eq!(accounts.decide(ADMIN, note(), NOW).expect("decided").len(), 0);
    let noted = accounts.decide(ADMIN, note(), NOW + 1).expect("decided");
    assert_eq!(noted.iter().map(short).collect::<Vec<_>>(), ["expired t"]);
    noted.iter().for_each(|event| accounts.evolve(event, NOW + 1));
    assert_eq!(accounts.decide(ADMIN, note(), NOW + 2).expect("decided").len(), 0);
}

#[test]
fn signing_in_again_ends_the_session_before_and_the_oldest_makes_room() {
    let first = || vec![sign_in("s1", "ada", Means::Link, None)];
    check(first(), OWNER, sign_in("s2", "ada", Means::Link, Some("s1")), Ok(&["out s1", "in s2 ada"]));
    check(first(), OWNER, sign_out("s1"), Ok(&["out s1"]));
    check(first(), OWNER, sign_out("s9"), Ok(&[]));
    let full = (0..SESSIONS_PER_USER_MAX).map(|n| sign_in(&format!("s{n}"), "ada", Means::Link, None)).collect();
    check(full, OWNER, sign_in("more", "ada", Means::Link, None), Ok(&["out s0", "in more ada"]));
}

#[test]
fn everything_said_again_is_the_same_and_stands_for_all_before() {
    let accounts = given(vec![
        add("bob", Role::Operator),
        issue("t", "bob", Some(Role::Viewer), Some(NOW + 1)),
        issue("u", "ada", None, None),
        sign_in("s", "ada", Means::Token("u".to_owned()), None),
        sign_in("l", "bob", Means::Link, None),
        revoke("t"),
        Command::NoteExpired { token: "u".to_owned() },
    ]);
    let restated = UserEvent::Restated(accounts.restated());
    let others = [Accounts::default(), given(vec![add("eve", Role::Admin), issue("e", "eve", None, None)])];
    for mut other in others {
        other.evolve(&restated, NOW + 5);
        assert_eq!(other, accounts);
    }
}

#[test]
fn the_only_admin_stays_one_unless_the_owner_says_otherwise() {
    let ben = By { user: "ben", is_owner: false };
    let only = || vec![add("ben", Role::Admin), add("cleo", Role::Viewer)];
    let two = || vec![add("ben", Role::Admin), add("cleo", Role::Admin)];
    check(only(), ben, remove("ben"), Err("the only admin is ben"));
    check(only(), ben, role("ben", Role::Viewer), Err("the only admin is ben"));
    check(only(), ben, remove("cleo"), Ok(&["removed cleo"]));
    check(two(), ben, remove("ben"), Ok(&["removed ben"]));
    check(two(), ben, role("cleo", Role::Viewer), Ok(&["role cleo admin>viewer"]));
    check(only(), OWNER, remove("ben"), Ok(&["removed ben"]));
}
