//! The contract suite: every promise of a provider, for every fence that works here.

use regatta_sandboxes::local::Fence;
use regatta_sandboxes::{Error, Exit, Provider, Status};

use crate::place::{Place, exec, processes, sh};

/// Makes one test for each fence from a function of a [`Place`].
macro_rules! promises {
    ($($promise:ident)*) => {
        promises! { bubblewrap Fence::Bubblewrap: $($promise)* }
        promises! { host Fence::None: $($promise)* }
    };
    ($name:ident $fence:path: $($promise:ident)*) => {
        mod $name {
            use super::*;
            $(
                #[tokio::test]
                async fn $promise() {
                    if let Some(place) = Place::new($fence).await {
                        super::$promise(place).await;
                    }
                }
            )*
        }
    };
}

promises! {
    a_command_prints_and_exits_with_its_code
    what_cannot_be_found_is_not_started
    an_untouched_workspace_is_proved_and_a_touched_one_is_not
    destroy_leaves_nothing
    a_new_instance_finds_everything
}

async fn a_command_prints_and_exits_with_its_code(place: Place) {
    let ran = place.run("a", "echo out; echo err >&2; exit 3").await;
    assert_eq!((ran.ended.exit, ran.out.as_str(), ran.err.as_str()), (Exit::Code(3), "out\n", "err\n"));
    let ran = place.ran("a", &sh("signal", "kill -SEGV $$")).await;
    assert_eq!(ran.ended.exit, Exit::Signal(11));
}

async fn what_cannot_be_found_is_not_started(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let ran = place.ran("a", &exec("main", &["no-such-program", "x"])).await;
    assert!(matches!(&ran.ended.exit, Exit::NotStarted(why) if why.contains("no-such-program")), "{ran:?}");
    let ran = place.ran("a", &sh("shell", "no-such-program")).await;
    assert_eq!(ran.ended.exit, Exit::Code(127));
}

async fn an_untouched_workspace_is_proved_and_a_touched_one_is_not(place: Place) {
    place.run("a", "cat README.md src/main.rs link > /dev/null; ./run.sh").await;
    assert!(place.provider.untouched("a").await.unwrap());
    place.ran("a", &sh("touch", "echo Hello > README.md")).await;
    assert!(!place.provider.untouched("a").await.unwrap());
}

async fn destroy_leaves_nothing(place: Place) {
    let key = format!("destroyed-{}", std::process::id());
    place.provider.create(&place.spec(&key)).await.unwrap();
    place.provider.start(&key, &sh("main", "sleep 1000 & sleep 1000")).await.unwrap();
    crate::place::until("it runs", || processes(&key).iter().any(|line| line.starts_with("sleep"))).await;
    assert_eq!(place.provider.status(&key, "main").await.unwrap(), Status::Running);
    place.provider.destroy(&key).await.unwrap();
    assert_eq!(processes(&key), [""; 0]);
    assert_eq!(std::fs::read_dir(place.root()).unwrap().count(), 0);
    assert!(matches!(place.provider.status(&key, "main").await, Err(Error::Missing(_))));
    place.provider.destroy(&key).await.unwrap();
}

async fn a_new_instance_finds_everything(place: Place) {
    let key = format!("found-{}", std::process::id());
    place.provider.create(&place.spec(&key)).await.unwrap();
    std::fs::create_dir(place.root().join("stranger")).unwrap();
    place
        .provider
        .start(&key, &sh("main", "echo one; while ! [ -e go ]; do sleep 0.01; done; echo two; exit 5"))
        .await
        .unwrap();
    let again = place.again();
    let found = again.list("tests").await.unwrap();
    assert_eq!(found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(), [key.as_str()]);
    assert!(found.iter().all(|found| found.created_at_ms > 1_600_000_000_000));
    let made = again.create(&place.spec(&key)).await.unwrap();
    assert_eq!(again.find(&key).await.unwrap(), made);
    assert!(matches!(again.find("nothing").await, Err(Error::Missing(_))));
    assert_eq!(again.list("others").await.unwrap(), []);
    std::fs::write(place.root().join(&key).join("work/go"), "").unwrap();
    assert_eq!(crate::place::ended(&again, &key, "main").await.exit, Exit::Code(5));
    assert_eq!(crate::place::all(&again, &key, "main", regatta_sandboxes::Stdio::Out).await, b"one\ntwo\n");
}
