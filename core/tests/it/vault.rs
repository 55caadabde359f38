//! The vault from outside: what it keeps, what it refuses, and what is left when the process is killed.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use regatta_core::event::SecretEvent;
use regatta_core::event::secret::{Scope, UsedBy};
use regatta_core::log::MemoryLog;
use regatta_core::vault::{ExposeSecret as _, KeyKind, NewKey, SECRET_BYTES_MAX, Standing};
use regatta_core::{Actor, Event, Log, ReadMax, SecretName, SecretString, Stream, SystemClock, Vault, VaultError};

/// Where the process that is to be killed keeps its vault.
const DIR: &str = "REGATTA_TEST_VAULT_DIR";
/// How often it is killed.
const KILLS: u32 = 12;

struct Place {
    folder: tempfile::TempDir,
    log: Arc<MemoryLog>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("folder"), log: Arc::new(MemoryLog::default()) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    /// The vault as a start finds it.
    fn vault(&self) -> Vault {
        Vault::of(&self.path(), self.log.clone(), Arc::new(SystemClock)).expect("vault")
    }

    fn events(&self, stream: &Stream) -> Vec<SecretEvent> {
        let read = self.log.read_stream(stream, 1, ReadMax::default()).expect("events");
        let all = read.iter().map(|envelope| {
            let Event::Secret(event) = envelope.event().expect("event") else { panic!("{envelope:?}") };
            event
        });
        all.collect()
    }
}

fn name(text: &str) -> SecretName {
    text.parse().expect("name")
}

fn ada() -> Actor {
    Actor::user("ada")
}

fn everywhere() -> Option<Scope> {
    Some(Scope { everywhere: true, ..Scope::default() })
}

async fn value(vault: &Vault, secret: &str) -> Result<String, VaultError> {
    let by = UsedBy::Setting("tests".to_owned());
    let given = vault.give(&[name(secret)], "/home/ada/parser", by).await?;
    Ok(given.iter().map(|value| value.expose_secret().to_owned()).collect())
}

#[tokio::test]
async fn what_is_set_is_there_after_a_start_and_every_step_is_a_fact_without_the_value() {
    let place = Place::new();
    let vault = place.vault();
    assert_eq!(vault.standing().await.expect("standing"), Standing::Empty);
    assert!(!place.path().exists(), "nothing is made before it is needed");
    vault.set(&name("openai"), "canary-1".into(), everywhere(), &ada()).await.expect("set");
    vault.set(&name("openai"), "canary-2".into(), None, &ada()).await.expect("set");
    let again = place.vault();
    assert_eq!(value(&again, "openai").await.expect("given"), "canary-2");
    again.remove(&name("openai"), &ada()).await.expect("removed");
    assert!(matches!(value(&again, "openai").await, Err(VaultError::NotThere(_))));
    let facts = format!("{:?}{:?}", place.events(&Stream::secrets()), place.events(&Stream::secret_uses()));
    assert!(!facts.contains("canary") && facts.matches("openai").count() == 4, "{facts}");
    let file = fs::read_to_string(place.path().join("secrets")).expect("file");
    assert!(!file.contains("canary"));
}

#[tokio::test]
async fn a_secret_is_given_only_where_it_is_allowed() {
    let place = Place::new();
    let vault = place.vault();
    vault.set(&name("openai"), "canary".into(), None, &ada()).await.expect("set");
    let refused = value(&vault, "openai").await.expect_err("nobody yet");
    assert!(refused.hint().contains("secret allow openai --repository /home/ada/parser"), "{}", refused.hint());
    let more = Scope { repositories: ["/home/ada/parser".to_owned()].into(), ..Scope::default() };
    vault.allow(&name("openai"), more, &ada()).await.expect("allowed");
    assert_eq!(value(&vault, "openai").await.expect("given"), "canary");
    assert!(matches!(vault.check(&name("openai"), "/elsewhere").await, Err(VaultError::NotAllowed { .. })));
    assert!(matches!(place.events(&Stream::secret_uses())[..], [SecretEvent::Used(_)]), "a refusal is no use");
}

#[tokio::test]
async fn a_value_is_text_that_a_variable_can_hold() {
    let vault = Place::new().vault();
    for wrong in [String::new(), "a\0b".to_owned(), "a".repeat(SECRET_BYTES_MAX + 1)] {
        let refused = vault.set(&name("a"), SecretString::from(wrong), None, &ada()).await;
        assert!(matches!(refused, Err(VaultError::Value(_))), "{refused:?}");
    }
    for wrong in ["", "-a", "a b", "a/b", "\u{e4}"] {
        assert!(matches!(wrong.parse::<SecretName>(), Err(VaultError::Name(_))), "{wrong}");
    }
}

#[tokio::test]
async fn everything_is_for_its_owner_alone_and_a_key_others_can_read_is_refused() {
    let place = Place::new();
    place.vault().set(&name("openai"), "canary".into(), everywhere(), &ada()).await.expect("set");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&place.path()), 0o700);
    assert_eq!((mode(&place.path().join("key")), mode(&place.path().join("secrets"))), (0o600, 0o600));
    let names: Vec<_> =
        fs::read_dir(place.path()).expect("folder").map(|entry| entry.expect("entry").file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    fs::set_permissions(place.path().join("key"), Permissions::from_mode(0o640)).expect("mode");
    let vault = place.vault();
    let refused = value(&vault, "openai").await.expect_err("refused");
    assert!(refused.to_string().contains("mode 640") && refused.hint().contains("chmod 600"), "{refused}");
    fs::set_permissions(place.path().join("key"), Permissions::from_mode(0o600)).expect("mode");
    assert_eq!(value(&vault, "openai").await.expect("given without a new start"), "canary");
}

#[tokio::test]
async fn a_vault_that_is_not_what_was_written_is_never_empty() {
    let place = Place::new();
    let vault = place.vault();
    vault.set(&name("openai"), "canary".into(), everywhere(), &ada()).await.expect("set");
    let (file, key) = (place.path().join("secrets"), place.path().join("key"));
    let (first, good_key) = (fs::read(&file).expect("file"), fs::read(&key).expect("key"));
    vault.set(&name("openai"), "another".into(), None, &ada()).await.expect("set");
    let good = fs::read(&file).expect("file");
    let said = async |says: &str| {
        let refused = place.vault().standing().await.expect_err(says);
        assert!(refused.to_string().contains(says), "{says:?} is not in {refused}");
        let set = place.vault().set(&name("b"), "value".into(), None, &ada()).await;
        assert!(set.is_err(), "nothing is written over it");
    };
    fs::write(&file, &good[..good.len() - 9]).expect("written");
    said("is damaged at line 3: it ends in the middle").await;
    fs::write(&file, "").expect("written");
    said("is damaged at line 1: the file ends too early").await;
    fs::write(&file, &first).expect("written");
    said("is older than what was recorded").await;
    fs::remove_file(&file).expect("removed");
    said("the vault's file is missing").await;
    fs::write(&file, &good).expect("written");
    fs::remove_file(&key).expect("removed");
    said("the vault's key is missing").await;
    fs::write(&key, [b"A".repeat(43), b"=\n".to_vec()].concat()).expect("written");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("mode");
    said("does not open the vault").await;
    fs::write(&key, good_key).expect("written");
    assert_eq!(value(&place.vault(), "openai").await.expect("given"), "another");
    fs::write(&file, "").expect("written");
    let vault = place.vault();
    let aside = vault.reset(&ada()).await.expect("reset").expect("there was one");
    assert!(aside.join("key").exists());
    vault.set(&name("b"), "value".into(), None, &ada()).await.expect("set");
    assert_eq!(place.vault().rows().await.expect("rows").len(), 1);
}

#[tokio::test]
async fn a_passphrase_takes_the_key_files_place_and_gives_it_back() {
    let place = Place::new();
    let vault = place.vault();
    vault.set(&name("openai"), "canary".into(), everywhere(), &ada()).await.expect("set");
    assert_eq!(vault.rotate(NewKey::Passphrase("correct horse".into()), &ada()).await.expect("rotated"), 1);
    assert!(!place.path().join("key").exists());
    assert_eq!(value(&vault, "openai").await.expect("given"), "canary");
    let again = place.vault();
    assert_eq!(again.standing().await.expect("standing"), Standing::Locked);
    assert_eq!(again.rows().await.expect("names are no secret").len(), 1);
    assert!(matches!(value(&again, "openai").await, Err(VaultError::Locked)));
    let wrong = again.unlock("wrong horse".into()).await.expect_err("wrong");
    assert_eq!(wrong.to_string(), "that passphrase does not open the vault");
    again.unlock("correct horse".into()).await.expect("unlocked");
    assert_eq!(value(&again, "openai").await.expect("given"), "canary");
    again.rotate(NewKey::File, &ada()).await.expect("rotated");
    let last = place.vault();
    assert!(matches!(last.standing().await.expect("standing"), Standing::Open { key: KeyKind::File, .. }));
    assert_eq!(value(&last, "openai").await.expect("given"), "canary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_set_at_once_none_is_lost() {
    let place = Place::new();
    let vault = place.vault();
    let set = |n: u32| {
        let vault = vault.clone();
        tokio::spawn(async move {
            let value = SecretString::from(format!("value-{n}"));
            vault.set(&name(&format!("s{n}")), value, everywhere(), &ada()).await.expect("set");
        })
    };
    for task in (0..20).map(set).collect::<Vec<_>>() {
        task.await.expect("set");
    }
    let again = place.vault();
    for n in 0..20 {
        assert_eq!(value(&again, &format!("s{n}")).await.expect("given"), format!("value-{n}"));
    }
}

#[tokio::test]
async fn whoever_changes_a_secret_and_hangs_up_leaves_it_changed_and_told() {
    let place = Place::new();
    let vault = place.vault();
    let name = name("openai");
    let by = ada();
    {
        let mut setting = Box::pin(vault.set(&name, "canary".into(), everywhere(), &by));
        tokio::select! {
            biased;
            set = &mut setting => panic!("it takes a moment: {set:?}"),
            () = std::future::ready(()) => {}
        }
    }
    let told = async {
        while place.events(&Stream::secrets()).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), told).await.expect("it is told");
    assert!(matches!(&place.events(&Stream::secrets())[..], [SecretEvent::Set(set)] if set.secret == "openai"));
    assert_eq!(value(&place.vault(), "openai").await.expect("given"), "canary");
}

/// What the killed process does: sets and rotates for ever, and says what was acknowledged. In the process of the tests
/// itself there is nothing to do.
#[tokio::test]
async fn a_process_sets_and_rotates_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let log = Arc::new(MemoryLog::default());
    let vault = Vault::of(Path::new(&dir), log, Arc::new(SystemClock)).expect("vault");
    for n in 0_u64.. {
        let count = SecretString::from(n.to_string());
        vault.set(&name("count"), count, everywhere(), &ada()).await.expect("set");
        writeln!(std::io::stdout(), "ack {n}").expect("said");
        if n % 2 == 0 {
            vault.rotate(NewKey::File, &ada()).await.expect("rotated");
        }
    }
}

fn spawn(dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "vault::a_process_sets_and_rotates_until_it_is_killed", "--nocapture", "--test-threads=1"]);
    child.env(DIR, dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started")
}

#[tokio::test]
async fn killed_at_any_moment_what_was_acknowledged_is_there() {
    for kill in 1..=KILLS {
        let place = Place::new();
        let mut child = spawn(&place.path());
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut acknowledged: Option<u32> = None;
        while acknowledged.is_none_or(|n| n < kill * 3) {
            let line = lines.next().expect("it goes on").expect("a line");
            acknowledged = line.split("ack ").nth(1).and_then(|n| n.parse().ok()).or(acknowledged);
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        let acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.split("ack ").nth(1)?.parse().ok())
            .last()
            .or(acknowledged)
            .expect("acknowledged");
        let found: u32 = value(&place.vault(), "count").await.expect("opens").parse().expect("a number");
        assert!(found == acknowledged || found == acknowledged + 1, "{found} after {acknowledged}");
        place.vault().set(&name("count"), "more".into(), None, &ada()).await.expect("goes on");
    }
}
