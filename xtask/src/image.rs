//! `cargo xtask image`: the image Docker sandboxes use by default, from Debian's packages, without a registry. The archive is
//! kept under `target/`, so an engine that lost it gets it back without the network.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::command::{answer, run as go, target};

/// Its name; `docker.image` has it as its default.
const NAME: &str = "regatta/base:bookworm";
/// The release, and what is in it besides the essential packages.
const SUITE: &str = "bookworm";
const PACKAGES: &str = "--include=git,ca-certificates";
/// Whoever runs commands in a sandbox.
const USER: &str = "useradd --create-home --uid 1000 agent";
/// What only a person would look at.
const SURPLUS: &str =
    "rm -rf /var/lib/apt/lists/* /var/cache/apt/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*";
/// Where packages come from when the machine's own sources name nothing.
const MIRROR: &str = "http://deb.debian.org/debian";

/// Makes the image unless the engine has it; with `again` in any case.
pub(crate) fn run(again: bool) -> Result<ExitCode, String> {
    if answer(Command::new("docker").arg("version")).is_none() {
        return Err("no Docker engine answers: apt install docker.io, and start dockerd".to_owned());
    }
    let known = answer(Command::new("docker").args(["image", "inspect", "--format", "{{.Id}}", NAME]));
    if let Some(id) = known.filter(|_| !again) {
        eprintln!("{NAME} is there: {id}");
        return Ok(ExitCode::SUCCESS);
    }
    let folder = target().join("image");
    let archive = folder.join(format!("{SUITE}.tar"));
    if again || !archive.exists() {
        std::fs::create_dir_all(&folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
        make(&folder, &archive)?;
    }
    go(Command::new("docker").args(["import", "--change", "LABEL dev.regatta.image=base"]).arg(&archive).arg(NAME))?;
    Ok(ExitCode::SUCCESS)
}

fn make(folder: &Path, archive: &Path) -> Result<(), String> {
    if answer(Command::new("debootstrap").arg("--version")).is_none() {
        return Err("the image is made by debootstrap: apt install debootstrap".to_owned());
    }
    if answer(Command::new("id").arg("-u")).as_deref() != Some("0") {
        return Err("debootstrap needs root: run it by sudo, or name another image by docker.image".to_owned());
    }
    let root = folder.join(format!("{SUITE}.root"));
    let clear = || go(Command::new("rm").args(["-rf", "--one-file-system"]).arg(&root));
    clear()?;
    eprintln!("making {NAME} from {} (about a minute)", mirror());
    go(Command::new("debootstrap")
        .args(["--variant=minbase", PACKAGES, SUITE])
        .arg(&root)
        .arg(mirror())
        .stdout(Stdio::null()))?;
    for command in [USER, SURPLUS] {
        go(Command::new("chroot").arg(&root).args(["/bin/sh", "-c", command]))?;
    }
    // Whole or not at all.
    let fresh = archive.with_extension("new");
    go(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&fresh).arg("."))?;
    std::fs::rename(&fresh, archive).map_err(|error| format!("failed to keep {}: {error}", archive.display()))?;
    clear()
}

/// The mirror this machine's own packages come from.
fn mirror() -> String {
    let told = answer(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)", "Codename: bookworm"]));
    let told = told.unwrap_or_default();
    let own = told.lines().find(|line| line.starts_with("http") && line.trim_end_matches('/').ends_with("/debian"));
    own.unwrap_or(MIRROR).to_owned()
}
