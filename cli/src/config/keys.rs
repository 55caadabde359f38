//! Every configuration key. The README's table and `regatta doctor --config` come from here.

use std::num::NonZero;

use regatta_core::event::run::Limits;
use regatta_core::log::open::SEGMENT_BYTES;
use regatta_dispatcher::request::ATTEMPTS_MAX;

use super::key::{Key, Scope, Shape, Value};

/// More attempts at once than any one machine should be asked for.
const CONCURRENT_MAX: u64 = 1_000;

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
    "sandbox.fence" Server Shape::Word(&["auto", "bubblewrap", "landlock"]), Value::Text("auto".to_owned()),
        "how local sandboxes are fenced; auto takes bubblewrap when it works, else Landlock";
    "sandbox.network" Server Shape::Flag, Value::Flag(true),
        "whether local sandboxes may reach the network";
    "sandbox.hide" Server Shape::List, Value::List(Vec::new()),
        "more paths no sandbox may see";
    "sandbox.read" Server Shape::List, Value::List(Vec::new()),
        "more paths every sandbox may read";
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
    "log.archive" Server Shape::Text, Value::Unset,
        "folder a backup is made to before anything is removed; best on another disk";
    "log.retain_age" Server Shape::Duration, Value::Unset,
        "how old what is in the log may become, as 90d; for ever when unset";
    "log.retain_bytes" Server Shape::Size, Value::Unset,
        "how much disk the log may take, as 20GiB; what is older is removed, once a backup holds it";
    "log.retain_every" Server Shape::Duration, Value::Ms(60 * 60 * 1_000),
        "how often it is looked for what may be removed";
    "nats.url" Server Shape::Address, Value::Unset,
        "NATS server every event is published to, as nats://host:4222; none when unset";
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
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get) as u64;
    (2 * cores).clamp(4, ATTEMPTS_MAX as u64)
}
