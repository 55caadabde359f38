//! What a command left, packed by the real script as a sandbox would run it, and read back.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use regatta_core::BlobRef;
use regatta_core::event::attempt::Phase;
use regatta_dispatcher::artifacts::{Gathered, Known, LIST_FILE, Source, gather, pack_exec, pack_failure};
use regatta_sandboxes::Exit;

/// A sandbox's folders, with nobody in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("folder") };
        for name in ["work", "outbox", "artifacts/agent", "artifacts/artifacts-agent-1"] {
            fs::create_dir_all(place.path(name)).expect("folder");
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, content).expect("written");
    }

    fn pack(&self, globs: &[&str], known: &Known) -> Gathered {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let exec = pack_exec("artifacts-agent-1".to_owned(), Phase::Agent, &globs);
        let mut command = Command::new(&exec.argv[0]);
        command.args(&exec.argv[1..]).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(&exec.env).env("REGATTA_WORKSPACE", self.path("work")).env("REGATTA_OUTBOX", self.path("outbox"));
        command.env("REGATTA_ARTIFACTS", self.path("artifacts/artifacts-agent-1")).current_dir(self.path("work"));
        let ran = command.output().expect("runs");
        let exit = Exit::Code(ran.status.code().unwrap_or(-1));
        assert_eq!(pack_failure(&exit, &ran.stderr), None);
        let outbox = self.path("outbox");
        let archives = Source::ALL
            .into_iter()
            .filter_map(|source| fs::read(outbox.join(source.archive())).ok().map(|archive| (source, archive)));
        gather(Phase::Agent, &fs::read(outbox.join(LIST_FILE)).expect("list"), &archives.collect::<Vec<_>>(), known)
    }
}

fn names(gathered: &Gathered) -> Vec<&str> {
    gathered.files.iter().map(|file| file.name.as_str()).collect()
}

fn omitted(gathered: &Gathered) -> Vec<&str> {
    gathered.omitted.iter().map(|one| one.name.as_str()).collect()
}

#[test]
fn files_of_the_folder_and_files_asked_for_are_kept_ignored_ones_too() {
    let place = Place::new();
    place.write("artifacts/agent/report/index.html", b"<h1>");
    place.write("work/.gitignore", b"target\n");
    place.write("work/target/report/a.xml", b"a");
    place.write("work/target/report/deep/b.xml", b"b\0\xff");
    place.write("work/target/other", b"not asked for");
    place.write("work/src/-rf.log", b"log");
    fs::set_permissions(place.path("work/target/report/a.xml"), fs::Permissions::from_mode(0o755)).expect("mode");
    let gathered = place.pack(&["target/report/**", "*/-rf.log"], &Known::new());
    assert_eq!(
        names(&gathered),
        [
            "agent/report/index.html",
            "workspace/src/-rf.log",
            "workspace/target/report/a.xml",
            "workspace/target/report/deep/b.xml"
        ]
    );
    assert_eq!((gathered.files[2].mode, gathered.files[3].content.as_slice()), (0o755, &b"b\0\xff"[..]));
    assert_eq!(gathered.omitted_count, 0);
    let known = gathered.files.iter().map(|file| (file.name.clone(), BlobRef::of(&file.content))).collect();
    place.write("work/target/report/a.xml", b"another");
    assert_eq!(names(&place.pack(&["target/report/**"], &known)), ["workspace/target/report/a.xml"]);
}

#[test]
fn links_pipes_and_giants_are_not_kept_and_said() {
    let place = Place::new();
    place.write("artifacts/agent/good", b"good");
    symlink("/etc/passwd", place.path("artifacts/agent/link")).expect("link");
    symlink("/etc", place.path("artifacts/agent/folder")).expect("link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place.path("artifacts/agent/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("pipe");
    let sparse = fs::File::create(place.path("artifacts/agent/sparse")).expect("file");
    sparse.set_len(1 << 40).expect("a terabyte of nothing");
    place.write("artifacts/agent/line\nend", b"x");
    let gathered = place.pack(&[], &Known::new());
    assert_eq!(names(&gathered), ["agent/good"]);
    assert_eq!(omitted(&gathered), ["line\u{fffd}end", "sparse", "folder", "link", "pipe"]);
    assert_eq!(gathered.omitted_count, 5);
}

#[test]
fn a_link_where_the_folder_was_leads_nowhere() {
    let place = Place::new();
    fs::remove_dir(place.path("artifacts/agent")).expect("removed");
    symlink("/etc", place.path("artifacts/agent")).expect("link");
    assert_eq!(place.pack(&[], &Known::new()), Gathered::default());
    fs::create_dir(place.path("work/real")).expect("folder");
    symlink("/etc", place.path("work/etc")).expect("link");
    let gathered = place.pack(&["etc/*", "etc/**", "real/**"], &Known::new());
    assert_eq!(names(&gathered), [""; 0]);
}

#[test]
fn what_does_not_fit_any_more_is_said_and_what_is_closed_is_read() {
    let place = Place::new();
    for name in ["a", "b", "c"] {
        place.write(&format!("artifacts/agent/{name}"), &vec![7; 30 << 20]);
    }
    place.write("artifacts/agent/A/closed", b"seen all the same");
    fs::set_permissions(place.path("artifacts/agent/A/closed"), fs::Permissions::from_mode(0o000)).expect("mode");
    let gathered = place.pack(&[], &Known::new());
    assert_eq!(names(&gathered), ["agent/A/closed", "agent/a", "agent/b"]);
    assert_eq!(omitted(&gathered), ["c"]);
}

#[test]
fn a_hostile_configuration_of_the_workspace_runs_nothing() {
    let place = Place::new();
    let mark = place.path("mark");
    let run = format!("#!/bin/sh\ntouch {}\n", mark.display());
    place.write("program", run.as_bytes());
    make_executable(&place.path("program"));
    let config = format!(
        "[core]\n\tfsmonitor = {0}\n\thooksPath = {1}\n",
        place.path("program").display(),
        place.folder.path().display()
    );
    place.write("work/.git/config", config.as_bytes());
    place.write("work/.git/HEAD", b"ref: refs/heads/main\n");
    place.write("work/out/x", b"x");
    assert_eq!(names(&place.pack(&["out/**"], &Known::new())), ["workspace/out/x"]);
    assert!(!mark.exists());
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode");
}
