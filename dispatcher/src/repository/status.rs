//! Reads `git status --porcelain=v2 -z --no-renames`. Pure.

/// One uncommitted path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Path from the top of the work tree, as git prints it.
    pub(super) path: Vec<u8>,
    /// What must be done to an index to make it say the same as the work tree.
    pub(super) index: ToIndex,
}

/// What must be done to an index to make it say the same as the work tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToIndex {
    /// Nothing: the index says it already.
    Nothing,
    /// Take the path from the work tree.
    Take,
    /// Remove the path.
    Remove,
}

/// Every uncommitted path, in git's order. A repository inside the work tree (`? folder/`) is none.
pub(super) fn parse(printed: &[u8]) -> Vec<Change> {
    printed.split(|byte| *byte == 0).filter_map(change).collect()
}

fn change(record: &[u8]) -> Option<Change> {
    let (kind, rest) = record.split_first()?;
    let (fields_before_path, conflicted) = match kind {
        b'1' => (8, false),
        b'u' => (10, true),
        b'?' if record.ends_with(b"/") => return None,
        b'?' => return Some(Change { path: rest.get(1..)?.to_vec(), index: ToIndex::Take }),
        _ => return None,
    };
    let path = record.splitn(fields_before_path + 1, |byte| *byte == b' ').nth(fields_before_path)?.to_vec();
    // The second letter compares the work tree with the index; a conflict is taken as it lies in the work tree.
    let index = match record.get(3)? {
        b'D' => ToIndex::Remove,
        b'.' if !conflicted => ToIndex::Nothing,
        _ => ToIndex::Take,
    };
    Some(Change { path, index })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(printed: &str, expected: &[(&str, ToIndex)]) {
        let expected: Vec<Change> =
            expected.iter().map(|(path, index)| Change { path: path.as_bytes().to_vec(), index: *index }).collect();
        assert_eq!(parse(printed.as_bytes()), expected);
    }

    const H: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn a_clean_tree_has_no_changes() {
        check("", &[]);
    }

    #[test]
    fn a_path_keeps_its_spaces_and_line_breaks() {
        check(
            &format!("1 .M N... 100644 100644 100644 {H} {H} a b\nc\0? new file\0"),
            &[("a b\nc", ToIndex::Take), ("new file", ToIndex::Take)],
        );
    }

    #[test]
    fn staged_deleted_and_conflicted_paths_are_told_apart() {
        let printed = format!(
            "1 M. N... 100644 100644 100644 {H} {H} staged\0\
             1 .D N... 100644 100644 000000 {H} {H} gone\0\
             1 D. N... 100644 000000 000000 {H} {H} staged away\0\
             u UU N... 100644 100644 100644 100644 {H} {H} {H} both\0"
        );
        check(
            &printed,
            &[
                ("staged", ToIndex::Nothing),
                ("gone", ToIndex::Remove),
                ("staged away", ToIndex::Nothing),
                ("both", ToIndex::Take),
            ],
        );
    }

    #[test]
    fn a_repository_inside_and_broken_records_are_no_changes() {
        check("? inner/\0# branch.oid (initial)\x001 .M\0u\0?\0", &[]);
    }
}
