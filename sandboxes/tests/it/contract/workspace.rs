//! The workspace: copied as it is, known to be untouched or not, and removed whatever was made of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, UNIX_EPOCH};

use regatta_sandboxes::Error;

use super::promises;
use crate::place::{Place, sh};

promises! {
    the_seed_is_copied_with_modes_links_and_times
    a_seed_with_something_special_is_refused
    an_untouched_workspace_is_proved
    a_clock_that_is_wrong_hides_no_change
    every_change_is_seen
    the_outbox_gives_regular_files_only
    artifacts_are_seen_by_later_commands
    a_sparse_file_of_ten_gigabytes_is_not_read
    whatever_was_made_is_removed
}

async fn the_seed_is_copied_with_modes_links_and_times(place: Place) {
    let seed = place.folder.path().join("seed");
    let old = UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    fs::write(seed.join("new\nline \u{fffd}"), "strange").unwrap();
    fs::write(seed.join("empty"), "").unwrap();
    fs::write(seed.join("large"), vec![7; 300_000]).unwrap();
    fs::create_dir(seed.join("closed")).unwrap();
    fs::write(seed.join("closed/file"), "x").unwrap();
    fs::set_permissions(seed.join("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    for name in ["README.md", "closed"] {
        fs::File::open(seed.join(name)).unwrap().set_modified(old).unwrap();
    }
    place.provider.create(&place.spec("a")).await.unwrap();
    for name in [
        "README.md",
        "run.sh",
        "link",
        "src",
        "src/main.rs",
        "new\nline \u{fffd}",
        "empty",
        "large",
        "closed",
        "closed/file",
    ] {
        let was = fs::symlink_metadata(seed.join(name)).unwrap();
        let is = place.aside("a", &["stat", "-c", "%f %.9Y %s", name]).await;
        let bytes = is.trim_end().rsplit(' ').next().unwrap();
        let bytes = if was.is_dir() { bytes.to_owned() } else { was.len().to_string() };
        let facts = format!("{:x} {}.{:09} {bytes}\n", was.mode(), was.mtime(), was.mtime_nsec());
        assert_eq!(is, facts, "{name}");
    }
    assert_eq!(place.aside("a", &["readlink", "link"]).await, "src/main.rs\n");
    let same = place.aside("a", &["sh", "-c", r"head -c 300000 /dev/zero | tr '\0' '\7' | cmp - large"]).await;
    assert_eq!(same, "");
    assert!(place.provider.untouched("a").await.unwrap());
    // Without this the place itself cannot be cleared away by somebody without privileges.
    fs::set_permissions(seed.join("closed"), fs::Permissions::from_mode(0o755)).unwrap();
    place.provider.destroy("a").await.unwrap();
}

async fn a_seed_with_something_special_is_refused(place: Place) {
    let seed = place.folder.path().join("seed");
    std::os::unix::net::UnixListener::bind(seed.join("socket")).unwrap();
    let made = place.provider.create(&place.spec("a")).await;
    assert!(matches!(&made, Err(Error::Unusable { reason }) if reason.contains("socket")), "{made:?}");
    assert_eq!(place.left().await, [""; 0]);
    let mut spec = place.spec("a");
    spec.seed = seed.join("absent");
    assert!(matches!(place.provider.create(&spec).await, Err(Error::Missing(_))));
}

async fn an_untouched_workspace_is_proved(place: Place) {
    assert!(matches!(place.provider.untouched("a").await, Err(Error::Missing(_))));
    place.provider.create(&place.spec("a")).await.unwrap();
    assert!(place.provider.untouched("a").await.unwrap());
    place.ran("a", &sh("true", "true")).await;
    place
        .ran("a", &sh("read", "cat README.md src/main.rs link; ./run.sh; touch .git/index; touch $TMPDIR/x ~/y"))
        .await;
    assert!(place.provider.untouched("a").await.unwrap());
}

/// A sandbox whose clock is behind has files from the future, and one whose clock is ahead only old ones.
async fn a_clock_that_is_wrong_hides_no_change(place: Place) {
    let seed = place.folder.path().join("seed");
    for (name, seconds) in [("README.md", 4_000_000_000), ("run.sh", 1)] {
        let at = UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options().append(true).open(seed.join(name)).unwrap().set_modified(at).unwrap();
    }
    for (key, change) in
        [("a", "touch -d @1 README.md"), ("b", "touch -d @4000000000 run.sh"), ("c", "touch -d @1 new")]
    {
        place.provider.create(&place.spec(key)).await.unwrap();
        assert_eq!(place.aside(key, &["stat", "-c", "%Y", "README.md", "run.sh"]).await, "4000000000\n1\n");
        assert!(place.provider.untouched(key).await.unwrap(), "{change}");
        let ran = place.ran(key, &sh("main", change)).await;
        assert_eq!(ran.ended.exit, regatta_sandboxes::Exit::Code(0), "{ran:?}");
        assert!(ran.ended.elapsed_ms < 30_000, "{ran:?}");
        assert!(!place.provider.untouched(key).await.unwrap(), "{change}");
    }
}

async fn every_change_is_seen(place: Place) {
    for (number, change) in [
        "echo new > new",
        "rm README.md",
        "chmod +x README.md",
        "echo changed > README.md",
        "touch -r README.md $TMPDIR/t; echo HELLO > README.md; touch -r $TMPDIR/t README.md",
        "touch -r src/main.rs $TMPDIR/t; printf X | dd of=src/main.rs conv=notrunc; touch -r $TMPDIR/t src/main.rs src .",
        "touch -r . $TMPDIR/t; mv README.md ..x; mv ..x README.md; touch -r $TMPDIR/t .",
        "mv README.md $TMPDIR/; mv $TMPDIR/README.md .",
        "touch src/x; rm src/x",
        "ln -sf README.md link",
        "mkdir empty",
        "rm -rf .git",
        "cp -a src $TMPDIR/src; rm -rf src; mv $TMPDIR/src src",
    ]
    .iter()
    .enumerate()
    {
        let key = format!("a{number}");
        let ran = place.run(&key, &format!("set -e; {change}")).await;
        assert_eq!(ran.ended.exit, regatta_sandboxes::Exit::Code(0), "{change}: {}", ran.err);
        assert!(!place.provider.untouched(&key).await.unwrap(), "{change}");
    }
}

async fn the_outbox_gives_regular_files_only(place: Place) {
    let script = r#"cd $REGATTA_OUTBOX; printf 'diff\0\377' > 'new
line'; ln -s /etc/passwd link; ln -s . here; mkdir folder; mkfifo pipe; printf 12345 > five"#;
    place.run("a", script).await;
    let get = |name: &'static str, bytes_max| place.provider.get("a", "main", name, bytes_max);
    assert_eq!(get("new\nline", 100).await.unwrap(), b"diff\0\xff");
    assert_eq!(get("five", 5).await.unwrap(), b"12345");
    assert!(matches!(get("five", 4).await, Err(Error::TooLarge { bytes: 5, bytes_max: 4, .. })));
    for name in ["link", "here", "folder", "pipe", "absent", "here/five", "../spec.json", "..", ""] {
        let got = get(name, 1000).await;
        assert!(matches!(got, Err(Error::Missing(_))), "{name}: {got:?}");
    }
    assert!(matches!(place.provider.get("a", "never", "five", 10).await, Err(Error::Missing(_))));
}

async fn artifacts_are_seen_by_later_commands(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let ran =
        place.ran("a", &sh("nothing", "[ -z \"$(ls -A $REGATTA_ARTIFACTS)\" ] && rmdir $REGATTA_ARTIFACTS")).await;
    assert_eq!(ran.ended.exit, regatta_sandboxes::Exit::Code(0), "{ran:?}");
    assert!(place.provider.left_nothing("a", "nothing").await.unwrap());
    place.ran("a", &sh("main", "mkdir $REGATTA_ARTIFACTS/deep; echo kept >$REGATTA_ARTIFACTS/deep/file")).await;
    assert!(!place.provider.left_nothing("a", "main").await.unwrap());
    let ran =
        place.ran("a", &sh("later", "cat ${REGATTA_ARTIFACTS%/*}/main/deep/file; echo ${REGATTA_ARTIFACTS##*/}")).await;
    assert_eq!(ran.out, "kept\nlater\n", "{ran:?}");
    assert!(place.provider.untouched("a").await.unwrap(), "artifacts are no part of the workspace");
    // A link in its place may lead to anything.
    place.ran("a", &sh("link", "rmdir $REGATTA_ARTIFACTS; ln -s /etc $REGATTA_ARTIFACTS")).await;
    assert!(!place.provider.left_nothing("a", "link").await.unwrap());
    assert!(matches!(place.provider.left_nothing("gone", "main").await, Err(Error::Missing(_))));
}

async fn a_sparse_file_of_ten_gigabytes_is_not_read(place: Place) {
    let mut spec = place.spec("a");
    spec.bounds.disk_bytes_max = 20 << 30;
    place.provider.create(&spec).await.unwrap();
    let ran = place
        .ran("a", &sh("main", "truncate -s 10G $REGATTA_OUTBOX/big; mknod $REGATTA_OUTBOX/null c 1 3; true"))
        .await;
    assert_eq!(ran.ended.exit, regatta_sandboxes::Exit::Code(0), "{ran:?}");
    let big = place.provider.get("a", "main", "big", 64 << 20).await;
    assert!(matches!(big, Err(Error::TooLarge { bytes: 10_737_418_240, .. })), "{big:?}");
    assert!(matches!(place.provider.get("a", "main", "null", 10).await, Err(Error::Missing(_))));
}

async fn whatever_was_made_is_removed(place: Place) {
    let script = r#"
        mkdir -p closed/inner && touch closed/inner/file && chmod 000 closed/inner && chmod 500 closed
        touch -- 'new
line' '-rf' ' ' "$(printf 'bad\377name')"; ln -s / root; mkfifo pipe
        i=0; while [ $i -lt 200 ]; do mkdir d && cd d && touch x; i=$((i+1)); done"#;
    let ran = place.run("a", script).await;
    assert_eq!(ran.ended.exit, regatta_sandboxes::Exit::Code(0), "{ran:?}");
    assert!(place.has("a", "closed").await);
    place.provider.destroy("a").await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
    assert!(fs::exists("/etc/passwd").unwrap());
}
