//! Every configuration key. The README's table and `regatta doctor --config` come from here.

use std::num::NonZero;

use regatta_core::event::run::Limits;
use regatta_core::log::open::SEGMENT_BYTES;
use regatta_dispatcher::request::ATTEMPTS_MAX;
use regatta_sandboxes::{daytona, docker, e2b};

use super::key::{Key, Scope, Shape, Value};

/// More attempts at once than any one machine should be asked for.
const CONCURRENT_MAX: u64 = 1_000;

/// A thousandth of a cent, which is what a price is told in here.
pub(crate) const USD_MICROS_PER_MILLICENT: u64 = 10;

macro_rules! keys {
    ($($name:literal $scope:ident $shape:expr, $default:expr, $about:literal;)*) => {
        /// Every configuration key, by name.
        pub(crate) const KEYS: &[Key] = &[$(
            Key { name: $name, scope: Scope::$scope, shape: $shape, default: || $default, about: $about },
        )*];
    };
}

keys! {
    "limits.attempts" Server Shape::Count(1, CONCURRENT_MAX), Value::Count(attempts_default()),
        "attempts that run at once, over all sandboxes";
    "limits.local" Server Shape::Count(1, CONCURRENT_MAX), Value::Unset,
        "attempts that run at once in local sandboxes";
    "limits.host" Server Shape::Count(1, CONCURRENT_MAX), Value::Unset,
        "attempts that run at once without a fence";
    "limits.docker" Server Shape::Count(1, CONCURRENT_MAX), Value::Count(cores().max(2)),
        "attempts that run at once in containers";
    "limits.e2b" Server Shape::Count(1, CONCURRENT_MAX), Value::Unset,
        "attempts that run at once at E2B";
    "limits.daytona" Server Shape::Count(1, CONCURRENT_MAX), Value::Unset,
        "attempts that run at once at Daytona";
    "sandbox.fence" Server Shape::Word(&["auto", "bubblewrap", "landlock"]), Value::Text("auto".to_owned()),
        "how local sandboxes are fenced; auto takes bubblewrap when it works, else Landlock";
    "sandbox.network" Server Shape::Flag, Value::Flag(true),
        "whether local sandboxes may reach the network";
    "sandbox.hide" Server Shape::List, Value::List(Vec::new()),
        "more paths no sandbox may see";
    "sandbox.read" Server Shape::List, Value::List(Vec::new()),
        "more paths every sandbox may read";
    "docker.host" Server Shape::Text, Value::Unset,
        "Docker engine, as unix:///run/docker.sock or tcp://host:2375; DOCKER_HOST, else the socket of this machine";
    "docker.image" Server Shape::Text, Value::Text(docker::IMAGE.to_owned()),
        "image of containers; it needs sh, git and the agents";
    "docker.dockerfile" Server Shape::Folder, Value::Unset,
        "Dockerfile the image is built from instead, once for each content of it; only the file itself is sent, so COPY finds nothing";
    "docker.network" Server Shape::Word(&["none", "internal", "bridge"]), Value::Text("bridge".to_owned()),
        "network of containers: none, one of their own without a way out (internal), or the engine's bridge";
    "docker.read_only" Server Shape::Flag, Value::Flag(false),
        "whether only the sandbox's own folder can be written in a container; it cannot be copied (sandbox fork) then";
    "docker.memory" Server Shape::Size, Value::Unset,
        "memory of one container at most, also where run.memory is more";
    "docker.cpus" Server Shape::Decimal(10, 1_024_000), Value::Unset,
        "processors one container may use, as 1.5; all of them when unset";
    "docker.pids" Server Shape::Count(16, 1 << 22), Value::Count(4_096),
        "processes and threads in one container";
    "docker.runtime" Server Shape::Text, Value::Unset,
        "runtime of containers, as runsc; the engine's own when unset";
    "docker.warm" Server Shape::Flag, Value::Flag(true),
        "whether what a setup command made is kept for a day, for attempts with the same command on the same base commit";
    "e2b.key" Server Shape::Credential, Value::Unset,
        "key of an E2B account, which makes its sandboxes usable: secret:NAME, env:NAME or a file";
    "e2b.url" Server Shape::Text, Value::Text(e2b::API_URL.to_owned()),
        "E2B's API, or that of a server of your own";
    "e2b.sandbox_url" Server Shape::Text, Value::Unset,
        "where all sandboxes of E2B are reached, when not below e2b.domain";
    "e2b.domain" Server Shape::Text, Value::Text(e2b::DOMAIN.to_owned()),
        "domain E2B's sandboxes are reached at";
    "e2b.template" Server Shape::Text, Value::Text(e2b::TEMPLATE.to_owned()),
        "template E2B's sandboxes are made from; it needs perl, tar, find, git and the agents";
    "e2b.ttl" Server Shape::Duration, Value::Ms(ms(e2b::TTL)),
        "how long a sandbox at E2B lives without this server; put off while it is used";
    "e2b.creates_per_second" Server Shape::Decimal(10, 1_000_000), Value::Milli(1_000),
        "sandboxes made at E2B in a second, as the account's plan allows";
    "e2b.cents_per_cpu_hour" Server Shape::Decimal(0, 1_000_000), cents(e2b::PRICE.cpu_usd_micros),
        "what E2B asks for an hour of one processor, in US cents; `sandbox ls` reckons with it";
    "e2b.cents_per_gib_hour" Server Shape::Decimal(0, 1_000_000), cents(e2b::PRICE.gib_usd_micros),
        "the same for one GiB of memory";
    "daytona.key" Server Shape::Credential, Value::Unset,
        "key of a Daytona account, which makes its sandboxes usable: secret:NAME, env:NAME or a file";
    "daytona.url" Server Shape::Text, Value::Text(daytona::API_URL.to_owned()),
        "Daytona's API, or that of a server of your own";
    "daytona.snapshot" Server Shape::Text, Value::Unset,
        "snapshot Daytona's sandboxes are made from; it needs perl, tar, find, git and the agents";
    "daytona.target" Server Shape::Text, Value::Unset,
        "region of Daytona's sandboxes; the account's own when unset";
    "daytona.ttl" Server Shape::Duration, Value::Ms(ms(daytona::TTL)),
        "how long a sandbox at Daytona lives when nothing is done in it";
    "daytona.cents_per_cpu_hour" Server Shape::Decimal(0, 1_000_000), cents(daytona::PRICE.cpu_usd_micros),
        "what Daytona asks for an hour of one processor, in US cents; `sandbox ls` reckons with it";
    "daytona.cents_per_gib_hour" Server Shape::Decimal(0, 1_000_000), cents(daytona::PRICE.gib_usd_micros),
        "the same for one GiB of memory";
    "gateway.attempts" Server Shape::Count(1, CONCURRENT_MAX), Value::Count(4),
        "attempts that run at once at each OpenClaw gateway";
    "gateway.attempts_by" Server Shape::List, Value::List(Vec::new()),
        "the same for single gateways, as ams=8";
    "gateway.session" Server Shape::Word(&["keep", "compact", "reset", "delete"]), Value::Text("keep".to_owned()),
        "what becomes of an attempt's session at its gateway: it stays as it is, summed up or empty, or goes";
    "approvals.escalate_before" Server Shape::Duration, Value::Ms(5 * 60 * 1_000),
        "how long before an agent's question expires the webhook and Slack are told, while nobody has answered it";
    "approvals.webhook" Server Shape::Credential, Value::Unset,
        "where the address is kept that is told by POST, as JSON: secret:NAME, env:NAME or a file";
    "approvals.slack" Server Shape::Credential, Value::Unset,
        "where the address of Slack's incoming webhook is kept: secret:NAME, env:NAME or a file";
    "http.listen" Server Shape::Text, Value::Unset,
        "address of the page and the API; when unset 127.0.0.1:7433, or a free port after it";
    "http.hosts" Server Shape::List, Value::List(Vec::new()),
        "names it may be asked for by, beside localhost and addresses";
    "http.behind_proxy" Server Shape::List, Value::List(Vec::new()),
        "addresses of proxies whose X-Forwarded-* are believed; with one it may listen beyond this machine";
    "http.tls_cert" Server Shape::Text, Value::Unset,
        "file with the certificate chain the page is served under (PEM)";
    "http.tls_key" Server Shape::Text, Value::Unset,
        "file with the key of that certificate (PEM)";
    "http.session_max" Server Shape::Duration, Value::Ms(7 * 24 * 60 * 60 * 1_000),
        "how long a browser stays signed in at most";
    "http.session_idle" Server Shape::Duration, Value::Ms(24 * 60 * 60 * 1_000),
        "how long a browser stays signed in without being used";
    "log.segment" Server Shape::Size, Value::Bytes(SEGMENT_BYTES),
        "size at which a file of the log is full and the next one begins; twice as much must stay free on the disk";
    "log.index_deadline" Server Shape::Duration, Value::Ms(120_000),
        "how long the log's index may take to open before it is taken for hanging, and rebuilt";
    "log.archive" Server Shape::Folder, Value::Unset,
        "folder a backup is made to before anything is removed; best on another disk";
    "log.retain_age" Server Shape::Duration, Value::Unset,
        "how old what is in the log may become, as 90d; for ever when unset";
    "log.retain_bytes" Server Shape::Size, Value::Unset,
        "how much disk the log may take, as 20GiB; what is older is removed, once a backup holds it";
    "log.retain_every" Server Shape::Duration, Value::Ms(60 * 60 * 1_000),
        "how often it is looked for what may be removed";
    "nats.url" Server Shape::Address, Value::Unset,
        "NATS server every event is published to, as nats://host:4222 or nats://user:password@host; none when unset";
    "nats.credentials" Server Shape::Credential, Value::Unset,
        "credentials for it (.creds): a file, env:NAME or secret:NAME";
    "nats.nkey" Server Shape::Credential, Value::Unset,
        "an nkey seed for it: a file, env:NAME or secret:NAME";
    "nats.tls_ca" Server Shape::Text, Value::Unset,
        "file with the certificates of authorities to trust for it";
    "nats.tls_cert" Server Shape::Text, Value::Unset,
        "file with our certificate for it";
    "nats.tls_key" Server Shape::Text, Value::Unset,
        "file with the key of that certificate";
    "witness.file" Server Shape::Text, Value::Unset,
        "file outside the data directory that is told where the log stands; `log verify --witness` compares";
    "witness.nats" Server Shape::Flag, Value::Flag(false),
        "whether the stream REGATTA_WITNESS of nats.url is told, too";
    "witness.every" Server Shape::Duration, Value::Ms(60_000),
        "how often a witness is told, when there are new events";
    "run.attempts" Run Shape::List, Value::List(Vec::new()),
        "who tries: AGENT[:MODEL][@SANDBOX][*COUNT]";
    "run.checks" Run Shape::List, Value::List(Vec::new()),
        "commands whose exit code is evidence: NAME=SHELL or SHELL";
    "run.artifacts" Run Shape::List, Value::List(Vec::new()),
        "files of the workspace kept besides the change, ignored ones too: target/report/**";
    "run.setup" Run Shape::Text, Value::Unset,
        "run in each sandbox before the agent";
    "run.strategy" Run Shape::Word(&["race", "best", "all"]), Value::Text("race".to_owned()),
        "race: first to pass wins; best: smallest that passes; all: you pick";
    "run.uncommitted" Run Shape::Word(&["refuse", "ignore", "include"]), Value::Text("refuse".to_owned()),
        "what to do about changes that are not committed";
    "run.base" Run Shape::Text, Value::Unset,
        "branch, tag or commit to start from; the checked-out commit when unset";
    "run.sandbox" Run Shape::Text, Value::Text("local".to_owned()),
        "sandbox of attempts that name none";
    "run.timeout" Run Shape::Duration, Value::Ms(Limits::default().agent_timeout_ms),
        "time for the agent";
    "run.setup_timeout" Run Shape::Duration, Value::Ms(Limits::default().setup_timeout_ms),
        "time for the setup command";
    "run.check_timeout" Run Shape::Duration, Value::Ms(Limits::default().check_timeout_ms),
        "time for each check";
    "run.memory" Run Shape::Size, Value::Bytes(Limits::default().memory_bytes_max),
        "memory of one attempt, all its processes together";
    "run.processes" Run Shape::Count(1, 1 << 22), Value::Count(u64::from(Limits::default().processes_max)),
        "processes of one attempt at once";
    "run.disk" Run Shape::Size, Value::Bytes(Limits::default().disk_bytes_max),
        "disk one attempt may fill";
    "run.output" Run Shape::Size, Value::Bytes(Limits::default().output_bytes_max),
        "bytes one command may print on each channel";
    "run.starts" Run Shape::Count(1, 10), Value::Count(u64::from(Limits::default().starts_max)),
        "starts of one attempt; only transient failures are tried again";
}

/// Agents mostly wait for their model, so there may be more of them than cores.
fn attempts_default() -> u64 {
    (2 * cores()).clamp(4, ATTEMPTS_MAX as u64)
}

/// Micro-dollars as cents.
fn cents(usd_micros: u64) -> Value {
    Value::Milli(usd_micros / USD_MICROS_PER_MILLICENT)
}

fn ms(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, NonZero::get) as u64
}
