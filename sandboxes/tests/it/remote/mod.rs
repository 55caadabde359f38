//! Sandboxes of vendors: their fakes, what recorded traffic and the vendors' own clients say of them, and bad days.

mod bad_days;
mod sdk;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;
use regatta_sandbox_fakes::daytona::{FakeDaytona, Options as DaytonaOptions};
use regatta_sandbox_fakes::e2b::{FakeE2b, Options as E2bOptions};
use regatta_sandbox_fakes::{Program, inside};
use regatta_sandboxes::{DaytonaProvider, E2bProvider, KeySource, Provider, daytona, e2b};
use secrecy::SecretString;

use crate::place::Kind;

/// Where a place says how its fake is reached: an address, then a key.
const ADDRESS: &str = "rented";

/// In a process of its own this is what runs in a fake sandbox.
#[test]
fn the_inside_of_a_sandbox() {
    inside::serve_if_asked();
}

pub(crate) fn program() -> Program {
    Program::this_test("remote::the_inside_of_a_sandbox")
}

/// A fake that runs as long as its place is there.
#[derive(Clone)]
pub(crate) enum Rented {
    E2b(FakeE2b),
    Daytona(FakeDaytona),
}

impl Rented {
    /// `None`, and said so, when it cannot run here.
    pub(crate) async fn start(folder: &Path, kind: Kind) -> Option<Self> {
        if std::process::Command::new("bwrap").args(["--ro-bind", "/", "/", "true"]).status().is_err() {
            assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "bubblewrap is missing");
            eprintln!("skipped: {kind:?}: a fake needs bubblewrap");
            return None;
        }
        let (rented, url, key) = match kind {
            Kind::Daytona => {
                let options = DaytonaOptions::default();
                let key = options.key.clone();
                let fake = FakeDaytona::start(program(), options).await;
                (Self::Daytona(fake.clone()), fake.url, key)
            }
            Kind::Here(_) | Kind::Docker | Kind::E2b => {
                let options = E2bOptions::default();
                let key = options.key.clone();
                let fake = FakeE2b::start(program(), options).await;
                (Self::E2b(fake.clone()), fake.url, key)
            }
        };
        fs::write(folder.join(ADDRESS), format!("{url}\n{key}")).unwrap();
        Some(rented)
    }

    /// The keys of the sandboxes that are there.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Self::E2b(fake) => fake.labels("regatta-key"),
            Self::Daytona(fake) => fake.labels("regatta-key"),
        }
    }
}

pub(crate) fn key(text: &str) -> KeySource {
    let key = SecretString::from(text.to_owned());
    Arc::new(move || std::future::ready(Ok(key.clone())).boxed())
}

/// What an account without limits at that address is used with.
pub(crate) fn e2b_options(url: &str, account: &str) -> e2b::Options {
    e2b::Options {
        api_url: url.to_owned(),
        sandbox_url: Some(url.to_owned()),
        creates_per_second: None,
        ..e2b::Options::new(key(account))
    }
}

pub(crate) fn provider(folder: &Path, kind: Kind) -> Arc<dyn Provider> {
    let text = fs::read_to_string(folder.join(ADDRESS)).unwrap();
    let (url, account) = text.split_once('\n').unwrap();
    match kind {
        Kind::Daytona => {
            let options = daytona::Options { api_url: url.to_owned(), ..daytona::Options::new(key(account)) };
            Arc::new(DaytonaProvider::new(options).unwrap())
        }
        Kind::Here(_) | Kind::Docker | Kind::E2b => Arc::new(E2bProvider::new(e2b_options(url, account)).unwrap()),
    }
}
