//! Reading what was packed: names are checked, bounds are kept, and whatever is not kept is said. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use regatta_core::BlobRef;
use regatta_core::event::attempt::{
    ARTIFACT_NAME_BYTES_MAX, ARTIFACTS_MAX, OMITTED_LISTED_MAX, OmittedArtifact, Phase,
};
use tar::{Archive, EntryType};

use super::{ARTIFACT_BYTES_MAX, ARTIFACTS_BYTES_MAX, Source};

/// Characters of a name that is not kept, shown to people.
const SHOWN_CHARS_MAX: usize = 120;
/// Permission bits that are kept.
const MODE_MASK: u32 = 0o777;

/// What is kept of the attempt already, by name.
pub type Known = BTreeMap<String, BlobRef>;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gathered {
    /// New files, and those that are not what they were; by name.
    pub files: Vec<GatheredFile>,
    /// What is not kept, cut at [`OMITTED_LISTED_MAX`].
    pub omitted: Vec<OmittedArtifact>,
    /// How many are not kept.
    pub omitted_count: u64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatheredFile {
    /// Its name, as in [`regatta_core::event::attempt::Artifact`].
    pub name: String,
    /// Its permission bits.
    pub mode: u32,
    /// Its content.
    pub content: Vec<u8>,
}

/// Reads the archives of a phase, and the list of what should be in them.
#[must_use]
pub fn gather(phase: Phase, list: &[u8], archives: &[(Source, Vec<u8>)], known: &Known) -> Gathered {
    let mut reading =
        Reading { phase, known, seen: BTreeSet::new(), taken: BTreeMap::new(), gathered: Gathered::default() };
    for (source, archive) in archives {
        reading.archive(*source, archive);
    }
    reading.list(list);
    let mut gathered = reading.gathered;
    gathered.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    gathered
}

struct Reading<'a> {
    phase: Phase,
    known: &'a Known,
    /// Paths that were in an archive, kept or not.
    seen: BTreeSet<(u8, Vec<u8>)>,
    /// What will be kept of the attempt: sizes of what is new, by name.
    taken: BTreeMap<String, u64>,
    gathered: Gathered,
}

impl Reading<'_> {
    /// An archive that was cut short ends where it was cut.
    fn archive(&mut self, source: Source, bytes: &[u8]) {
        let mut archive = Archive::new(bytes);
        // Several were written one behind the other when there were many names.
        archive.set_ignore_zeros(true);
        let Ok(entries) = archive.entries() else { return };
        for entry in entries {
            let Ok(mut entry) = entry else { return };
            let path = entry.path_bytes().into_owned();
            let size = entry.size();
            let header = entry.header();
            let (kind, mode) = (header.entry_type(), header.mode().unwrap_or(0o600) & MODE_MASK);
            let refused = refusal(kind, size);
            let content = if refused.is_none() {
                let mut content = Vec::new();
                let is_whole = entry.read_to_end(&mut content).is_ok() && content.len() as u64 == size;
                // The list tells of it.
                if !is_whole {
                    return;
                }
                content
            } else {
                Vec::new()
            };
            self.seen.insert((source.letter(), path.clone()));
            match (refused, name(source, self.phase, &path)) {
                (Some(reason), _) | (None, Err(reason)) => self.omit(&path, reason),
                (None, Ok(name)) => self.take(&path, GatheredFile { name, mode, content }),
            }
        }
    }

    fn take(&mut self, path: &[u8], file: GatheredFile) {
        let bytes = file.content.len() as u64;
        let is_known = self.known.get(&file.name).is_some_and(|known| *known == BlobRef::of(&file.content));
        if self.taken.contains_key(&file.name) {
            return self.omit(path, "another file is shown by this name");
        }
        if is_known {
            return;
        }
        let (mut count, mut sum) = (self.taken.len(), self.taken.values().sum::<u64>());
        for (name, known) in self.known.iter().filter(|(name, _)| !self.taken.contains_key(*name)) {
            if *name != file.name {
                count += 1;
                sum += known.bytes;
            }
        }
        if count >= ARTIFACTS_MAX {
            return self.omit(path, "the attempt has 500 artifacts already");
        }
        if sum + bytes > ARTIFACTS_BYTES_MAX {
            return self.omit(path, TOO_MUCH);
        }
        self.taken.insert(file.name.clone(), bytes);
        self.gathered.files.push(file);
    }

    /// Says what is not kept.
    fn list(&mut self, list: &[u8]) {
        for line in list.split(|byte| *byte == 0) {
            let [source, what, path @ ..] = line else { continue };
            match what {
                b'l' => self.omit(path, TOO_LARGE),
                b'o' => self.omit(path, NO_FILE),
                // Archives have no `./` or have it, as their writer likes.
                b'k' if !self.has_seen(*source, path) => self.omit(path, TOO_MUCH),
                _ => {}
            }
        }
    }

    fn has_seen(&self, source: u8, path: &[u8]) -> bool {
        let bare = path.strip_prefix(b"./").unwrap_or(path);
        self.seen.contains(&(source, path.to_vec())) || self.seen.contains(&(source, bare.to_vec()))
    }

    fn omit(&mut self, path: &[u8], reason: &str) {
        self.gathered.omitted_count += 1;
        if self.gathered.omitted.len() < OMITTED_LISTED_MAX {
            let path = String::from_utf8_lossy(path.strip_prefix(b"./").unwrap_or(path));
            let name =
                path.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(SHOWN_CHARS_MAX).collect();
            self.gathered.omitted.push(OmittedArtifact { name, reason: reason.to_owned() });
        }
    }
}

/// Why an entry cannot be kept whatever its name.
fn refusal(kind: EntryType, size: u64) -> Option<&'static str> {
    if kind == EntryType::Link {
        // Its other name is there.
        return Some("another name of a file that is kept");
    }
    if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
        return Some(NO_FILE);
    }
    (size > ARTIFACT_BYTES_MAX).then_some(TOO_LARGE)
}

const TOO_LARGE: &str = "larger than 32 MiB";
const NO_FILE: &str = "no regular file; links and devices are not followed";
const TOO_MUCH: &str = "could not be read, or all artifacts together are larger than 64 MiB";

/// What an artifact is called; the error says why it cannot be kept.
fn name(source: Source, phase: Phase, path: &[u8]) -> Result<String, &'static str> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let text = str::from_utf8(path).map_err(|_| "its name is not UTF-8")?;
    if text.contains(char::is_control) || text.contains('\\') {
        return Err("its name holds a control character or a backslash");
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("its name leaves its folder");
    }
    let name = match source {
        Source::Folder => format!("{phase}/{text}"),
        Source::Workspace => format!("workspace/{text}"),
    };
    if name.len() > ARTIFACT_NAME_BYTES_MAX {
        return Err("its name is too long");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with exactly these paths, whatever a polite writer would think of them.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            let name = header.as_gnu_mut().expect("gnu");
            name.name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o104_755);
            header.set_cksum();
            builder.append(&header, *content).expect("appended");
        }
        builder.into_inner().expect("whole")
    }

    fn check(archive: &[u8], list: &[u8], known: &Known) -> (Vec<String>, Vec<String>) {
        let gathered = gather(Phase::Agent, list, &[(Source::Folder, archive.to_vec())], known);
        assert_eq!(gathered.omitted_count, gathered.omitted.len() as u64);
        let kept = gathered.files.iter().map(|file| file.name.clone()).collect();
        let omitted = gathered.omitted.iter().map(|one| format!("{}: {}", one.name, one.reason)).collect();
        (kept, omitted)
    }

    #[test]
    fn files_are_kept_under_the_name_of_their_phase() {
        let bytes = archive(&[("./b/two.txt", b"2"), ("./one", b"1")]);
        let gathered =
            gather(Phase::Check(3), b"", &[(Source::Folder, bytes.clone()), (Source::Workspace, bytes)], &Known::new());
        let names: Vec<&str> = gathered.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["check-3/b/two.txt", "check-3/one", "workspace/b/two.txt", "workspace/one"]);
        assert_eq!(gathered.files[0].mode, 0o755);
        assert_eq!(gathered.files[0].content, b"2");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused_and_said() {
        for hostile in ["/etc/passwd", "../../x", "a/../../x", "./a//b", ".", "a/..", "a\\b", "a\u{1b}[31mb", "a\nb"] {
            let (kept, omitted) = check(&archive(&[(hostile, b"x"), ("./good", b"y")]), b"", &Known::new());
            assert_eq!((kept, omitted.len()), (vec!["agent/good".to_owned()], 1), "{hostile:?}");
        }
        let (kept, _) = check(&archive(&[("./<img src=x onerror=alert(1)>", b"x")]), b"", &Known::new());
        assert_eq!(kept, ["agent/<img src=x onerror=alert(1)>"]);
    }

    #[test]
    fn links_devices_and_folders_are_refused_and_said() {
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo, EntryType::GNUSparse] {
            let mut header = tar::Header::new_gnu();
            header.set_path("x").expect("path");
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_cksum();
            let mut builder = tar::Builder::new(Vec::new());
            builder.append(&header, &b""[..]).expect("appended");
            let (kept, omitted) = check(&builder.into_inner().expect("whole"), b"fk./x\0", &Known::new());
            assert_eq!((kept.len(), omitted.len()), (0, 1), "{kind:?}");
        }
    }

    #[test]
    fn an_archive_that_was_cut_short_gives_what_is_whole_and_the_list_names_the_rest() {
        let bytes = archive(&[("./a", &[1; 2_000]), ("./b", &[2; 2_000])]);
        let (kept, omitted) = check(&bytes[..4_000], b"fk./a\0fk./b\0fl./giant\0fo./link\0", &Known::new());
        assert_eq!(kept, ["agent/a"]);
        assert_eq!(omitted.len(), 3, "{omitted:?}");
        assert!(omitted[0].starts_with("b: ") && omitted[1].starts_with("giant: ") && omitted[2].starts_with("link: "));
        for cut in 0..bytes.len() {
            check(&bytes[..cut], b"fk./a\0", &Known::new());
        }
    }

    #[test]
    fn what_is_kept_already_is_not_kept_again_unless_it_changed() {
        let known =
            Known::from([("agent/a".to_owned(), BlobRef::of(b"1")), ("agent/b".to_owned(), BlobRef::of(b"old"))]);
        let (kept, omitted) = check(&archive(&[("./a", b"1"), ("./b", b"new")]), b"fk./a\0fk./b\0", &known);
        assert_eq!((kept, omitted), (vec!["agent/b".to_owned()], vec![]));
    }

    #[test]
    fn bounds_hold_over_everything_an_attempt_leaves() {
        let known: Known = (0..ARTIFACTS_MAX - 1).map(|n| (format!("agent/{n}"), BlobRef::of(b""))).collect();
        let (kept, omitted) = check(&archive(&[("./x", b"1"), ("./y", b"2")]), b"", &known);
        assert_eq!((kept.len(), omitted.len()), (1, 1));
        let full = BlobRef { bytes: ARTIFACTS_BYTES_MAX - 1, ..BlobRef::of(b"") };
        let (kept, omitted) =
            check(&archive(&[("./x", b"1"), ("./y", b"2")]), b"", &Known::from([("agent/full".to_owned(), full)]));
        assert_eq!((kept.len(), omitted.len()), (1, 1));
    }
}
