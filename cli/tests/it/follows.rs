//! `regatta log tail -f --nats` as people use it: NATS goes away, comes back, forgets everything; each event is printed
//! once.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::install::{Install, until};
use crate::nats::{has_everything, relay};
use crate::nats_server::Nats;
use crate::sign_in::{ask, text, up};

type Lines = Arc<Mutex<Vec<String>>>;

/// A command that goes on, and what it printed so far.
struct Tail {
    child: Child,
    out: Lines,
    err: Lines,
}

/// Everything that is printed, as it comes.
fn listened(stream: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let heard = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            heard.lock().expect("lock").push(line);
        }
    });
    lines
}

fn position(event: &Value) -> u64 {
    event.get("seq").and_then(Value::as_u64).expect("a position")
}

impl Tail {
    fn begin(install: &Install, arguments: &[&str]) -> Self {
        let mut command = install.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("regatta");
        let (out, err) = (child.stdout.take().expect("out"), child.stderr.take().expect("err"));
        Self { child, out: listened(out), err: listened(err) }
    }

    /// The positions of the events it printed.
    fn seqs(&self) -> Vec<u64> {
        let out = self.out.lock().expect("lock");
        let events = out.iter().map(|line| serde_json::from_str::<Value>(line).expect("json"));
        events.map(|event| position(&event)).collect()
    }

    /// Waits until it has said something so often.
    fn says(&self, text: &str, times: usize) {
        until(text, || {
            let err = self.err.lock().expect("lock");
            (err.iter().filter(|line| line.contains(text)).count() >= times).then_some(())
        });
    }

    /// Waits until it printed the last event there is; all of them, and each once.
    fn has_printed_everything(&self, install: &Install) {
        let head = position(&install.view_lines(&["log", "tail", "-n", "1"]).pop().expect("an event"));
        until("the last event is printed", || self.seqs().contains(&head).then_some(()));
        assert_eq!(self.seqs(), (1..=head).collect::<Vec<_>>());
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) {
        let kill = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(kill.expect("kill").success());
        assert!(self.child.wait().expect("ended").success());
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // It has ended, unless its test failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_tail_goes_on_over_outages_and_prints_every_event_once() {
    let Some(mut nats) = Nats::start() else { return };
    let url = nats.server().url;
    let install = Install::new();
    let told = up(&install, &["--nats", &url]);
    let by = format!("Authorization: Bearer {}", text(&told, "admin_token"));
    let numbers = || ask(text(&told, "url"), "GET /metrics", &[&by], "");
    relay(&install, has_everything);
    let tail = Tail::begin(&install, &["log", "tail", "-f", "--from", "1", "--json", "--nats", &url]);
    tail.has_printed_everything(&install);
    for (outage, forgets) in [(1, false), (2, true)] {
        nats.kill();
        relay(&install, |relay| relay["connected"] == false);
        tail.says("trying again until it is back", outage);
        if forgets {
            nats.wipe();
        }
        install.regatta(&["user", "add", &format!("user-{outage}")]).exits(0);
        let away = numbers();
        assert!(away.contains("\nregatta_relay_connected 0\n"), "{away}");
        assert!(!away.contains("\nregatta_relay_lag_events 0\n"), "{away}");
        nats.again();
        relay(&install, has_everything);
        let back = numbers();
        assert!(back.contains("\nregatta_relay_connected 1\n"), "{back}");
        assert!(back.contains("\nregatta_relay_lag_events 0\n"), "{back}");
        tail.says("connected again; going on where it was", outage);
        install.regatta(&["user", "add", &format!("more-{outage}")]).exits(0);
        relay(&install, has_everything);
        tail.has_printed_everything(&install);
    }
    tail.interrupt();
}
