//! Whether a rule is about a question. Pure, and on the safe side: what is not plain is allowed by nobody but a person,
//! and denied by whatever looks like it.

use regatta_core::GatewayName;
use regatta_core::event::approval::Question;
use regatta_core::event::rule::{RuleAnswer, RuleScope};

/// Whether a rule that answers so is about a question of that gateway.
#[must_use]
pub fn is_about(answer: RuleAnswer, scope: &RuleScope, asking: &GatewayName, question: &Question) -> bool {
    // Rules are about commands; what a plugin says of itself is read by people.
    if question.plugin.is_some() {
        return false;
    }
    let RuleScope { agent, gateway, cwd, command, run } = scope;
    let of_agent = agent.is_none() || *agent == question.agent;
    let of_gateway = gateway.as_ref().is_none_or(|gateway| gateway == asking);
    let of_run = run.is_none_or(|run| question.attempt().is_some_and(|attempt| attempt.run == run));
    if !(of_agent && of_gateway && of_run) {
        return false;
    }
    let in_folder = |fits: fn(&str, &str) -> bool| {
        cwd.as_deref().is_none_or(|pattern| question.cwd.as_deref().is_some_and(|cwd| fits(pattern, cwd)))
    };
    match answer {
        // Of what is not all here, and of what the gateway warns of, nobody knows enough in advance.
        RuleAnswer::Allow => {
            !question.is_cut
                && question.warnings.is_empty()
                && in_folder(is_folder)
                && command.as_deref().is_none_or(|pattern| is_command(pattern, question))
        }
        RuleAnswer::Deny => {
            let lines = [plain(&question.command), plain(&question.argv.join(" "))];
            let in_line = |pattern: String| lines.iter().any(|line| is_like(&pattern, line));
            in_folder(is_like) && command.as_deref().map(plain).is_none_or(in_line)
        }
    }
}

/// A line with one blank between words, so that none is denied less for more of them.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a pattern fits a folder, name by name.
fn is_folder(pattern: &str, cwd: &str) -> bool {
    fn names(path: &str) -> Vec<&str> {
        path.strip_suffix('/').unwrap_or(path).split('/').collect()
    }
    let (pattern, names) = (names(pattern), names(cwd));
    let is_plain = cwd.starts_with('/') && !names.iter().any(|name| matches!(*name, "." | ".."));
    is_plain && runs(&pattern, &names, |name| *name == "**", |pattern, name| is_like(pattern, name))
}

/// Whether a pattern fits a command, word by word. A command that a shell would do more with than take it apart fits none
/// but its own text.
fn is_command(pattern: &str, question: &Question) -> bool {
    if pattern == question.command {
        return true;
    }
    let Some(words) = words(question) else { return false };
    let pattern: Vec<&str> = pattern.split_whitespace().collect();
    runs(&pattern, &words, |word| *word == "*", |pattern, word| is_like(pattern, word))
}

/// The words of a command: as the gateway takes it apart, else where every shell does the same.
fn words(question: &Question) -> Option<Vec<&str>> {
    if !question.argv.is_empty() {
        return Some(question.argv.iter().map(String::as_str).collect());
    }
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/' | ':' | '@' | '%' | '+' | '=' | ',')
    };
    let words: Vec<&str> = question.command.split(' ').filter(|word| !word.is_empty()).collect();
    // A first word with = sets a variable.
    let sets = words.first().is_none_or(|first| first.contains('='));
    (question.command.chars().all(is_plain) && !sets).then_some(words)
}

/// Whether a text is like a pattern in which `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    runs(&pattern, &text, |c| *c == '*', |pattern, c| pattern == c)
}

/// Whether a pattern, some of whose parts stand for any run of parts, fits all parts.
fn runs<P, T>(pattern: &[P], parts: &[T], is_any: impl Fn(&P) -> bool, fits: impl Fn(&P, &T) -> bool) -> bool {
    let (mut at, mut part) = (0, 0);
    // Where the last of those stands, and how many parts it has taken.
    let mut any: Option<(usize, usize)> = None;
    while let Some(here) = parts.get(part) {
        match pattern.get(at) {
            Some(next) if is_any(next) => {
                any = Some((at, part));
                at += 1;
            }
            Some(next) if fits(next, here) => (at, part) = (at + 1, part + 1),
            Some(_) | None => {
                let Some((of, taken)) = any else { return false };
                any = Some((of, taken + 1));
                (at, part) = (of + 1, taken + 1);
            }
        }
    }
    pattern.iter().skip(at).all(is_any)
}

#[cfg(test)]
mod tests {
    use regatta_core::event::approval::PluginAsk;

    use super::*;

    fn main() -> GatewayName {
        "main".parse().expect("a name")
    }

    fn of_command(command: &str) -> RuleScope {
        RuleScope { command: Some(command.to_owned()), ..RuleScope::default() }
    }

    fn asks(command: &str) -> Question {
        Question { command: command.to_owned(), cwd: Some("/work/app".to_owned()), ..Question::default() }
    }

    fn allows(pattern: &str, question: &Question) -> bool {
        is_about(RuleAnswer::Allow, &of_command(pattern), &main(), question)
    }

    fn denies(pattern: &str, question: &Question) -> bool {
        is_about(RuleAnswer::Deny, &of_command(pattern), &main(), question)
    }

    #[test]
    fn what_is_allowed_fits_word_by_word() {
        let cases = [
            ("make *", "make", true),
            ("make *", "make -j 4 all", true),
            ("make *", "maker", false),
            ("make test-*", "make test-all", true),
            ("make test-*", "make test-all deploy", false),
            ("* test", "cargo nextest run test", true),
            ("cargo test", "cargo  test", true),
            ("cargo test", "cargo test --all", false),
        ];
        for (pattern, command, is_allowed) in cases {
            assert_eq!(allows(pattern, &asks(command)), is_allowed, "{pattern} {command}");
        }
    }

    #[test]
    fn no_pattern_allows_what_a_shell_does_more_with() {
        for command in [
            "make; rm -rf /",
            "make && curl evil",
            "make $(id)",
            "make `id`",
            "make > /etc/passwd",
            "make | sh",
            "make\nrm -rf /",
            "make 'a b'",
            "make ~",
            "MAKE=x make",
            "PATH=/tmp make",
            "make é",
        ] {
            assert!(!allows("*", &asks(command)) && !allows("make *", &asks(command)), "{command}");
            assert!(allows(command, &asks(command)), "in its own text: {command}");
        }
        let shell = Question { argv: ["sh", "-c", "make; rm"].map(str::to_owned).to_vec(), ..asks("make; rm") };
        assert!(!allows("make *", &shell));
        let taken_apart = Question { argv: ["echo", "a; b"].map(str::to_owned).to_vec(), ..asks("echo 'a; b'") };
        assert!(allows("echo *", &taken_apart), "nothing but the gateway takes it apart");
    }

    #[test]
    fn nothing_is_allowed_in_advance_that_is_warned_of_or_not_all_here() {
        assert!(!allows("make", &Question { warnings: vec!["writes outside".to_owned()], ..asks("make") }));
        assert!(!allows("make", &Question { is_cut: true, ..asks("make") }));
        assert!(denies("make", &Question { warnings: vec!["writes outside".to_owned()], ..asks("make") }));
    }

    #[test]
    fn what_a_plugin_asks_is_left_to_people() {
        let asked = Question { plugin: Some(PluginAsk::default()), ..asks("make") };
        assert!(!allows("make", &asked) && !denies("make", &asked));
    }

    #[test]
    fn what_is_denied_fits_anywhere_in_the_line() {
        for command in ["rm -rf /", "cd / && rm -rf .", "sh -c 'rm -rf x'", "rm  -rf /", "cd /\nrm\t-rf ."] {
            assert!(denies("*rm -rf*", &asks(command)), "{command}");
        }
        assert!(!denies("*rm -rf*", &asks("rm -r build")) && !denies("rm", &asks("rm x")));
        let hidden = Question { argv: ["rm", "-rf"].map(str::to_owned).to_vec(), ..asks("clean") };
        assert!(denies("rm -rf*", &hidden));
    }

    #[test]
    fn a_folder_fits_name_by_name_and_never_through_dots() {
        let cases = [
            ("/work/app", "/work/app", true),
            ("/work/app", "/work/app/", true),
            ("/work/*", "/work/app", true),
            ("/work/*", "/work/app/src", false),
            ("/work/**", "/work/app/src", true),
            ("/work/**", "/work", true),
            ("/work/**", "/workshop", false),
            ("/work/**/src", "/work/a/b/src", true),
            ("/work/**", "/work/../etc", false),
            ("**", "work", false),
        ];
        for (pattern, cwd, fits) in cases {
            let scope = RuleScope { cwd: Some(pattern.to_owned()), ..RuleScope::default() };
            let question = Question { cwd: Some(cwd.to_owned()), ..asks("make") };
            assert_eq!(is_about(RuleAnswer::Allow, &scope, &main(), &question), fits, "{pattern} {cwd}");
        }
        let scope = RuleScope { cwd: Some("/**".to_owned()), ..RuleScope::default() };
        assert!(!is_about(RuleAnswer::Allow, &scope, &main(), &Question { cwd: None, ..asks("make") }));
    }

    #[test]
    fn everything_that_is_named_must_fit() {
        let question = Question {
            agent: Some("main".to_owned()),
            session: Some("agent:main:regatta-7q2k9x0m-b".to_owned()),
            ..asks("make")
        };
        let all = RuleScope {
            agent: Some("main".to_owned()),
            gateway: Some(main()),
            cwd: Some("/work/*".to_owned()),
            command: Some("make".to_owned()),
            run: Some("7q2k9x0m".parse().expect("a run")),
        };
        let fits = |scope: RuleScope| is_about(RuleAnswer::Allow, &scope, &main(), &question);
        assert!(fits(all.clone()));
        let others = [
            RuleScope { agent: Some("other".to_owned()), ..all.clone() },
            RuleScope { gateway: Some("other".parse().expect("a name")), ..all.clone() },
            RuleScope { cwd: Some("/home/*".to_owned()), ..all.clone() },
            RuleScope { command: Some("make x".to_owned()), ..all.clone() },
            RuleScope { run: Some("00000000".parse().expect("a run")), ..all },
        ];
        for other in others {
            assert!(!fits(other.clone()), "{other:?}");
        }
    }
}
