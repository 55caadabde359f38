//! From a choice to one patch, or to the conflicts in it.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Slot;
use regatta_core::event::run::TakenHunk;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::choice::{CHOICES_MAX, Choice};
use super::patch::{Edit, FilePatch};
use crate::{Refusal, RefusalKind};

/// What was chosen, put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Against the base, without context: to be applied to exactly that base.
    pub patch: Vec<u8>,
    /// What it is made of, by path and place.
    pub hunks: Vec<TakenHunk>,
}

/// Two choices that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// In which file.
    pub path: String,
    /// What does not go together.
    pub between: Vec<TakenHunk>,
    /// Why, for people.
    pub reason: String,
}

/// Why there is no patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotComposed {
    /// The choice names something there is not.
    Refused(Refusal),
    /// What is chosen does not go together.
    Conflicts(Vec<Conflict>),
}

impl From<Refusal> for NotComposed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What one attempt gives to one path.
#[derive(Debug, Default)]
struct Given {
    is_whole: bool,
    /// Places of hunks, from 0.
    hunks: BTreeSet<usize>,
}

/// Puts the chosen hunks together. `patches` holds what each attempt changed, all against the same base.
///
/// # Errors
/// When the choice names something there is not, or does not go together.
pub fn compose(patches: &BTreeMap<Slot, Vec<FilePatch<'_>>>, choices: &[Choice]) -> Result<Composed, NotComposed> {
    if choices.is_empty() {
        return Err(invalid("nothing is chosen").hint("name hunks as LETTER:PATH#NUMBER, as a:src/lib.rs#1").into());
    }
    if choices.len() > CHOICES_MAX {
        return Err(invalid(format!("{} hunks are chosen, at most {CHOICES_MAX} are taken", choices.len())).into());
    }
    let mut paths: BTreeMap<&[u8], BTreeMap<Slot, (&FilePatch<'_>, Given)>> = BTreeMap::new();
    for choice in choices {
        let (file, hunk) = find(patches, choice)?;
        let (_, given) =
            paths.entry(&file.path).or_default().entry(choice.slot).or_insert_with(|| (file, Given::default()));
        match hunk.filter(|_| file.whole.is_none()) {
            Some(place) => drop(given.hunks.insert(place)),
            None => given.is_whole = true,
        }
    }
    let mut composed = Composed { patch: vec![], hunks: vec![] };
    let mut conflicts = Vec::new();
    for given in paths.values() {
        match one_path(given) {
            Ok((mut patch, mut hunks)) => {
                composed.patch.append(&mut patch);
                composed.hunks.append(&mut hunks);
            }
            Err(mut found) => conflicts.append(&mut found),
        }
    }
    if conflicts.is_empty() { Ok(composed) } else { Err(NotComposed::Conflicts(conflicts)) }
}

/// The file a choice names, and the place of its hunk.
fn find<'a, 'p>(
    patches: &'a BTreeMap<Slot, Vec<FilePatch<'p>>>,
    choice: &Choice,
) -> Result<(&'a FilePatch<'p>, Option<usize>), Refusal> {
    let slot = choice.slot;
    let files = patches.get(&slot).ok_or_else(|| {
        Refusal::new(RefusalKind::NotFound, format!("attempt {slot} left nothing that could be taken"))
    })?;
    let path = choice.path.as_bytes();
    let none = || {
        Refusal::new(RefusalKind::NotFound, format!("attempt {slot} did not change {:?}", choice.path))
            .hint("regatta compare RUN --diff LETTER shows what it changed")
    };
    let file = files.iter().find(|file| file.path == path).ok_or_else(none)?;
    let Some(number) = choice.hunk else { return Ok((file, None)) };
    let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let hunk = place.and_then(|place| Some((place, file.hunks.get(place)?)));
    let (place, hunk) = hunk.ok_or_else(|| {
        let message = format!("there is no hunk {number} of {:?} in attempt {slot}", choice.path);
        Refusal::new(RefusalKind::NotFound, message).hint(match file.hunks.len() {
            0 => "take the file as a whole: leave the number out".to_owned(),
            count => format!("hunks are counted from 1; there are {count}"),
        })
    })?;
    if choice.hash.as_ref().is_some_and(|hash| *hash != hunk.hash) {
        let message = format!("hunk {number} of {:?} in attempt {slot} is not the one that was seen", choice.path);
        return Err(Refusal::new(RefusalKind::WrongState, message).hint("look at the diff again, then choose again"));
    }
    Ok((file, Some(place)))
}

type Part = (Vec<u8>, Vec<TakenHunk>);

fn one_path(given: &BTreeMap<Slot, (&FilePatch<'_>, Given)>) -> Result<Part, Vec<Conflict>> {
    if given.values().any(|(file, _)| file.whole.is_some()) {
        return whole(given).map_err(|conflict| vec![conflict]);
    }
    let mode = mode(given).map_err(|conflict| vec![conflict])?;
    let edits = edits(given)?;
    let Some((file, _)) = given.values().next() else { return Ok((vec![], vec![])) };
    let mut taken: Vec<TakenHunk> =
        given.iter().flat_map(|(slot, (file, given))| taken_of(*slot, file, given)).collect();
    taken.sort_by_key(|hunk| (old_start(&hunk.header), hunk.slot));
    Ok((written(file, mode, &edits), taken))
}

/// A file that goes as a whole, from whoever was asked, when all of them made the same of it.
fn whole(given: &BTreeMap<Slot, (&FilePatch<'_>, Given)>) -> Result<Part, Conflict> {
    let Some((first, _)) = given.values().next() else { return Ok((vec![], vec![])) };
    if given.values().all(|(file, _)| file.raw == first.raw) {
        let taken = given.iter().map(|(slot, (file, _))| taken_whole(*slot, file)).collect();
        return Ok((first.raw.concat(), taken));
    }
    let why: Vec<String> =
        given.iter().map(|(slot, (file, _))| format!("in {slot} {}", file.whole.unwrap_or("it is changed"))).collect();
    Err(Conflict {
        path: first.shown(),
        between: given.iter().map(|(slot, (file, _))| taken_whole(*slot, file)).collect(),
        reason: format!("it can only be taken from one attempt: {}", why.join(", ")),
    })
}

/// The mode of a file before and after, as printed.
type Modes<'p> = (&'p [u8], &'p [u8]);

/// The mode that goes along with whole files; hunks alone leave it as it is.
fn mode<'p>(given: &BTreeMap<Slot, (&FilePatch<'p>, Given)>) -> Result<Option<Modes<'p>>, Conflict> {
    let with_mode = given.iter().filter(|(_, (file, given))| given.is_whole && file.mode.is_some());
    let mut found: Option<Modes<'p>> = None;
    for (_, (file, _)) in with_mode.clone() {
        if found.is_some() && found != file.mode {
            return Err(Conflict {
                path: file.shown(),
                between: with_mode.map(|(slot, (file, _))| taken_whole(*slot, file)).collect(),
                reason: "they give it different modes".to_owned(),
            });
        }
        found = file.mode;
    }
    Ok(found)
}

/// Every edit of a path, in order, each once; or those that do not go together.
fn edits<'a, 'p>(given: &'a BTreeMap<Slot, (&'a FilePatch<'p>, Given)>) -> Result<Vec<&'a Edit<'p>>, Vec<Conflict>> {
    let mut all: Vec<(&Edit<'p>, TakenHunk)> = Vec::new();
    for (slot, (file, given)) in given {
        for (place, hunk) in (0..).zip(&file.hunks) {
            if given.is_whole || given.hunks.contains(&place) {
                all.extend(hunk.edits.iter().map(|edit| (edit, taken(*slot, file, place))));
            }
        }
    }
    all.sort_by_key(|(edit, _)| (edit.at, edit.end()));
    let mut kept: Vec<(&Edit<'p>, TakenHunk)> = Vec::new();
    let mut conflicts = BTreeSet::new();
    // The edit that reaches furthest so far: nothing later can meet an earlier one without meeting this.
    let mut furthest: Option<(&Edit<'p>, TakenHunk)> = None;
    for (edit, hunk) in all {
        if kept.last().is_some_and(|(last, _)| *last == edit) {
            continue;
        }
        if let Some((before, other)) = &furthest
            && before.meets(edit)
        {
            let reason = "they change the same lines".to_owned();
            conflicts.insert(Conflict { path: hunk.path.clone(), between: vec![other.clone(), hunk.clone()], reason });
        }
        if furthest.as_ref().is_none_or(|(before, _)| before.end() <= edit.end()) {
            furthest = Some((edit, hunk.clone()));
        }
        kept.push((edit, hunk));
    }
    if conflicts.is_empty() {
        Ok(kept.into_iter().map(|(edit, _)| edit).collect())
    } else {
        Err(conflicts.into_iter().collect())
    }
}

impl Edit<'_> {
    /// Lines of the base before what follows it.
    fn end(&self) -> u64 {
        self.at + self.removed.len() as u64
    }

    /// Whether it and a later one touch the same lines, or insert at a place where their order would be a guess.
    fn meets(&self, later: &Self) -> bool {
        let inserts = self.removed.is_empty() || later.removed.is_empty();
        later.at < self.end() || (later.at == self.end() && inserts)
    }
}

/// A file's part of the patch: its edits without context.
fn written(file: &FilePatch<'_>, mode: Option<(&[u8], &[u8])>, edits: &[&Edit<'_>]) -> Vec<u8> {
    let mut patch = Vec::new();
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| patch.extend_from_slice(part));
    put(&[b"diff --git ", file.names, b"\n"]);
    if let Some((before, after)) = mode {
        put(&[b"old mode ", before, b"\nnew mode ", after, b"\n"]);
    }
    if !edits.is_empty() {
        let half = file.names.len() / 2;
        let (old, new) = (file.names.get(..half), file.names.get(half + 1..));
        // A tab ends a name that holds spaces.
        put(&[b"--- ", old.unwrap_or_default(), b"\t\n+++ ", new.unwrap_or_default(), b"\t\n"]);
    }
    let mut shift: i128 = 0;
    for edit in edits {
        let (removed, added) = (edit.removed.len() as u64, edit.added.len() as u64);
        // An empty side names the line before it.
        let start = |at: i128, count: u64| if count == 0 { at } else { at + 1 };
        let (old, new) = (start(edit.at.into(), removed), start(i128::from(edit.at) + shift, added));
        put(&[format!("@@ -{old},{removed} +{new},{added} @@\n").as_bytes()]);
        for (sign, lines) in [(b"-", &edit.removed), (b"+", &edit.added)] {
            for line in lines {
                put(&[sign, line]);
                if !line.ends_with(b"\n") {
                    put(&[b"\n\\ No newline at end of file\n"]);
                }
            }
        }
        shift += i128::from(added) - i128::from(removed);
    }
    patch
}

fn taken_of(slot: Slot, file: &FilePatch<'_>, given: &Given) -> Vec<TakenHunk> {
    if given.is_whole {
        return vec![taken_whole(slot, file)];
    }
    given.hunks.iter().map(|place| taken(slot, file, *place)).collect()
}

fn taken(slot: Slot, file: &FilePatch<'_>, place: usize) -> TakenHunk {
    let hunk = file.hunks.get(place);
    TakenHunk {
        slot,
        path: file.shown(),
        hunk: u32::try_from(place + 1).ok(),
        header: hunk.map(|hunk| hunk.header.clone()).unwrap_or_default(),
        hash: hunk.map(|hunk| hunk.hash.clone()),
    }
}

fn taken_whole(slot: Slot, file: &FilePatch<'_>) -> TakenHunk {
    let header = file.whole.map_or_else(|| "(whole file)".to_owned(), |why| format!("(whole file: {why})"));
    TakenHunk { slot, path: file.shown(), hunk: None, header, hash: None }
}

fn old_start(header: &str) -> u64 {
    let digits = header.strip_prefix("@@ -").unwrap_or_default();
    digits.split([',', ' ']).next().and_then(|start| start.parse().ok()).unwrap_or(0)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, message)
}
