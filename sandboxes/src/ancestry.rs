//! Whether a process runs in a sandbox of this machine, told by its ancestors: whatever a command starts stays below the
//! runner that watches it, and a process cannot choose its ancestors. Its environment, which it can choose, is not asked.

use std::fs;

use crate::runner::RUN;

/// Most ancestors looked at; deeper is taken to be inside.
const ANCESTORS_MAX: usize = 256;

/// Whether the process runs below a runner, of whatever installation. What is gone cannot be told and counts as inside.
#[must_use]
pub fn is_inside(process: i32) -> bool {
    let mut next = process;
    for _ in 0..ANCESTORS_MAX {
        let Some((is_runner, parent)) = look(next) else { return true };
        if is_runner {
            return true;
        }
        if parent <= 1 {
            return false;
        }
        next = parent;
    }
    true
}

/// Whether it is a runner, and its parent; nothing when it is gone.
fn look(process: i32) -> Option<(bool, i32)> {
    let words = fs::read(format!("/proc/{process}/cmdline")).ok()?;
    let is_runner = words.split(|byte| *byte == 0).nth(1) == Some(RUN.as_bytes());
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in parentheses and may hold any character; the state and the parent follow the last one.
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some((is_runner, parent))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn this_test_runs_in_no_sandbox_and_what_is_gone_cannot_be_told() {
        let own = i32::try_from(std::process::id()).expect("pid");
        assert!(!is_inside(own));
        assert!(is_inside(i32::MAX));
    }

    #[test]
    fn what_is_called_as_a_runner_is_inside() {
        let folder = tempfile::tempdir().expect("folder");
        fs::write(folder.path().join("sandbox-run"), "echo; read wait\n").expect("script");
        let mut shell = std::process::Command::new("sh");
        shell.arg("sandbox-run").current_dir(folder.path());
        let mut child =
            shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().expect("shell");
        // A process that has not quite become its program has no arguments yet.
        child.stdout.take().expect("stdout").read_exact(&mut [0]).expect("it runs");
        let inside = is_inside(i32::try_from(child.id()).expect("pid"));
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert!(inside);
    }
}
