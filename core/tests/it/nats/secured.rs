//! Servers that let only those in who can prove who they are: TLS with an authority of our own, certificates of
//! clients, nkeys, credentials of an operator. Whoever is turned away is told why, and no secret is in what is told.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa};
use regatta_core::bus::nats::Server;
use regatta_core::vault::Credential;

use super::server::Nats;
use super::{append, holds_exactly, relay, run};
use crate::given;

/// Publishes and reads back through a server that lets us in.
fn is_let_in(server: &Server) {
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 500).await;
        let mut relaying = relay(&log, server);
        relaying.catches_up(&log).await;
        relaying.stop().await;
        holds_exactly(server, &log).await;
    });
}

/// Is turned away, and told so without any of these secrets.
fn is_turned_away(server: &Server, says: &[&str], secrets: &[&str]) {
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 1).await;
        let mut relaying = relay(&log, server);
        let state = relaying.until(|state| state.last_error.is_some()).await;
        relaying.stop().await;
        let told = state.last_error.unwrap_or_default();
        assert!(!state.connected && says.iter().any(|says| told.to_lowercase().contains(says)), "{told}");
        assert!(secrets.iter().all(|secret| !told.contains(secret)), "{told}");
    });
}

fn write(path: PathBuf, text: &str) -> PathBuf {
    fs::write(&path, text).expect("written");
    path
}

/// An authority, and certificates it gives for this machine, in files.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().expect("key")).expect("signed");
        Self { folder: tempfile::tempdir().expect("folder"), issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn authority(&self) -> PathBuf {
        write(self.path("authority.pem"), &self.issuer.pem())
    }

    /// A certificate and its key.
    fn identity(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("names");
        params.extended_key_usages = vec![usage];
        let key = rcgen::KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let certificate = write(self.path(&format!("{name}.pem")), &certificate.pem());
        (certificate, write(self.path(&format!("{name}.key")), &key.serialize_pem()))
    }

    /// A server with a certificate of ours, which may want one of its clients.
    fn server(&self, verifies: bool) -> Option<Nats> {
        let (certificate, key) = self.identity("server", ExtendedKeyUsagePurpose::ServerAuth);
        let mut arguments = vec!["--tls", "--tlscert", text(&certificate), "--tlskey", text(&key)];
        let authority = self.authority();
        if verifies {
            arguments.extend(["--tlsverify", "--tlscacert", text(&authority)]);
        }
        Nats::start_with(&arguments)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn tls(nats: &Nats) -> Server {
    let url = nats.server().url.replace("nats://127.0.0.1", "tls://localhost");
    Server { url, ..Server::default() }
}

#[test]
fn a_server_with_a_certificate_of_an_authority_that_is_named_is_trusted_and_no_other() {
    let authority = Authority::new();
    let Some(nats) = authority.server(false) else { return };
    is_let_in(&Server { tls_ca: Some(authority.authority()), ..tls(&nats) });
    is_turned_away(&tls(&nats), &["certificate", "tls"], &[]);
    let another = Authority::new();
    is_turned_away(&Server { tls_ca: Some(another.authority()), ..tls(&nats) }, &["certificate", "tls"], &[]);
}

#[test]
fn a_server_that_wants_certificates_of_its_clients_gets_ours() {
    let authority = Authority::new();
    let Some(nats) = authority.server(true) else { return };
    let identity = authority.identity("client", ExtendedKeyUsagePurpose::ClientAuth);
    let secret = fs::read_to_string(&identity.1).expect("key");
    let without = Server { tls_ca: Some(authority.authority()), ..tls(&nats) };
    is_turned_away(&without, &["certificate", "tls", "connection", "broken"], &[]);
    let with = Server { tls_identity: Some(identity), ..without };
    is_let_in(&with);
    // What is told when it is gone has nothing of the key.
    drop(nats);
    is_turned_away(&with, &["connect"], &secret.lines().collect::<Vec<_>>());
}

#[test]
fn a_server_that_knows_nkeys_lets_the_right_one_in() {
    let folder = tempfile::tempdir().expect("folder");
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_user());
    let config = format!("authorization {{ users = [ {{ nkey: {} }} ] }}", user.public_key());
    let config = write(folder.path().join("nats.conf"), &config);
    let Some(nats) = Nats::start_with(&["-c", text(&config)]) else { return };
    let seed = |pair: &KeyPair| pair.seed().expect("seed");
    let with = |name: &str, pair: &KeyPair| {
        let file = write(folder.path().join(name), &format!("# a key\n{}\n", seed(pair)));
        Server { nkey: Some(Credential::File(file)), ..nats.server() }
    };
    is_let_in(&with("user.nk", &user));
    is_turned_away(&with("stranger.nk", &stranger), &["authorization"], &[&seed(&stranger)]);
    is_turned_away(&nats.server(), &["authorization"], &[]);
    let empty = write(folder.path().join("empty.nk"), "nothing\n");
    is_turned_away(&Server { nkey: Some(Credential::File(empty)), ..nats.server() }, &["it holds no nkey seed"], &[]);
}

/// A token as an operator's tools write them.
fn token(subject: &str, issuer: &KeyPair, nats: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&serde_json::json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let body = part(&serde_json::json!({
        "jti": "test", "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject, "name": "test", "nats": nats,
    }));
    let signed = format!("{head}.{body}");
    let signature = issuer.sign(signed.as_bytes()).expect("signed");
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// An account; the system's own may keep no streams.
fn account(subject: &KeyPair, operator: &KeyPair, storage: i32) -> String {
    let limits = serde_json::json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": storage, "disk_storage": storage, "streams": -1, "consumer": -1,
    });
    let nats = serde_json::json!({ "limits": limits, "type": "account", "version": 2 });
    token(&subject.public_key(), operator, &nats)
}

/// What a `.creds` file holds: who it is, and the seed that proves it.
fn credentials(user: &KeyPair, account: &KeyPair) -> String {
    let nats = serde_json::json!({
        "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2,
    });
    format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        token(&user.public_key(), account, &nats),
        user.seed().expect("seed"),
    )
}

#[test]
fn a_server_of_an_operator_lets_credentials_of_its_accounts_in() {
    let folder = tempfile::tempdir().expect("folder");
    let (operator, system, ours) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let claims = serde_json::json!({
        "type": "operator", "version": 2, "system_account": system.public_key(),
    });
    let operator_token = write(folder.path().join("op.jwt"), &token(&operator.public_key(), &operator, &claims));
    let config = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n {}: {}\n {}: {}\n}}\n",
        text(&operator_token),
        system.public_key(),
        system.public_key(),
        account(&system, &operator, 0),
        ours.public_key(),
        account(&ours, &operator, -1),
    );
    let config = write(folder.path().join("nats.conf"), &config);
    let Some(nats) = Nats::start_with(&["-c", text(&config)]) else { return };
    let with = |name: &str, credentials: &str| {
        let file = write(folder.path().join(name), credentials);
        Server { credentials: Some(Credential::File(file)), ..nats.server() }
    };
    let user = KeyPair::new_user();
    is_let_in(&with("user.creds", &credentials(&user, &ours)));
    let (user, nobody) = (KeyPair::new_user(), KeyPair::new_account());
    let foreign = with("foreign.creds", &credentials(&user, &nobody));
    is_turned_away(&foreign, &["authorization"], &[&user.seed().expect("seed")]);
    is_turned_away(&nats.server(), &["authorization"], &[]);
    is_turned_away(&with("empty.creds", "nothing\n"), &["it holds no credentials"], &[]);
}

#[test]
fn a_user_and_a_password_in_the_address_open_the_way_and_are_shown_nowhere() {
    let folder = tempfile::tempdir().expect("folder");
    let users = "authorization { users: [ { user: ana, password: \"p@ss:canary/7f3a\" } ] }\n";
    let config = write(folder.path().join("nats.conf"), users);
    let Some(nats) = Nats::start_with(&["-c", config.to_str().expect("path")]) else { return };
    let host = nats.server().url.replace("nats://", "");
    let server = |login: &str| Server { url: format!("nats://{login}@{host}"), ..Server::default() };
    for login in ["ana:p@ss:canary/7f3a", "ana:p%40ss%3Acanary%2F7f3a"] {
        is_let_in(&server(login));
        assert!(!format!("{:?}", server(login)).contains("canary"));
    }
    is_turned_away(&server("ana:canary-1"), &["authorization"], &["canary"]);
    is_turned_away(&nats.server(), &["authorization"], &["canary"]);
}

#[test]
fn a_token_in_the_address_opens_the_way() {
    let folder = tempfile::tempdir().expect("folder");
    let config = write(folder.path().join("nats.conf"), "authorization { token: \"canary-7f3a\" }\n");
    let Some(nats) = Nats::start_with(&["-c", config.to_str().expect("path")]) else { return };
    let url = nats.server().url.replace("nats://", "nats://canary-7f3a@");
    is_let_in(&Server { url, ..Server::default() });
}
