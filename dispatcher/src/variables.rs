//! Which variables a run may declare. Pure.

use std::collections::BTreeSet;

use regatta_core::event::run::{Content, Variable};

use crate::{Refusal, RefusalKind};

/// Most variables of one run.
pub const VARIABLES_MAX: usize = 128;
/// Longest name of a variable, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Longest plain value, in bytes.
const VALUE_BYTES_MAX: usize = 32 << 10;
/// Variables a sandbox sets itself.
const OURS: [&str; 2] = ["HOME", "TMPDIR"];
/// What names begin with that would reach programs outside the fence (the loader, the C library), or are ours.
const REFUSED_BEGINNINGS: [&str; 4] = ["REGATTA_", "LD_", "GLIBC_", "GCONV_"];

/// Checks what a run declares.
///
/// # Errors
/// The first variable that cannot be given, with what to do.
pub(crate) fn check(variables: &[Variable]) -> Result<(), Refusal> {
    let invalid = |message: String| Refusal::new(RefusalKind::Invalid, message);
    if variables.len() > VARIABLES_MAX {
        return Err(invalid(format!("{} variables, at most {VARIABLES_MAX} are given", variables.len())));
    }
    let mut names = BTreeSet::new();
    for variable in variables {
        let name = variable.name.as_str();
        check_name(name).map_err(invalid)?;
        if !names.insert(name) {
            return Err(invalid(format!("two variables are named {name}")));
        }
        match &variable.content {
            Content::Value(value) if value.len() > VALUE_BYTES_MAX => {
                return Err(invalid(format!("the variable {name} has {} bytes", value.len()))
                    .hint(format!("at most {VALUE_BYTES_MAX} are given; put more into a file of the repository")));
            }
            Content::Value(value) if value.contains('\0') => {
                return Err(invalid(format!("the variable {name} holds a NUL byte")));
            }
            Content::Value(_) | Content::Secret(_) => {}
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !begins_well || !fits || name.len() > NAME_BYTES_MAX {
        let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
        return Err(format!("{shown:?} cannot be a variable's name: letters, digits and _, no digit first"));
    }
    if OURS.contains(&name) || REFUSED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) {
        return Err(format!(
            "the variable {name} cannot be declared: it is set by the sandbox, or would reach beyond it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, content: Content) -> Variable {
        Variable { name: name.to_owned(), content, parts: [].into() }
    }

    fn refused(variables: &[Variable], says: &str) {
        let refusal = check(variables).expect_err(says);
        assert!(refusal.message.contains(says), "{}", refusal.message);
    }

    #[test]
    fn what_could_reach_beyond_the_sandbox_is_refused() {
        let plain = || Content::Value("x".to_owned());
        for name in ["LD_PRELOAD", "GLIBC_TUNABLES", "REGATTA_SANDBOX", "HOME"] {
            refused(&[variable(name, plain())], "cannot be declared");
        }
        for name in ["", "1A", "A-B", "A=B", "\u{e4}"] {
            refused(&[variable(name, plain())], "cannot be a variable's name");
        }
        refused(&[variable("A", plain()), variable("A", Content::Secret("a".to_owned()))], "two variables");
        refused(&[variable("A", Content::Value("\0".to_owned()))], "NUL");
        refused(&[variable("A", Content::Value("x".repeat(VALUE_BYTES_MAX + 1)))], "bytes");
        check(&[variable("NODE_ENV", plain()), variable("_KEY", Content::Secret("a".to_owned()))]).expect("fits");
    }
}
