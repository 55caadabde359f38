//! Gateways that work as they are told, and the provider that has seats at them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::log::MemoryLog;
use regatta_core::{Actor, GatewayName, SystemClock, Vault};
use regatta_federation::{Gateways, LinkState, Wanted};
use regatta_gateway_fake::House;
use regatta_sandboxes::{
    Bounds, Created, Ended, Error, Exec, LocalProvider, Provider as _, Secrets, Spec, Status, Stdio, Wish, local,
};
use regatta_sessions::{After, Caps, GatewayProvider, Options};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The agent's command.
const TURN: &str = "agent";

pub(crate) struct World {
    pub(crate) provider: GatewayProvider,
    pub(crate) gateways: Gateways,
    folder: tempfile::TempDir,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) async fn new(houses: &[(&str, &House)], after: After) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let (log, clock, stop) = (Arc::new(MemoryLog::default()), Arc::new(SystemClock), CancellationToken::new());
        let vault = Vault::of(&folder.path().join("vault"), log.clone(), clock.clone()).expect("a vault");
        let gateways = Gateways::open(log.clone(), vault, clock.clone()).expect("gateways");
        tokio::spawn(gateways.clone().run(stop.clone()));
        for (name, house) in houses {
            let name: GatewayName = name.parse().expect("a name");
            let wanted = Wanted { name, url: house.url.clone(), allow_plain: false, secret: None };
            let now = gateways.add(wanted, &Actor::user("ana")).await.expect("added");
            assert_eq!(now.state, LinkState::Connected, "{now:?}");
        }
        std::fs::create_dir(folder.path().join("seed")).expect("a seed");
        let none = local::Fence::None;
        let root = folder.path().join("workspaces");
        let workspaces =
            local::Options { root, runner: PathBuf::from("/bin/false"), fence: none, hide: vec![], read: vec![] };
        let workspaces = Arc::new(LocalProvider::host(workspaces).expect("workspaces"));
        let caps = Caps { each: 2, by_gateway: BTreeMap::new() };
        let quiet = Duration::from_millis(100);
        let options = Options { root: folder.path().join("sessions"), caps, after, quiet };
        let provider = GatewayProvider::open(options, workspaces, gateways.clone(), (log, clock)).await.expect("open");
        Self { provider, gateways, folder, stop }
    }

    /// A seat for a slot, where it is wished.
    pub(crate) async fn seat(&self, slot: &str, place: Option<&str>, agent: Option<&str>) -> Result<Created, Error> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let spec = Spec {
            key: key(slot),
            owner: "tests".to_owned(),
            seed: self.folder.path().join("seed"),
            read_only: vec![],
            inbox: vec![],
            home_links: vec![],
            network: true,
            bounds: Bounds { memory_bytes_max: 1 << 30, processes_max: 200, disk_bytes_max: 1 << 30 },
            wish: Wish { place: own(place), model: own(agent) },
            term: regatta_sandboxes::Term::default(),
            warm: None,
        };
        self.provider.create(&spec).await
    }

    /// Begins the turn of a slot's agent.
    pub(crate) async fn begin(&self, slot: &str, prompt: &str, timeout_ms: u64) {
        let file = self.folder.path().join(format!("{slot}.md"));
        std::fs::write(&file, prompt).expect("written");
        let env =
            [(regatta_agents::openclaw::AGENT, String::new()), ("REGATTA_PROMPT_FILE", file.display().to_string())];
        let exec = Exec {
            name: TURN.to_owned(),
            argv: vec!["/bin/false".to_owned()],
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            env_pass: vec![],
            secrets: Secrets::default(),
            timeout_ms,
            output_bytes_max: 1 << 20,
        };
        self.provider.start(&key(slot), &exec).await.expect("begun");
    }

    pub(crate) async fn ended(&self, slot: &str) -> Ended {
        let ended = async {
            loop {
                match self.provider.status(&key(slot), TURN).await.expect("a status") {
                    Status::Ended(ended) => return ended,
                    Status::NotStarted | Status::Running => self.provider.changed(&key(slot), TURN).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("it ends")
    }

    pub(crate) async fn kill(&self, slot: &str) {
        self.provider.kill(&key(slot), TURN, 1_000).await.expect("killed");
    }

    /// What it printed, in few words a line.
    pub(crate) async fn told(&self, slot: &str) -> Vec<String> {
        let out = self.provider.read(&key(slot), TURN, Stdio::Out, 0, 1 << 20).await.expect("read");
        let out = String::from_utf8(out).expect("text");
        out.lines().map(|line| words(&serde_json::from_str(line).expect("JSON"))).collect()
    }

    pub(crate) async fn workspace(&self, slot: &str) -> PathBuf {
        PathBuf::from(self.provider.find(&key(slot)).await.expect("found").workspace)
    }
}

pub(crate) fn key(slot: &str) -> String {
    format!("regatta-i1234567-7q2k9x0m-{slot}-1")
}

pub(crate) fn session(slot: &str) -> String {
    format!("agent:main:regatta-7q2k9x0m-{slot}")
}

fn words(line: &Value) -> String {
    let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("/event").as_str() {
        "regatta.session" => format!("{} at {}", text("/session"), text("/gateway")),
        "regatta.problem" => text("/text"),
        "session.message" => format!("says {}", text("/message/content/0/text")),
        "agent" => format!("{} {}", text("/stream"), text("/data/phase")),
        event => format!("{event} {}{}", text("/state"), text("/deltaText")),
    }
}

/// Waits until something is so; what is waited for happens in other tasks.
pub(crate) async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let looking = async {
        while !look() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{what}: it does not happen"));
}
