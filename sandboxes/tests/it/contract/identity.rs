//! Names: what is made or started twice is made or started once, and is found again.

use regatta_sandboxes::{Error, Exit, Status, Stdio};

use super::promises;
use crate::place::{Place, all, ended, sh};

promises! {
    many_creates_of_one_key_make_one_sandbox
    many_starts_of_one_name_run_once
    a_new_instance_finds_everything
    names_that_are_no_names_are_refused
}

async fn many_creates_of_one_key_make_one_sandbox(place: Place) {
    let (again, spec) = (place.again(), place.spec("a"));
    let one = || place.provider.create(&spec);
    let other = || again.create(&spec);
    let made = tokio::join!(one(), other(), one(), other(), one(), other(), one(), other());
    let made: [_; 8] = made.into();
    assert!(made.iter().all(|created| created.as_ref().unwrap() == made[0].as_ref().unwrap()), "{made:?}");
    assert_eq!(place.left().await, ["a"]);
}

async fn many_starts_of_one_name_run_once(place: Place) {
    let again = place.again();
    place.provider.create(&place.spec("a")).await.unwrap();
    let exec = sh("main", "echo ran >> count; echo hello");
    let one = || place.provider.start("a", &exec);
    let other = || again.start("a", &exec);
    let started: [_; 8] = tokio::join!(one(), other(), one(), other(), one(), other(), one(), other()).into();
    assert!(started.iter().all(Result::is_ok), "{started:?}");
    assert_eq!(ended(&*again, "a", "main").await.exit, Exit::Code(0));
    place.provider.start("a", &exec).await.unwrap();
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Code(0));
    assert_eq!(place.aside("a", &["cat", "count"]).await, "ran\n");
    assert_eq!(all(&*again, "a", "main", Stdio::Out).await, b"hello\n");
}

async fn a_new_instance_finds_everything(place: Place) {
    let made = place.provider.create(&place.spec("a")).await.unwrap();
    if place.is_here() {
        std::fs::create_dir(place.root().join("stranger")).unwrap();
    }
    let script = "echo one; while ! [ -e go ]; do sleep 0.01; done; echo two; exit 5";
    place.provider.start("a", &sh("main", script)).await.unwrap();
    let again = place.again();
    let found = again.list("tests").await.unwrap();
    assert_eq!(found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(), ["a"]);
    assert!(found.iter().all(|found| found.created_at_ms > 1_600_000_000_000));
    assert_eq!(again.list("others").await.unwrap(), []);
    assert_eq!(again.find("a").await.unwrap(), made);
    place.touch("a", "go").await;
    assert_eq!(ended(&*again, "a", "main").await.exit, Exit::Code(5));
    assert_eq!(all(&*again, "a", "main", Stdio::Out).await, b"one\ntwo\n");
    assert_eq!(again.status("a", "other").await.unwrap(), Status::NotStarted);
    assert!(matches!(again.status("b", "main").await, Err(Error::Missing(_))));
    assert!(matches!(again.find("b").await, Err(Error::Missing(_))));
}

async fn names_that_are_no_names_are_refused(place: Place) {
    for key in ["", "..", "a/b", "A", "a b", &"a".repeat(129)] {
        let made = place.provider.create(&place.spec(key)).await;
        assert!(matches!(made, Err(Error::Unusable { .. })), "{key}: {made:?}");
    }
    place.provider.create(&place.spec("a")).await.unwrap();
    let started = place.provider.start("a", &sh("../b", "true")).await;
    assert!(matches!(started, Err(Error::Unusable { .. })), "{started:?}");
}
