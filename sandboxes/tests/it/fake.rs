//! The fake keeps the promises that make sense in memory.

use regatta_sandboxes::fake::{Mishaps, Script};
use regatta_sandboxes::{Bounds, Ended, Error, Exit, FakeProvider, Provider, Spec, Status, Stdio};

use crate::place::sh;

fn spec(key: &str) -> Spec {
    Spec {
        key: key.to_owned(),
        owner: "tests".to_owned(),
        seed: "/".into(),
        read_only: vec![],
        inbox: vec![],
        home_links: vec![],
        network: false,
        bounds: Bounds { memory_bytes_max: 1, processes_max: 1, disk_bytes_max: 1 },
        wish: regatta_sandboxes::Wish::default(),
        term: regatta_sandboxes::Term::default(),
        warm: None,
    }
}

fn talker(_: &str, _: &regatta_sandboxes::Exec) -> Script {
    Script {
        takes_ms: 10,
        prints: vec![
            (2, Stdio::Out, b"one ".to_vec()),
            (5, Stdio::Err, b"oops".to_vec()),
            (9, Stdio::Out, b"two".to_vec()),
        ],
        exit: Exit::Code(7),
        ..Script::default()
    }
}

#[tokio::test]
async fn a_scripted_command_prints_and_ends_as_the_clock_moves() {
    let world = FakeProvider::new(1, Mishaps::default(), talker);
    world.create(&spec("a")).await.unwrap();
    assert_eq!(world.status("a", "main").await.unwrap(), Status::NotStarted);
    world.start("a", &sh("main", "")).await.unwrap();
    world.start("a", &sh("main", "")).await.unwrap();
    let mut seen = Vec::new();
    while world.step() {
        world.changed("a", "main").await;
        seen.push((world.now_ms(), world.read("a", "main", Stdio::Out, 0, 100).await.unwrap()));
    }
    let expected: Vec<(u64, &[u8])> = vec![(2, b"one "), (5, b"one "), (9, b"one two"), (10, b"one two")];
    assert_eq!(seen, expected.into_iter().map(|(at, out)| (at, out.to_vec())).collect::<Vec<_>>());
    assert_eq!(world.read("a", "main", Stdio::Out, 4, 2).await.unwrap(), b"tw");
    let ended = Ended { exit: Exit::Code(7), elapsed_ms: 10, oom_kills: 0 };
    assert_eq!(world.status("a", "main").await.unwrap(), Status::Ended(ended));
    assert_eq!(world.begun("a", "main"), 1);
}

#[tokio::test]
async fn a_lost_answer_is_an_error_although_it_happened() {
    let world = FakeProvider::new(1, Mishaps { answers_lost: 1000, ..Mishaps::default() }, talker);
    assert!(world.create(&spec("a")).await.is_err_and(|error| error.is_transient()));
    assert_eq!(world.sandboxes(), ["a"]);
    assert!(world.start("a", &sh("main", "")).await.is_err());
    assert_eq!(world.alive(), [("a".to_owned(), "main".to_owned())]);
    world.set_mishaps(Mishaps { fails: 1000, ..Mishaps::default() });
    assert!(world.destroy("a").await.is_err());
    assert_eq!(world.sandboxes(), ["a"]);
}

#[tokio::test]
async fn what_vanished_or_was_lost_is_told_apart() {
    let world = FakeProvider::new(1, Mishaps::default(), talker);
    for key in ["a", "b"] {
        world.create(&spec(key)).await.unwrap();
        world.start(key, &sh("main", "")).await.unwrap();
    }
    world.vanish("a");
    world.lose("b", "main");
    assert!(matches!(world.status("a", "main").await, Err(Error::Missing(_))));
    let lost = Ended { exit: Exit::Lost, elapsed_ms: 0, oom_kills: 0 };
    assert_eq!(world.status("b", "main").await.unwrap(), Status::Ended(lost));
}

#[tokio::test]
async fn only_force_ends_a_stubborn_command() {
    let stubborn =
        |_: &str, _: &regatta_sandboxes::Exec| Script { takes_ms: 1000, is_stubborn: true, ..Script::default() };
    let world = FakeProvider::new(1, Mishaps::default(), stubborn);
    world.create(&spec("a")).await.unwrap();
    world.start("a", &sh("main", "")).await.unwrap();
    world.kill("a", "main", 50).await.unwrap();
    world.advance(49);
    assert_eq!(world.status("a", "main").await.unwrap(), Status::Running);
    world.advance(1);
    let killed = Ended { exit: Exit::Killed, elapsed_ms: 50, oom_kills: 0 };
    assert_eq!(world.status("a", "main").await.unwrap(), Status::Ended(killed));
}

#[tokio::test]
async fn the_same_seed_makes_the_same_world() {
    async fn history(seed: u64) -> Vec<bool> {
        let world = FakeProvider::new(seed, Mishaps { fails: 300, answers_lost: 300, full: 300 }, talker);
        let mut went_well = Vec::new();
        for key in 0..40 {
            went_well.push(world.create(&spec(&key.to_string())).await.is_ok());
        }
        went_well
    }
    assert_eq!(history(5).await, history(5).await);
    assert_ne!(history(5).await, history(6).await);
}
