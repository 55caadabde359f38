//! The walls of Landlock: a program fences itself and then becomes the command, so that nothing of ours is inside.
//! There are no namespaces: other processes are seen but cannot be signalled or looked into, and what is not named here
//! cannot be opened. Whatever the kernel is too old for is left out, and said in the name of the fence.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::layout::{self, ARTIFACTS, HOME, INBOX, OUTBOX, Plan, SPEC, TMP, WORK};

/// The newest kernel we know; older ones keep what they can.
const KNOWN: ABI = ABI::V9;
/// Where programs and what they need are.
const SYSTEM: [&str; 15] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/proc",
    "/sys",
    "/nix",
    "/gnu",
    "/snap",
    "/var/lib/dpkg",
];
/// The devices that hold nothing of anybody.
const DEVICES: [&str; 8] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"];
/// Where the number of the last capability is; some are newer than our libraries.
const LAST_CAPABILITY: &str = "/proc/sys/kernel/cap_last_cap";

/// Becomes the command of the folder. Returns only when that failed; why is then also told on what was standard input.
pub(super) fn become_command(folder: &Path) -> io::Error {
    let report = match rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3) {
        Ok(report) => report,
        Err(error) => return error.into(),
    };
    let why = become_it(folder);
    tell(&report, &why);
    why
}

fn tell(report: &OwnedFd, why: &io::Error) {
    rustix::io::write(report, why.to_string().as_bytes()).ok();
}

fn become_it(folder: &Path) -> io::Error {
    let fenced = || -> io::Result<Plan> {
        std::env::set_current_dir(folder)?;
        let plan: Plan = layout::json(Path::new(SPEC))?;
        restrict(&plan).map_err(io::Error::other)?;
        give_up_capabilities()?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(plan)
    };
    let plan = match fenced() {
        Ok(plan) => plan,
        Err(error) => return io::Error::other(format!("the fence could not be put up: {error}")),
    };
    let Some((program, arguments)) = plan.argv.split_first() else { return io::Error::other("the command is empty") };
    let work = plan.folder.join(WORK);
    let why = Command::new(program).args(arguments).envs(&plan.env).current_dir(work).stdin(Stdio::null()).exec();
    io::Error::new(why.kind(), super::launch::could_not_start(program, &why))
}

fn restrict(plan: &Plan) -> Result<RestrictionStatus, RulesetError> {
    let all = AccessFs::from_all(KNOWN);
    let read = AccessFs::from_read(KNOWN);
    let inside = [WORK, HOME, TMP, ARTIFACTS].map(|name| plan.folder.join(name));
    let shown = plan.home_links.iter().map(|link| link.source.clone());
    let shown = shown.chain(plan.read_only.iter().chain(&plan.read).cloned()).chain([plan.folder.join(INBOX)]);
    let kept = super::bubblewrap::RUN_KEPT;
    // Opened from here, since the outbox is this command's alone.
    let writable = inside.into_iter().chain([PathBuf::from(OUTBOX)]);
    ruleset(plan.network)?
        .add_rules(path_beneath_rules(writable, all))?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(kept, read))?
        .add_rules(path_beneath_rules(shown, read))?
        .add_rules(path_beneath_rules(DEVICES, device()))?
        .restrict_self()
}

fn device() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev
}

fn ruleset(network: bool) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?.scope(Scope::from_all(KNOWN))?;
    if network { ruleset } else { ruleset.handle_access(AccessNet::from_all(KNOWN))? }.create()
}

/// Root without capabilities is nobody special; without new privileges it stays so.
fn give_up_capabilities() -> io::Result<()> {
    let none = CapabilitySet::empty();
    let held = rustix::thread::capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        let last = std::fs::read_to_string(LAST_CAPABILITY)?.trim().parse().unwrap_or(63_u32).min(63);
        for number in 0..=last {
            rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number))?;
        }
    }
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Puts up an empty fence around this process and says what it is called; the error says why there is none.
pub(super) fn probe() -> Result<String, String> {
    let status = ruleset(false).and_then(RulesetCreated::restrict_self).map_err(|error| error.to_string())?;
    let abi = match status.landlock {
        LandlockStatus::NotEnabled => return Err("Landlock is not enabled in this kernel".to_owned()),
        LandlockStatus::NotImplemented => return Err("this kernel has no Landlock (it needs 5.13)".to_owned()),
        LandlockStatus::Available { effective_abi, kernel_abi } => kernel_abi.unwrap_or(effective_abi as i32),
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(format!("landlock (abi {abi})")),
        RulesetStatus::PartiallyEnforced => Ok(format!("landlock (abi {abi}, partly)")),
        RulesetStatus::NotEnforced => Err("Landlock enforces nothing here".to_owned()),
    }
}
