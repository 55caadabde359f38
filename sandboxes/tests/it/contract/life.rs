//! How commands end, and that nothing of them is left.

use std::time::{Duration, Instant};

use regatta_sandboxes::{Error, Exit, Status};

use super::promises;
use crate::place::{self, Place, ended, exec, running, sh, until};

promises! {
    a_command_exits_with_its_code_or_signal
    what_cannot_be_found_is_not_started
    a_command_past_its_time_is_stopped
    a_kill_leaves_time_to_say_goodbye
    a_kill_ends_what_ignores_it
    a_second_kill_may_have_less_patience
    what_forked_and_left_is_gone_after_the_end
    destroy_ends_what_runs
}

mod here {
    crate::contract::promises! { here: what_was_killed_before_it_began_never_runs }

    use super::what_was_killed_before_it_began_never_runs;
}

async fn a_command_exits_with_its_code_or_signal(place: Place) {
    for (name, script, exit) in [
        ("zero", "true", Exit::Code(0)),
        ("three", "echo out; echo err >&2; exit 3", Exit::Code(3)),
        ("last", "exit 255", Exit::Code(255)),
        ("segv", "kill -SEGV $$", Exit::Signal(11)),
        ("kill", "kill -KILL $$", Exit::Signal(9)),
        ("term", "kill -TERM $$", Exit::Signal(15)),
    ] {
        place.provider.create(&place.spec("a")).await.unwrap();
        assert_eq!(place.ran("a", &sh(name, script)).await.ended.exit, exit, "{script}");
    }
}

async fn what_cannot_be_found_is_not_started(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let ran = place.ran("a", &exec("main", &["no-such-program", "x"])).await;
    assert!(matches!(&ran.ended.exit, Exit::NotStarted(why) if why.contains("no-such-program")), "{ran:?}");
    let ran = place.ran("a", &exec("folder", &["/usr/bin"])).await;
    assert!(matches!(&ran.ended.exit, Exit::NotStarted(_)), "{ran:?}");
    let ran = place.ran("a", &exec("nothing", &[])).await;
    assert!(matches!(&ran.ended.exit, Exit::NotStarted(_)), "{ran:?}");
    let ran = place.ran("a", &sh("shell", "no-such-program")).await;
    assert_eq!(ran.ended.exit, Exit::Code(127));
}

async fn a_command_past_its_time_is_stopped(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let mut late = sh("main", "echo begun; sleep 1000");
    late.timeout_ms = 100;
    let ran = place.ran("a", &late).await;
    assert_eq!(ran.ended.exit, Exit::TimedOut);
    assert!((100..10_000).contains(&ran.ended.elapsed_ms), "{ran:?}");
    assert_eq!(ran.out, "begun\n");
}

/// Starts a command and waits until it says that it runs.
async fn begin(place: &Place, script: &str) {
    place.provider.create(&place.spec("a")).await.unwrap();
    place
        .provider
        .start("a", &sh("main", &format!("{script}; touch begun; while :; do sleep 0.01; done")))
        .await
        .unwrap();
    place.until_it_has("a", "begun").await;
}

async fn a_kill_leaves_time_to_say_goodbye(place: Place) {
    begin(&place, "trap 'echo bye; exit 0' TERM").await;
    place.provider.kill("a", "main", 20_000).await.unwrap();
    let ran = place.ran("a", &sh("main", "")).await;
    assert_eq!((ran.ended.exit, ran.out.as_str()), (Exit::Killed, "bye\n"));
    assert!(ran.ended.elapsed_ms < 15_000);
    place.provider.kill("a", "main", 0).await.unwrap();
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Killed);
}

async fn a_kill_ends_what_ignores_it(place: Place) {
    begin(&place, "trap '' TERM").await;
    let asked = Instant::now();
    place.provider.kill("a", "main", 300).await.unwrap();
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Killed);
    assert!(asked.elapsed() >= Duration::from_millis(300), "{:?}", asked.elapsed());
}

async fn a_second_kill_may_have_less_patience(place: Place) {
    begin(&place, "trap '' TERM").await;
    place.provider.kill("a", "main", 1_000_000).await.unwrap();
    assert_eq!(place.provider.status("a", "main").await.unwrap(), Status::Running);
    place.provider.kill("a", "main", 0).await.unwrap();
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Killed);
}

async fn what_was_killed_before_it_began_never_runs(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    // As a server that ended between preparing and starting leaves it.
    std::fs::create_dir(place.root().join("a/execs/main")).unwrap();
    place.provider.kill("a", "main", 0).await.unwrap();
    place.provider.start("a", &sh("main", "touch ran")).await.unwrap();
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Killed);
    assert!(!place.root().join("a/work/ran").exists());
}

async fn what_forked_and_left_is_gone_after_the_end(place: Place) {
    let key = place.key("left");
    // Told apart by how long they mean to sleep, since the last one has no environment to be known by.
    let long = place::long();
    let script = format!("(setsid sh -c 'sleep {long} & sleep {long}' &) ; env -i setsid sleep {long} & touch left");
    let ran = place.run(&key, &script).await;
    assert_eq!(ran.ended.exit, Exit::Code(0));
    assert_eq!(running(&long), [""; 0]);
    assert!(place.has(&key, "left").await);
}

async fn destroy_ends_what_runs(place: Place) {
    let key = place.key("destroyed");
    let long = place::long();
    place.provider.create(&place.spec(&key)).await.unwrap();
    for name in ["one", "two"] {
        let script = format!("trap '' TERM; (setsid sleep {long} &); sleep {long}");
        place.provider.start(&key, &sh(name, &script)).await.unwrap();
    }
    until("they run", || running(&long).len() == 4).await;
    place.provider.destroy(&key).await.unwrap();
    assert_eq!(running(&long), [""; 0]);
    assert_eq!(place.left().await, [""; 0]);
    assert!(matches!(place.provider.status(&key, "one").await, Err(Error::Missing(_))));
    place.provider.destroy(&key).await.unwrap();
}
