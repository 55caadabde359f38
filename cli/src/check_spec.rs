//! How a check is written on the command line and in `regatta.toml`: `NAME=SHELL` or `SHELL` alone. Pure.

use regatta_core::event::run::Check;

/// Longest name made from a command.
const NAME_CHARS_MAX: usize = 40;

/// Reads checks. One without a name is named by its command; a second of the same name gets a number.
pub(crate) fn parse_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for text in texts {
        let (name, command) = split(text);
        let same = |wanted: &str| checks.iter().any(|check| check.name == wanted);
        let mut unique = name.clone();
        let mut number = 2;
        while same(&unique) {
            unique = format!("{name} {number}");
            number += 1;
        }
        checks.push(Check { name: unique, command });
    }
    checks
}

/// A name is lower case, so that `FOO=1 make test` is a command.
fn split(text: &str) -> (String, String) {
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_. ".contains(&byte);
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(allowed)
    };
    match text.split_once('=') {
        Some((name, command)) if is_name(name) && !name.trim().contains(' ') => {
            (name.trim().to_owned(), command.trim().to_owned())
        }
        _ => (text.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect(), text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expected: &[(&str, &str)]) {
        let checks = parse_all(texts.iter().copied());
        let got: Vec<(&str, &str)> = checks.iter().map(|check| (check.name.as_str(), check.command.as_str())).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn checks_read_as_they_are_meant() {
        check(&["tests=cargo test"], &[("tests", "cargo test")]);
        check(&["cargo test"], &[("cargo test", "cargo test")]);
        check(&["FOO=1 make test"], &[("FOO=1 make test", "FOO=1 make test")]);
        check(&["env foo=1 make"], &[("env foo=1 make", "env foo=1 make")]);
        check(&["lint = a=b c"], &[("lint", "a=b c")]);
        check(&["true", "true", "true"], &[("true", "true"), ("true 2", "true"), ("true 3", "true")]);
    }
}
