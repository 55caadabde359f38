//! A real file system of a chosen size, for tests that fill it. Also used by the tests of the program.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own, taken away at the end.
pub(crate) struct Mounted {
    dir: PathBuf,
    _image: tempfile::NamedTempFile,
}

impl Mounted {
    /// At an empty folder; nothing when this machine does not allow it.
    pub(crate) fn at(dir: &Path, megabytes: u64) -> Option<Self> {
        let image = tempfile::NamedTempFile::new().expect("image");
        image.as_file().set_len(megabytes << 20).expect("image");
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image.path()));
        let looped = made.and_then(|()| run(Command::new("mount").args(["-o", "loop"]).arg(image.path()).arg(dir)));
        let mounted = looped.or_else(|why| {
            let size = format!("size={megabytes}m");
            let tmpfs = run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir));
            tmpfs.map_err(|and| format!("{why}; {and}"))
        });
        if let Err(reason) = mounted {
            assert_ne!(std::env::var("REGATTA_TEST_REQUIRE").as_deref(), Ok("all"), "{reason}");
            println!("skipped: no file system can be mounted: {reason}");
            return None;
        }
        Some(Self { dir: dir.to_owned(), _image: image })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Takes all there is, to the last byte; the file that does.
    pub(crate) fn fill_up(&self) -> PathBuf {
        let path = self.dir.join("filler");
        let mut filler = File::create(&path).expect("filler");
        for bytes in [1 << 20, 1 << 12, 1] {
            while filler.write_all(&vec![1; bytes]).and_then(|()| filler.sync_all()).is_ok() {}
        }
        path
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.dir).status().expect("umount");
    }
}
