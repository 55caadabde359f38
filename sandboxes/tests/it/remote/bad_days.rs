//! What goes wrong between us and a vendor, and what must not come of it.

use std::time::{Duration, Instant};

use axum::http::Method;
use futures_util::FutureExt as _;
use regatta_sandbox_fakes::e2b::{FakeE2b, Options};
use regatta_sandbox_fakes::{Fault, On};
use regatta_sandboxes::{DaytonaProvider, E2bProvider, Error, Exit, Provider, Status, Stdio, daytona, e2b};

use super::{Rented, e2b_options, key, program};
use crate::mounted::Mounted;
use crate::place::{FEW_BLOCKS, FILL, Kind, Place, all, ended, follow, sh};

async fn e2b() -> Option<(Place, FakeE2b)> {
    let place = Place::new(Kind::E2b).await?;
    let Some(Rented::E2b(fake)) = place.rented.clone() else { panic!("no fake") };
    Some((place, fake))
}

/// A fake of its own, and who uses it.
async fn rented(options: Options) -> Option<(Place, FakeE2b, E2bProvider)> {
    let place = Place::new(Kind::E2b).await?;
    let account = options.key.clone();
    let fake = FakeE2b::start(program(), options).await;
    let provider = E2bProvider::new(e2b_options(&fake.url, &account)).unwrap();
    Some((place, fake, provider))
}

const LINES: &str = "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); sleep 0.01; done";

fn three_hundred_lines() -> String {
    (0..300).map(|number| format!("line {number}\n")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_network_costs_no_byte_and_the_stream_goes_on() {
    for kind in [Kind::E2b, Kind::Daytona] {
        let Some(place) = Place::new(kind).await else { return };
        place.provider.create(&place.spec("a")).await.unwrap();
        place.provider.start("a", &sh("main", LINES)).await.unwrap();
        let set_cut = |is_cut| match place.rented.as_ref().unwrap() {
            Rented::E2b(fake) => fake.set_cut(is_cut),
            Rented::Daytona(fake) => fake.set_cut(is_cut),
        };
        let mut out = Vec::new();
        let mut failures = 0;
        let mut cut_at = None;
        loop {
            let status = place.provider.status("a", "main").await;
            match place.provider.read("a", "main", Stdio::Out, out.len() as u64, 4096).await {
                Ok(bytes) if bytes.is_empty() => {
                    if matches!(status, Ok(Status::Ended(_))) {
                        break;
                    }
                }
                Ok(bytes) => out.extend(bytes),
                Err(error) => {
                    assert!(error.is_transient(), "{error}");
                    failures += 1;
                }
            }
            if cut_at.is_none() && out.len() > 400 {
                set_cut(true);
                cut_at = Some(Instant::now());
            }
            if cut_at.is_some_and(|at| at.elapsed() > Duration::from_secs(1)) {
                set_cut(false);
            }
            place.provider.changed("a", "main").await;
        }
        assert!(cut_at.is_some() && failures > 0, "{kind:?}: {failures}");
        assert_eq!(String::from_utf8(out).unwrap(), three_hundred_lines(), "{kind:?}");
        assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Code(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_break_all_the_time_cost_no_byte() {
    let Some((place, fake)) = e2b().await else { return };
    place.provider.create(&place.spec("a")).await.unwrap();
    place.provider.start("a", &sh("main", LINES)).await.unwrap();
    let breaker = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(150)).await;
            fake.drop_connections();
        }
    });
    let mut out = Vec::new();
    while out.len() < three_hundred_lines().len() {
        out.extend(place.provider.read("a", "main", Stdio::Out, out.len() as u64, 777).await.unwrap_or_default());
        place.provider.changed("a", "main").await;
    }
    breaker.abort();
    assert_eq!(String::from_utf8(out).unwrap(), three_hundred_lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_whose_answer_was_lost_is_not_made_twice() {
    for is_first_version in [false, true] {
        let Some((place, fake, provider)) = rented(Options { is_first_version, ..Options::default() }).await else {
            return;
        };
        fake.faults.add(On::Create, Fault::LoseReply, 1);
        provider.create(&place.spec("a")).await.unwrap();
        assert_eq!(fake.labels("regatta-key"), ["a"], "first version: {is_first_version}");
        // Where a vendor makes two of one wish, one is left.
        fake.faults.add(On::Create, Fault::Twice, 1);
        provider.create(&place.spec("b")).await.unwrap();
        assert_eq!(fake.labels("regatta-key").len(), 2, "first version: {is_first_version}");
        provider.destroy("a").await.unwrap();
        provider.destroy("b").await.unwrap();
        assert_eq!(fake.live(), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_says_too_many_is_asked_seldom_and_quoted() {
    let Some((place, fake, provider)) = rented(Options { concurrent_max: 1, ..Options::default() }).await else {
        return;
    };
    provider.create(&place.spec("a")).await.unwrap();
    let began = Instant::now();
    for key in ["b", "c", "d", "e"] {
        let error = provider.create(&place.spec(key)).await.unwrap_err();
        assert!(
            matches!(&error, Error::Full { reason, wait_ms } if *wait_ms > 0 && reason.contains("maximum number")),
            "{error}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // The first of them was told to wait, and did; the others were held back without asking.
    assert!(fake.faults.count(&Method::POST, "/sandboxes") <= 5, "{}", fake.faults.count(&Method::POST, "/sandboxes"));
    provider.destroy("a").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    provider.create(&place.spec("b")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_one_clear_refusal() {
    let canary = "e2b_canary000000000000000000000000000000000";
    let Some((place, fake)) = e2b().await else { return };
    let provider = E2bProvider::new(e2b_options(&fake.url, canary)).unwrap();
    let asked = || fake.faults.count(&Method::GET, "/sandboxes") + fake.faults.count(&Method::POST, "/sandboxes");
    let before = asked();
    let error = provider.create(&place.spec("a")).await.unwrap_err();
    let said = format!("{error} {error:?} {:?} {:?}", provider.client(), e2b_options(&fake.url, canary));
    assert!(error.to_string().contains("E2B refuses the key: Invalid API key; check"), "{error}");
    assert!(!error.is_transient() && !said.contains(canary), "{said}");
    assert_eq!(asked() - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_nobody_is_asked() {
    let Some((place, fake)) = e2b().await else { return };
    let options = e2b::Options {
        key: std::sync::Arc::new(|| std::future::ready(Err("E2B_API_KEY is not set".to_owned())).boxed()),
        ..e2b_options(&fake.url, "")
    };
    let before = fake.faults.count(&Method::GET, "/sandboxes");
    let error = E2bProvider::new(options).unwrap().create(&place.spec("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no key for E2B: E2B_API_KEY is not set");
    assert_eq!(fake.faults.count(&Method::GET, "/sandboxes"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_that_vanished_is_missing() {
    for kind in [Kind::E2b, Kind::Daytona] {
        let Some(place) = Place::new(kind).await else { return };
        place.provider.create(&place.spec("a")).await.unwrap();
        place.provider.start("a", &sh("main", "echo one; sleep 1000")).await.unwrap();
        place.provider.changed("a", "main").await;
        match place.rented.as_ref().unwrap() {
            Rented::E2b(fake) => fake.live().iter().for_each(|id| fake.vanish(id)),
            Rented::Daytona(fake) => fake.live().iter().for_each(|id| fake.vanish(id)),
        }
        let again = place.again();
        for provider in [&place.provider, &again] {
            let mut status = provider.status("a", "main").await;
            // A stream may take a moment to notice.
            for _ in 0..20 {
                if status.is_err() {
                    break;
                }
                provider.changed("a", "main").await;
                status = provider.status("a", "main").await;
            }
            assert!(matches!(status, Err(Error::Missing(_))), "{kind:?}: {status:?}");
        }
        place.provider.destroy("a").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_trouble_on_the_way_passes() {
    let Some((place, fake)) = e2b().await else { return };
    let starting =
        r#"{"sandboxId":"x","message":"The sandbox is running but port is not open","code":502,"port":49983}"#;
    fake.faults.add(On::Create, Fault::Refuse(503, r#"{"code":503,"message":"soon"}"#, vec![]), 1);
    fake.faults.add(On::Inside, Fault::Refuse(502, starting, vec![]), 2);
    fake.faults.add(On::List, Fault::Late(Duration::from_millis(200)), 1);
    place.provider.create(&place.spec("a")).await.unwrap();
    fake.faults.add(
        On::Inside,
        Fault::Refuse(429, r#"{"message":"too many connections"}"#, vec![("retry-after", "1")]),
        1,
    );
    let began = Instant::now();
    assert_eq!(place.ran("a", &sh("main", "echo hello")).await.out, "hello\n");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sandbox_can_be_paused_and_found() {
    let Some((place, _, provider)) = rented(Options::default()).await else { return };
    provider.create(&place.spec("a")).await.unwrap();
    provider.start("a", &sh("main", LINES)).await.unwrap();
    let id = provider.client().ids("a").await.unwrap().remove(0);
    provider.pause("a").await.unwrap();
    provider.pause("a").await.unwrap();
    assert_eq!(provider.client().ids("a").await.unwrap(), [id.as_str()]);
    assert_eq!(provider.list("tests").await.unwrap()[0].rent_usd_micros_per_hour, Some(0));
    provider.resume("a").await.unwrap();
    assert_eq!(follow(&provider, "a", "main", Stdio::Out, 999).await, three_hundred_lines().into_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_has_the_files_and_nothing_that_runs() {
    let Some((place, fake, provider)) = rented(Options::default()).await else { return };
    provider.create(&place.spec("a")).await.unwrap();
    let script = "echo changed > README.md; echo out; touch begun; while ! [ -e go ]; do sleep 0.01; done; echo went";
    provider.start("a", &sh("main", script)).await.unwrap();
    while all(&provider, "a", "main", Stdio::Out).await.is_empty() {
        provider.changed("a", "main").await;
    }
    let made = provider.fork("a", "b").await.unwrap();
    // Asked for again, also by somebody who knows nothing of the first time, it is the same one.
    let again = E2bProvider::new(e2b_options(&fake.url, &Options::default().key)).unwrap();
    assert_eq!((provider.fork("a", "b").await.unwrap(), again.fork("a", "b").await.unwrap()), (made.clone(), made));
    assert_eq!(fake.labels("regatta-key").len(), 2);
    assert_eq!(again.status("b", "main").await.unwrap(), Status::NotStarted);
    let copied = provider.client().ids("b").await.unwrap().remove(0);
    assert_eq!(provider.client().processes(&copied).await.unwrap(), []);
    assert!(again.untouched("b").await.unwrap());
    again.start("b", &sh("main", "cat README.md; echo again > README.md; touch go")).await.unwrap();
    assert_eq!(ended(&again, "b", "main").await.exit, Exit::Code(0));
    assert_eq!(all(&again, "b", "main", Stdio::Out).await, b"changed\n");
    assert!(!again.untouched("b").await.unwrap());
    // The one it was made of goes on, and knows nothing of it.
    assert_eq!(provider.status("a", "main").await.unwrap(), Status::Running);
    provider.start("a", &sh("side", "cat README.md; touch go")).await.unwrap();
    assert_eq!(ended(&provider, "a", "side").await.exit, Exit::Code(0));
    assert_eq!(all(&provider, "a", "side", Stdio::Out).await, b"changed\n");
    assert_eq!(ended(&provider, "a", "main").await.exit, Exit::Code(0));
    provider.destroy("a").await.unwrap();
    assert_eq!(ended(&again, "b", "main").await.exit, Exit::Code(0));
    provider.destroy("b").await.unwrap();
    assert_eq!((fake.live(), fake.left()), (vec![], vec![]));
    assert!(matches!(provider.fork("a", "c").await, Err(Error::Missing(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_was_left_between_two_steps_goes_when_somebody_looks() {
    let Some((place, fake, provider)) = rented(Options::default()).await else { return };
    provider.create(&place.spec("a")).await.unwrap();
    let again = E2bProvider::new(e2b_options(&fake.url, &Options::default().key)).unwrap();
    // As a server that is killed after the snapshot and before its end leaves it.
    fake.faults.add(On::Forget, Fault::Refuse(500, "{}", vec![]), 5);
    for into in ["b", "c", "d", "e"] {
        provider.fork("a", into).await.unwrap();
    }
    fake.faults.clear();
    assert_eq!(fake.snapshots().len(), 4);
    // Of another owner nothing is taken away.
    again.list("others").await.unwrap();
    assert_eq!(fake.snapshots().len(), 4);
    assert_eq!(again.list("tests").await.unwrap().len(), 5);
    assert_eq!(fake.snapshots(), [""; 0]);
    for key in ["a", "b", "c", "d", "e"] {
        provider.destroy(key).await.unwrap();
    }
    assert_eq!((fake.live(), fake.left()), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_with_a_sparse_file_of_ten_gigabytes_is_refused_before_anything_is_made() {
    let Some((place, fake)) = e2b().await else { return };
    std::fs::File::create(place.folder.path().join("seed/sparse")).unwrap().set_len(10 << 30).unwrap();
    let made = place.provider.create(&place.spec("a")).await;
    assert!(matches!(&made, Err(Error::TooLarge { .. })), "{made:?}");
    assert_eq!(fake.live(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendors_clock_that_is_wrong_changes_nothing() {
    for days in [-2, 2] {
        let options = Options { clock_off_ms: days * 24 * 3_600 * 1_000, ..Options::default() };
        let Some((place, fake, provider)) = rented(options).await else { return };
        for key in ["a", "b"] {
            provider.create(&place.spec(key)).await.unwrap();
        }
        // Again, by who knows nothing of the first time: the one there is.
        let again = E2bProvider::new(e2b_options(&fake.url, &Options::default().key)).unwrap();
        again.create(&place.spec("a")).await.unwrap();
        again.start("a", &sh("main", "echo one; sleep 0.2; echo two")).await.unwrap();
        let ended = ended(&again, "a", "main").await;
        assert_eq!(ended.exit, Exit::Code(0));
        assert!((200..30_000).contains(&ended.elapsed_ms), "{ended:?}");
        assert_eq!(all(&again, "a", "main", Stdio::Out).await, b"one\ntwo\n");
        assert_eq!(again.list("tests").await.unwrap().len(), 2);
        for key in ["a", "b"] {
            again.destroy(key).await.unwrap();
        }
        assert_eq!(fake.live(), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_over_there_fails_what_writes_and_costs_neither_output_nor_end() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::at(folder.path(), 32) else { return };
    let options = Options { folder: Some(disk.path().to_owned()), ..Options::default() };
    let Some((place, fake, provider)) = rented(options).await else { return };
    provider.create(&place.spec("a")).await.unwrap();
    provider.start("a", &sh("main", &format!("echo begun; {FILL}; echo full"))).await.unwrap();
    assert_eq!(ended(&provider, "a", "main").await.exit, Exit::Code(0));
    assert!(rustix::fs::statvfs(disk.path()).unwrap().f_bavail < FEW_BLOCKS);
    assert_eq!(all(&provider, "a", "main", Stdio::Out).await, b"begun\nfull\n");
    assert!(!provider.untouched("a").await.unwrap());
    provider.destroy("a").await.unwrap();
    fake.end();
    assert_eq!(fake.left(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sandbox_is_rented_for_is_told_where_it_is_known() {
    for kind in [Kind::E2b, Kind::Daytona] {
        let Some(place) = Place::new(kind).await else { return };
        place.provider.create(&place.spec("a")).await.unwrap();
        let asked = place.provider.list("tests").await.unwrap().remove(0).rent_usd_micros_per_hour;
        // Two processors and half a GiB at the one, one and one at the other.
        let expected = if kind == Kind::E2b { 2 * 50_400 + 8_100 } else { 50_400 + 16_200 };
        assert_eq!(asked, Some(expected), "{kind:?}");
    }
    let Some((place, fake)) = e2b().await else { return };
    let options = e2b::Options { price: None, ..e2b_options(&fake.url, &Options::default().key) };
    let provider = E2bProvider::new(options).unwrap();
    provider.create(&place.spec("b")).await.unwrap();
    assert_eq!(provider.list("tests").await.unwrap()[0].rent_usd_micros_per_hour, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_sandboxes_than_a_page_are_all_listed() {
    for kind in [Kind::E2b, Kind::Daytona] {
        let Some(place) = Place::new(kind).await else { return };
        for number in 0..7 {
            place.provider.create(&place.spec(&format!("a{number}"))).await.unwrap();
        }
        let found = place.again().list("tests").await.unwrap();
        assert_eq!(
            found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(),
            ["a0", "a1", "a2", "a3", "a4", "a5", "a6"]
        );
        assert_eq!(all(&*place.provider, "a6", "never", Stdio::Out).await, b"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daytona_makes_no_second_sandbox_of_a_lost_answer_and_is_asked_once_with_a_wrong_key() {
    let Some(place) = Place::new(Kind::Daytona).await else { return };
    let Some(Rented::Daytona(fake)) = place.rented.clone() else { panic!("no fake") };
    fake.faults.add(On::Create, Fault::LoseReply, 1);
    place.provider.create(&place.spec("a")).await.unwrap();
    assert_eq!(fake.labels("regatta-key"), ["a"]);
    assert_eq!(place.aside("a", &["cat", "README.md"]).await, "hello\n");
    let full = r#"{"statusCode":429,"error":"Too Many Requests","message":"Total CPU limit exceeded"}"#;
    fake.faults.add(On::Create, Fault::Refuse(429, full, vec![("retry-after", "7")]), 1);
    let error = place.provider.create(&place.spec("b")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Full { reason, wait_ms: 7_000 } if reason.contains("CPU limit exceeded")),
        "{error:?}"
    );
    let asked = || fake.faults.count(&Method::GET, "/api/sandbox") + fake.faults.count(&Method::POST, "/api/sandbox");
    let (before, canary) = (asked(), "dtn_canary0000000000000000000");
    let options = daytona::Options { api_url: fake.url.clone(), ..daytona::Options::new(key(canary)) };
    let error = DaytonaProvider::new(options).unwrap().create(&place.spec("c")).await.unwrap_err();
    assert!(error.to_string().contains("Daytona refuses the key") && !error.is_transient(), "{error}");
    assert!(!format!("{error:?}").contains(canary));
    assert_eq!(asked() - before, 1);
    place.provider.destroy("a").await.unwrap();
    assert_eq!(fake.left(), [""; 0]);
}
