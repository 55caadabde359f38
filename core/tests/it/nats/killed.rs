//! The relay's process is killed between publishing and keeping how far it is, by a stream that forgets ids at once:
//! nothing is missing and nothing is there twice.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regatta_core::Log as _;
use regatta_core::bus::nats::Server;

use super::outages::{WINDOW, forget_at_once};
use super::server::Nats;
use super::{append, holds_exactly, relay, run};
use crate::given;
use crate::simulated::Dice;

/// Where the process that is to be killed has its log.
const DIR: &str = "REGATTA_TEST_RELAY_DIR";
/// Where its NATS server is.
const URL: &str = "REGATTA_TEST_RELAY_URL";
const KILLS: u64 = 12;
/// Events appended at a time.
const STEP: u64 = 500;

/// What the killed process does: it appends and relays for ever, and says how far the stream has everything. In the
/// process of the tests itself there is nothing to do.
#[test]
fn a_process_relays_until_it_is_killed() {
    let (Some(dir), Ok(url)) = (std::env::var_os(DIR), std::env::var(URL)) else { return };
    let log = given::open(Path::new(&dir));
    run(async {
        let mut relaying = relay(&log, &Server { url, ..Server::default() });
        loop {
            let head = log.head().0;
            append(&log, head + 1, head + STEP).await;
            let state = relaying.until(|state| state.acked.0 >= head).await;
            writeln!(std::io::stdout(), "acked {}", state.acked).expect("said");
        }
    });
}

#[test]
fn a_relay_killed_before_it_keeps_how_far_it_is_repeats_nothing() {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let url = nats.server().url;
    forget_at_once(&nats.server(), || {
        let mut dice = Dice(KILLS);
        for kill in 1..=KILLS {
            let mut child = Command::new(std::env::current_exe().expect("this test"));
            child.args(["--exact", "nats::killed::a_process_relays_until_it_is_killed", "--nocapture"]);
            child.env(DIR, dir.path()).env(URL, &url).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = child.spawn().expect("started");
            let said = BufReader::new(child.stdout.take().expect("its output")).lines();
            let acked = said.map(|line| line.expect("read")).filter(|line| line.contains("acked "));
            // With messages on their way.
            assert!(acked.take(1 + usize::try_from(dice.roll(4)).expect("small")).count() > 0, "it relays");
            child.kill().expect("killed");
            child.wait().expect("ended");
            let killed = Instant::now();
            // Now and then its index with its checkpoint is lost, too.
            if kill % 4 == 0 {
                std::fs::remove_dir_all(dir.path().join("index")).expect("removed");
            }
            // By then the stream knows none of the ids any more.
            std::thread::sleep((2 * WINDOW).saturating_sub(killed.elapsed()).max(Duration::from_millis(1)));
        }
    });
    let log = given::open(dir.path());
    run(async {
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        holds_exactly(&nats.server(), &log).await;
    });
    println!("{KILLS} kills, {} events, none missing, none twice", log.head());
    assert!(log.head().0 > KILLS * STEP);
}
