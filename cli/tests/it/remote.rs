//! The command line against a server at an address: what opens it, what does not, and that no token shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::install::{Done, Install, can_race};
use crate::sign_in::{text, up};

/// Somewhere else: another data directory, and a file with a token.
struct Elsewhere<'a> {
    install: &'a Install,
    url: String,
    token_file: PathBuf,
}

impl Elsewhere<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.install.command(&["--server", &self.url]);
        command.args(arguments).env("REGATTA_DATA_DIR", self.install.folder().join("none")).env("REGATTA_USER", "eve");
        command
    }

    fn bare(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().expect("regatta"))
    }

    fn regatta(&self, arguments: &[&str]) -> Done {
        let file = self.token_file.to_str().expect("path");
        self.bare(&[&["--token-file", file], arguments].concat())
    }

    /// Another token from now on.
    fn with(&self, token: &str) {
        fs::write(&self.token_file, format!("{token}\n")).expect("token");
    }
}

fn elsewhere<'a>(install: &'a Install, told: &serde_json::Value) -> Elsewhere<'a> {
    let token_file = install.folder().join("token");
    let elsewhere = Elsewhere { install, url: text(told, "url").to_owned(), token_file };
    elsewhere.with(text(told, "admin_token"));
    elsewhere
}

#[test]
fn a_run_is_asked_for_watched_and_picked_from_elsewhere() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let there = elsewhere(&install, &up(&install, &[]));
    let repository = install.repository();
    let repository = repository.to_str().expect("path");
    let asked = ["run", "change it", "--repo", repository, "-a", "command=echo changed >> file", "--strategy", "all"];
    let run = there.regatta(&asked).exits(0).out.trim().to_owned();
    there.regatta(&["watch", &run]).exits(1);
    assert!(there.regatta(&["ls"]).exits(0).out.contains(&run));
    assert!(there.regatta(&["show", &run]).exits(0).out.contains("user:ana"), "who asked is who the token is of");
    there.regatta(&["compare", &run]).exits(0);
    there.regatta(&["pick", &run, "a"]).exits(0);
    there.regatta(&["watch", &run]).exits(0);
    there.regatta(&["run", "x", "-a", "command=true"]).exits(2).says("as it is on the server's machine");
    let by_variable = there
        .command(&["ls"])
        .env("REGATTA_TOKEN", fs::read_to_string(&there.token_file).expect("token"))
        .output()
        .expect("regatta");
    assert!(by_variable.status.success());
}

#[test]
fn what_does_not_open_a_server_is_said_with_what_to_do() {
    let install = Install::new();
    let there = elsewhere(&install, &up(&install, &[]));
    there.bare(&["ls"]).exits(2).says("there is no token").says("--token-file");
    let good = fs::read_to_string(&there.token_file).expect("token");
    let wrong = good.trim().replace(|c: char| c.is_ascii_digit(), "0");
    there.with(&wrong);
    let said = there.regatta(&["ls"]).exits(3).says("opens nothing").says("regatta token create");
    assert!(!said.err.contains(wrong.rsplit('_').next().expect("secret")), "{}", said.err);
    install.regatta(&["user", "add", "ben", "--role", "viewer"]).exits(0);
    there.with(&install.regatta(&["token", "create", "--user", "ben"]).exits(0).out);
    there.regatta(&["ls"]).exits(0);
    there.regatta(&["user", "rm", "ben"]).exits(3).says("this takes admin");
    there.regatta(&["up"]).exits(2).says("is about this machine");
    there.regatta(&["log", "verify"]).exits(2).says("is about this machine");
    let far =
        Elsewhere { install: &install, url: "http://regatta.example".into(), token_file: there.token_file.clone() };
    far.regatta(&["ls"]).exits(2).says("without TLS the token could be read");
    install.regatta(&["down"]).exits(0);
    there.regatta(&["ls"]).exits(4).says("failed to reach 127.0.0.1").says("is a server running there");
}

/// An authority, and a certificate of it for this machine; the paths of all three files.
fn certificates(folder: &Path) -> [String; 3] {
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("key");
    let authority = params.self_signed(&key).expect("authority");
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).expect("params").signed_by(&key, &issuer).expect("certificate");
    [("ca.pem", authority.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())].map(
        |(name, pem)| {
            let path = folder.join(name);
            fs::write(&path, pem).expect(name);
            path.to_str().expect("path").to_owned()
        },
    )
}

#[test]
fn over_tls_a_server_proves_who_it_is() {
    let install = Install::new();
    let [authority, certificate, key] = certificates(install.folder());
    let there = elsewhere(&install, &up(&install, &["--tls-cert", &certificate, "--tls-key", &key]));
    assert!(there.url.starts_with("https://127.0.0.1:"), "{}", there.url);
    there.regatta(&["--server-ca", &authority, "ls"]).exits(0);
    there.regatta(&["ls"]).exits(4).says("does not prove that it is 127.0.0.1").says("--server-ca");
    there.regatta(&["--server-ca", "/none", "ls"]).exits(2).says("/none cannot be read");
    let plain = there.url.replace("https", "http");
    let plain = Elsewhere { install: &install, url: plain, token_file: there.token_file.clone() };
    plain.regatta(&["ls"]).exits(4).says("hung up");
}
