//! What a service does that is stopped in the middle of something.

use std::collections::BTreeMap;
use std::sync::Arc;

use regatta_core::event::sandbox::{Destroyed, SandboxEvent};
use regatta_core::log::{Trouble, TroubledLog};
use regatta_core::{Actor, Append, Blobs, Clock, Draft, Event, Expect, Log, Stream, SystemClock, Vault};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Options;
use crate::executor::World;
use crate::failpoint::Failpoints;
use crate::repository::Repositories;
use crate::{Archives, Caps};

#[tokio::test]
async fn what_is_about_to_be_named_stays_while_something_is_cleaned_at_the_end() {
    let folder = tempfile::tempdir().expect("folder");
    let blobs = Blobs::open(&folder.path().join("blobs")).expect("blobs");
    let troubled = TroubledLog::default();
    troubled.set(Trouble::QuiteFull);
    let (log, clock): (Arc<dyn Log>, Arc<dyn Clock>) = (Arc::new(troubled), Arc::new(SystemClock));
    let archives = Archives::of(folder.path());
    let vault = Vault::of(&folder.path().join("vault"), Arc::clone(&log), Arc::clone(&clock)).expect("vault");
    let world = World {
        install: "test".parse().expect("install"),
        log,
        blobs: blobs.clone(),
        archives: archives.clone(),
        clock,
        providers: BTreeMap::new(),
        source_control: Arc::new(Repositories::open(folder.path()).expect("repositories")),
        home: None,
        network: false,
        vault,
        failpoints: Failpoints::default(),
    };
    let (mut dispatcher, _handle) = Options { world, caps: Caps::default(), snapshots: None }.build();

    // Something was decided that names a blob, and is not on disk yet.
    let keeper = Arc::new(blobs.keeper());
    let hash = keeper.put(b"patch").expect("kept").hash;
    let key = "regatta-test-7q2k9x0m-a-1".parse().expect("key");
    let event = Event::from(SandboxEvent::Destroyed(Destroyed { key }));
    let draft = Draft::new(&event, &SystemClock, Actor::regatta(), Uuid::nil());
    let stream = Stream::try_from("sandbox/x").expect("stream");
    dispatcher.submitter.submit(Append { stream, expect: Expect::Any, events: vec![draft] }, false);
    dispatcher.let_go_when_durable(keeper);

    // The service is stopped while it is somebody's turn to clean, who only now looks what may go.
    let turn = archives.turn().await;
    let (halt, cancel) = (dispatcher.halt.clone(), CancellationToken::new());
    cancel.cancel();
    let working = tokio::spawn(dispatcher.run(cancel));
    halt.cancelled().await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!blobs.sweep().remove(&hash).expect("asked"), "it may be named yet");
    drop(turn);
    working.await.expect("ended").expect("well");
}
