//! A log of 1 GiB whose last block claims lengths nobody wrote: the real binary proves it, starts on it and cuts it off,
//! in bounded memory.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::install::Install;

/// Most memory of any process here: a fraction of the file and of what its fields claim.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
const FILE_BYTES: u64 = 1 << 30;
/// Bytes of a segment's header, which the first block follows, and of a block's header.
const SEGMENT_HEADER_BYTES: usize = 4_096;
const BLOCK_HEADER_BYTES: usize = 80;

/// The most memory a process had so far; nothing when it has ended.
fn peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10)
}

/// The most memory a process had until it ended, and whether it ended well.
fn ends(mut child: Child) -> (u64, bool) {
    let mut peak = 0;
    loop {
        peak = peak_bytes(child.id()).unwrap_or(0).max(peak);
        if let Some(status) = child.try_wait().expect("waited") {
            return (peak, status.success());
        }
        std::thread::yield_now();
    }
}

fn last_segment(install: &Install) -> PathBuf {
    let entries = fs::read_dir(install.data().join("journal")).expect("journal");
    let segments = entries.map(|entry| entry.expect("entry").path());
    segments.filter(|path| path.extension().is_some_and(|ending| ending == "seg")).max().expect("a segment")
}

#[test]
fn a_hostile_length_in_a_log_of_a_gibibyte_costs_little_memory() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["down"]).exits(0);
    let events = install.view(&["log", "stats"])["events"].as_u64().expect("events");
    let path = last_segment(&install);
    let whole = fs::read(&path).expect("segment");
    for (count, len) in [(4_096_u32, 8_u32 << 20), (u32::MAX, u32::MAX)] {
        let mut hostile = whole[SEGMENT_HEADER_BYTES..SEGMENT_HEADER_BYTES + BLOCK_HEADER_BYTES].to_vec();
        hostile[8..16].copy_from_slice(&(events + 1).to_le_bytes());
        hostile[16..20].copy_from_slice(&count.to_le_bytes());
        hostile[20..24].copy_from_slice(&len.to_le_bytes());
        hostile[24..28].copy_from_slice(&len.to_le_bytes());
        let file = File::options().write(true).open(&path).expect("segment");
        file.set_len(FILE_BYTES).expect("large");
        file.write_all_at(&hostile, whole.len() as u64).expect("hostile");
        let mut verify = install.command(&["log", "verify"]);
        let verifying = verify.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("verify");
        let (peak, is_well) = ends(verifying);
        println!("verify: {} MiB at most", peak >> 20);
        assert!(is_well && peak > 0 && peak < MEMORY_BYTES_MAX, "{peak}");
        install.regatta(&["up", "--detach"]).exits(0);
        let pid = fs::read_to_string(install.data().join("lock")).expect("lock");
        let peak = peak_bytes(pid.trim().parse().expect("pid")).expect("it runs");
        println!("server: {} MiB at most", peak >> 20);
        assert!(peak < MEMORY_BYTES_MAX, "{peak}");
        let told = fs::read_to_string(install.data().join("server.log")).expect("log");
        assert!(told.contains("cut an unfinished write off the end of the log"), "{told}");
        install.regatta(&["down"]).exits(0);
        assert!(path.metadata().expect("segment").len() < FILE_BYTES / 2, "it was cut off");
        install.regatta(&["log", "verify"]).exits(0);
        assert_eq!(install.view(&["log", "stats"])["events"].as_u64(), Some(events));
        fs::write(&path, &whole).expect("as it was");
    }
}
