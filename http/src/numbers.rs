//! Numbers for Prometheus, and the two questions orchestrators ask: is it alive, is it ready. What is counted elsewhere
//! is kept by the recorder; what stands in the views and the log is read when somebody asks.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use regatta_core::{Clock as _, SystemClock};
use regatta_projections::Views;
use regatta_projections::gateways::GatewayState;
use regatta_projections::runs::{AttemptCounts, RunFilter, RunState};

use crate::Plane;
use crate::around::describe_requests;

/// Views this far behind the log still count as ready: they are that far behind whenever much happens at once.
const VIEWS_BEHIND_MAX: u64 = 10_000;
/// How often what the histograms hold is drained when nobody asks.
const UPKEEP: Duration = Duration::from_secs(30);
/// Upper ends of the buckets of every histogram, in seconds.
const BUCKETS_S: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What each number that is read here says. One that is not in this list has no line that explains it.
const GAUGES: [(&str, &str); 19] = [
    ("regatta_info", "1, with the version of the server."),
    ("regatta_log_head", "The last position of the log."),
    ("regatta_log_faults", "Places of the log found damaged since the start."),
    ("regatta_views_seq", "The last position that runs, attempts and the other views hold."),
    ("regatta_live_clients", "Open event streams and WebSockets."),
    ("regatta_relay_lag_events", "Events of the log that are not in NATS yet."),
    ("regatta_relay_missing_events", "Published events that the stream in NATS has lost and will not get again."),
    ("regatta_relay_foreign_messages", "Messages in the stream in NATS that are no events of this log."),
    ("regatta_relay_connected", "Whether NATS is connected: 1 or 0."),
    (
        "regatta_witnesses_failing",
        "Witnesses that could not be told where the log stands, or heard something else of it.",
    ),
    ("regatta_sandboxes_alive", "Sandboxes that exist."),
    ("regatta_sandboxes_intended", "Sandboxes about to be made."),
    ("regatta_sandbox_leaks", "Sandboxes that outlived their right to exist; there should be 0."),
    ("regatta_attempts_waiting", "Attempts that wait for their turn."),
    ("regatta_gateways", "OpenClaw gateways of this installation."),
    ("regatta_gateways_connected", "Gateways that are connected now."),
    ("regatta_approvals_open", "Questions of agents that wait for an answer."),
    ("regatta_runs", "Runs, by state."),
    ("regatta_attempts", "Attempts, by state."),
];

/// `/metrics`, `/healthz` and `/readyz`, at the root.
pub(crate) fn routes(plane: Plane) -> Router {
    drain(plane.clone());
    Router::new()
        .route("/metrics", get(numbers))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(plane)
}

/// The one recorder of the process. Whatever is counted anywhere in it arrives here.
fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS_S);
        let installed = builder.map_err(|error| error.to_string()).and_then(|builder| {
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).map(|()| handle).map_err(|error| error.to_string())
        });
        describe();
        installed.inspect_err(|error| tracing::error!(error, "nothing is counted")).ok()
    };
    HANDLE.get_or_init(install).as_ref()
}

/// Tells the recorder what every number says.
fn describe() {
    for (name, about) in GAUGES {
        describe_gauge!(name, about);
    }
    describe_requests();
}

/// Histograms keep every value until somebody drains them.
fn drain(plane: Plane) {
    let Some(handle) = recorder() else { return };
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                _ = tick.tick() => handle.run_upkeep(),
                () = plane.stop.cancelled() => return,
            }
        }
    });
}

async fn numbers(State(plane): State<Plane>) -> impl IntoResponse {
    let Some(handle) = recorder() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "nothing is counted; see the server's own output\n").into_response();
    };
    gauge!("regatta_info", "version" => plane.about.version).set(1);
    set("regatta_log_head", plane.log.head().0);
    set("regatta_views_seq", plane.live.seq().0);
    set("regatta_live_clients", plane.live_clients.seated() as u64);
    if let Some(relay) = &plane.relay {
        let state = relay.borrow().clone();
        set("regatta_relay_lag_events", plane.log.head().0.saturating_sub(state.published.0));
        set("regatta_relay_missing_events", state.missing);
        set("regatta_relay_foreign_messages", state.foreign);
        set("regatta_relay_connected", u64::from(state.connected));
    }
    if let Some(told) = &plane.witnesses {
        set(
            "regatta_witnesses_failing",
            told.borrow().iter().filter(|state| state.failed.is_some() || state.contradicted.is_some()).count() as u64,
        );
    }
    if let Some(scrubbed) = &plane.scrubbed {
        set("regatta_log_faults", scrubbed.borrow().faults.len() as u64);
    }
    plane.live.read(|views| of_views(views, SystemClock.now_us()));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response()
}

fn set(name: &'static str, value: u64) {
    gauge!(name).set(float(value));
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; what it counts stays far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

fn of_views(views: &Views, now_us: u64) {
    let totals = views.fleet(now_us).totals;
    set("regatta_sandboxes_alive", totals.alive);
    set("regatta_sandboxes_intended", totals.intended);
    set("regatta_sandbox_leaks", totals.leaks);
    set("regatta_attempts_waiting", totals.waiting);
    let gateways = views.gateways().rows;
    let connected = gateways.iter().filter(|row| row.state == GatewayState::Connected);
    set("regatta_gateways", gateways.len() as u64);
    set("regatta_gateways_connected", connected.count() as u64);
    set("regatta_approvals_open", views.approvals.open_count());
    let (mut runs, mut attempts) = (BTreeMap::<RunState, u64>::new(), BTreeMap::<&str, u64>::new());
    let mut filter = RunFilter::default();
    loop {
        let page = views.runs.list(&filter, usize::MAX);
        for row in &page.rows {
            *runs.entry(row.state).or_default() += 1;
            for (state, count) in by_state(&row.attempts) {
                *attempts.entry(state).or_default() += u64::from(count);
            }
        }
        let Some(before) = page.next else { break };
        filter.before = Some(before);
    }
    // A state nobody is in any more says 0.
    for state in RunState::ALL {
        gauge!("regatta_runs", "state" => state.word()).set(float(runs.get(&state).copied().unwrap_or(0)));
    }
    for (state, _) in by_state(&AttemptCounts::default()) {
        gauge!("regatta_attempts", "state" => state).set(float(attempts.get(state).copied().unwrap_or(0)));
    }
}

fn by_state(counts: &AttemptCounts) -> [(&'static str, u32); 15] {
    [
        ("queued", counts.queued),
        ("starting", counts.starting),
        ("setup", counts.setup),
        ("running", counts.running),
        ("collecting", counts.collecting),
        ("checking", counts.checking),
        ("retrying", counts.retrying),
        ("cancelling", counts.cancelling),
        ("passed", counts.passed),
        ("checks_failed", counts.checks_failed),
        ("unchanged", counts.unchanged),
        ("agent_failed", counts.agent_failed),
        ("timed_out", counts.timed_out),
        ("cancelled", counts.cancelled),
        ("failed", counts.failed),
    ]
}

async fn ready(State(plane): State<Plane>) -> (StatusCode, String) {
    let behind = plane.log.head().0.saturating_sub(plane.live.seq().0);
    let reason = if plane.stop.is_cancelled() {
        Some("the server stops".to_owned())
    } else if behind > VIEWS_BEHIND_MAX {
        Some(format!("the views are {behind} events behind the log"))
    } else {
        None
    };
    match reason {
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}
