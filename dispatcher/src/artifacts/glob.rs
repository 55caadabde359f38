//! The paths a run asks for. Git matches them inside the sandbox; here it is only seen to that they stay there.

use super::GLOB_BYTES_MAX;

/// Why a path cannot be asked for, and what to do; nothing when it can.
pub fn check(glob: &str) -> Result<(), (String, &'static str)> {
    let shown: String = glob.chars().take(80).collect();
    let wrong = |why: &str, hint| Err((format!("the artifact path {shown:?} {why}"), hint));
    if glob.trim().is_empty() {
        return wrong("is empty", "name a path of the workspace: --artifact 'target/report/**'");
    }
    if glob.len() > GLOB_BYTES_MAX {
        return wrong(&format!("has more than {GLOB_BYTES_MAX} bytes"), "name the folder above, with /**");
    }
    if glob.contains(char::is_control) || glob.contains('\\') {
        return wrong("holds a control character or a backslash", "write folders with /, as target/report/**");
    }
    if glob.starts_with('/') || glob.starts_with('~') {
        return wrong(
            "is not relative",
            "only what lies in the workspace is kept; let the command write the rest into $REGATTA_ARTIFACTS",
        );
    }
    if glob.split('/').any(|part| part == "..") {
        return wrong("leaves the workspace", "only what lies in the workspace is kept");
    }
    if glob.split('/').any(|part| part == ".git") {
        return wrong("reaches into .git", "what is in there is never read");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_in_the_workspace_can_be_asked_for() {
        for fits in ["target/report/**", "*.log", "a b/ü?.[ch]", "..a/b..", ":(top)x", "-rf"] {
            assert_eq!(check(fits), Ok(()), "{fits}");
        }
        let long = "x".repeat(GLOB_BYTES_MAX + 1);
        for refused in
            ["", " ", "/etc/passwd", "~/x", "..", "a/../b", "a/..", "a\\b", "a\nb", "a\0b", ".git/config", &long]
        {
            assert!(check(refused).is_err(), "{refused:?}");
        }
    }
}
