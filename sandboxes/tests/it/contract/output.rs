//! What a command prints is read by offset: all of it, in order, byte for byte.

use std::time::{Duration, Instant};

use regatta_sandboxes::{Error, Exit, Stdio};

use super::promises;
use crate::place::{Place, all, ended, follow, sh};

promises! {
    bytes_that_are_no_text_arrive_as_they_are
    a_line_of_fifty_megabytes_arrives
    ten_thousand_lines_arrive_in_order_while_they_are_printed
    a_change_is_noticed_soon_and_never_missed
    nothing_printed_is_nothing_read
}

async fn bytes_that_are_no_text_arrive_as_they_are(place: Place) {
    place.run("a", r"printf 'a\377\376\000b\n'; printf '\200' >&2").await;
    assert_eq!(all(&*place.provider, "a", "main", Stdio::Out).await, b"a\xff\xfe\x00b\n");
    assert_eq!(all(&*place.provider, "a", "main", Stdio::Err).await, b"\x80");
    assert_eq!(place.provider.read("a", "main", Stdio::Out, 2, 2).await.unwrap(), b"\xfe\x00");
    assert_eq!(place.provider.read("a", "main", Stdio::Out, 6, 10).await.unwrap(), b"");
    assert_eq!(place.provider.read("a", "main", Stdio::Out, u64::MAX, 10).await.unwrap(), b"");
}

async fn a_line_of_fifty_megabytes_arrives(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    place.provider.start("a", &sh("main", r"head -c 50000000 /dev/zero | tr '\0' x; echo")).await.unwrap();
    let out = follow(&*place.provider, "a", "main", Stdio::Out, 1 << 20).await;
    assert_eq!(out.len(), 50_000_001);
    assert_eq!(out.iter().position(|byte| *byte != b'x'), Some(50_000_000));
}

async fn ten_thousand_lines_arrive_in_order_while_they_are_printed(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let script = "i=0; while [ $i -lt 10000 ]; do echo line $i; i=$((i+1)); done";
    place.provider.start("a", &sh("main", script)).await.unwrap();
    let out = follow(&*place.provider, "a", "main", Stdio::Out, 997).await;
    let expected: String = (0..10_000).map(|number| format!("line {number}\n")).collect();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

async fn a_change_is_noticed_soon_and_never_missed(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let script = "for i in 1 2 3 4 5; do while ! [ -e go$i ]; do sleep 0.002; done; echo $i; done";
    place.provider.start("a", &sh("main", script)).await.unwrap();
    let (mut offset, mut waited) = (0, Duration::ZERO);
    for number in 1..=5 {
        let mut asked = Instant::now();
        place.touch("a", &format!("go{number}")).await;
        if place.rented.is_some() {
            // Saying so takes as long there as a command does.
            asked = Instant::now();
        }
        loop {
            let piece = place.provider.read("a", "main", Stdio::Out, offset, 100).await.unwrap();
            offset += piece.len() as u64;
            if piece == format!("{number}\n").as_bytes() {
                break;
            }
            place.provider.changed("a", "main").await;
        }
        waited += asked.elapsed();
    }
    // Without being told, each would have taken up to a second.
    assert!(waited < Duration::from_millis(2500), "{waited:?}");
    assert_eq!(ended(&*place.provider, "a", "main").await.exit, Exit::Code(0));
}

async fn nothing_printed_is_nothing_read(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    assert_eq!(place.provider.read("a", "never", Stdio::Out, 0, 10).await.unwrap(), b"");
    assert!(matches!(place.provider.read("b", "never", Stdio::Out, 0, 10).await, Err(Error::Missing(_))));
    // Waiting for what never comes ends too.
    place.provider.changed("a", "never").await;
    place.provider.changed("b", "never").await;
}
