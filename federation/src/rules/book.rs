//! Every rule there is: folded from the log, decided against that. Pure.

use regatta_core::event::approval::{Decision, Question};
use regatta_core::event::rule::{
    KnownRule, Rule, RuleAdded, RuleAnswer, RuleEvent, RuleRemoved, RuleScope, RulesRestated,
};
use regatta_core::{GatewayName, Refusal, RefusalKind, RuleName};

use super::fits::is_about;

/// Most rules of an installation.
const RULES_MAX: usize = 200;
/// Longest pattern, in characters.
const PATTERN_CHARS_MAX: usize = 1_024;
/// Longest name of an agent, in characters.
const AGENT_CHARS_MAX: usize = 128;
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 300;

/// Every rule, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Book(Vec<KnownRule>);

impl Book {
    pub(crate) fn evolve(&mut self, event: &RuleEvent, at_us: u64, by: &str) {
        match event {
            RuleEvent::Added(RuleAdded { rule }) => {
                self.0.push(KnownRule { rule: rule.clone(), added_at_us: at_us, added_by: by.to_owned() });
            }
            RuleEvent::Removed(RuleRemoved { rule }) => self.0.retain(|known| known.rule.name != *rule),
            RuleEvent::Restated(restated) => self.0.clone_from(&restated.rules),
        }
    }

    pub(crate) fn all(&self) -> &[KnownRule] {
        &self.0
    }

    pub(crate) fn add(&self, rule: Rule) -> Result<RuleEvent, Refusal> {
        check(rule.answer, &rule.scope)?;
        bounded("reason", &rule.reason, REASON_CHARS_MAX)?;
        let refused = |message: String| Refusal::new(RefusalKind::WrongState, message);
        if self.0.iter().any(|known| known.rule.name == rule.name) {
            return Err(refused(format!("there is a rule {} already", rule.name)).hint(format!(
                "take another name; or remove that one first: regatta approvals rules rm {}",
                rule.name
            )));
        }
        if self.0.len() >= RULES_MAX {
            return Err(refused(format!("there are {RULES_MAX} rules, which is the most"))
                .hint("remove one: regatta approvals rules rm NAME"));
        }
        Ok(RuleEvent::Added(RuleAdded { rule }))
    }

    pub(crate) fn remove(&self, rule: &RuleName) -> Result<RuleEvent, Refusal> {
        if !self.0.iter().any(|known| known.rule.name == *rule) {
            return Err(Refusal::new(RefusalKind::NotFound, format!("there is no rule {rule}"))
                .hint("regatta approvals rules ls shows them"));
        }
        Ok(RuleEvent::Removed(RuleRemoved { rule: rule.clone() }))
    }

    /// All of it as one fact.
    pub(crate) fn restated(&self) -> RuleEvent {
        RuleEvent::Restated(RulesRestated { rules: self.0.clone() })
    }

    /// The rule that answers a question: the first that denies it, else the first that allows it. None when its answer is
    /// not offered: then a person is asked.
    pub(crate) fn answers(&self, gateway: &GatewayName, question: &Question, offered: &[Decision]) -> Option<&Rule> {
        let about = |answer: RuleAnswer| {
            let mut rules = self.0.iter().map(|known| &known.rule);
            rules.find(|rule| rule.answer == answer && is_about(answer, &rule.scope, gateway, question))
        };
        let rule = about(RuleAnswer::Deny).or_else(|| about(RuleAnswer::Allow))?;
        offered.contains(&rule.answer.decision()).then_some(rule)
    }
}

/// Refuses what no rule may be about: everything, or a pattern that is out of bounds.
///
/// # Errors
/// What is wrong with it.
pub fn check(answer: RuleAnswer, scope: &RuleScope) -> Result<(), Refusal> {
    let invalid = |message: &str| Refusal::new(RefusalKind::Invalid, message);
    if *scope == RuleScope::default() {
        return Err(invalid("a rule about every question would leave nothing to ask")
            .hint("name an agent, a gateway, a folder, a command or a run"));
    }
    let RuleScope { agent, gateway: _, cwd, command, run: _ } = scope;
    let named =
        [("agent", agent, AGENT_CHARS_MAX), ("cwd", cwd, PATTERN_CHARS_MAX), ("command", command, PATTERN_CHARS_MAX)];
    for (name, text, chars_max) in named {
        text.as_deref().map_or(Ok(()), |text| bounded(name, text, chars_max))?;
    }
    if answer == RuleAnswer::Allow && cwd.as_ref().is_some_and(|cwd| !cwd.starts_with('/')) {
        return Err(invalid("a folder to allow something in begins with /, as /work/**"));
    }
    Ok(())
}

fn bounded(name: &str, text: &str, chars_max: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
        let message = format!("{name} has 1 to {chars_max} characters, and none that cannot be seen");
        return Err(Refusal::new(RefusalKind::Invalid, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, answer: RuleAnswer, command: &str) -> Rule {
        let scope = RuleScope { command: Some(command.to_owned()), ..RuleScope::default() };
        Rule { name: name.parse().expect("a name"), answer, scope, reason: "it is fine".to_owned() }
    }

    fn book(rules: &[Rule]) -> Book {
        let mut book = Book::default();
        for rule in rules {
            let event = book.add(rule.clone()).expect("added");
            book.evolve(&event, 7, "user:ana");
        }
        book
    }

    fn answers(book: &Book, command: &str, offered: &[Decision]) -> Option<String> {
        let question = Question { command: command.to_owned(), ..Question::default() };
        let rule = book.answers(&"main".parse().expect("a name"), &question, offered)?;
        Some(rule.name.to_string())
    }

    const BOTH: [Decision; 2] = [Decision::AllowOnce, Decision::Deny];

    #[test]
    fn the_first_rule_that_fits_answers_and_no_before_yes() {
        let book = book(&[
            rule("make", RuleAnswer::Allow, "make *"),
            rule("make-too", RuleAnswer::Allow, "make *"),
            rule("no-deploy", RuleAnswer::Deny, "*deploy*"),
        ]);
        assert_eq!(answers(&book, "make all", &BOTH).as_deref(), Some("make"));
        assert_eq!(answers(&book, "make deploy", &BOTH).as_deref(), Some("no-deploy"));
        assert_eq!(answers(&book, "cargo test", &BOTH), None);
    }

    #[test]
    fn what_is_not_offered_is_left_to_people() {
        let book = book(&[rule("make", RuleAnswer::Allow, "make *"), rule("no-deploy", RuleAnswer::Deny, "*deploy*")]);
        assert_eq!(answers(&book, "make", &[Decision::AllowAlways, Decision::Deny]), None);
        assert_eq!(
            answers(&book, "make deploy", &[Decision::AllowOnce]),
            None,
            "what is denied is not allowed instead"
        );
    }

    #[test]
    fn a_rule_about_everything_or_out_of_bounds_is_refused() {
        let refused = |rule: &Rule| Book::default().add(rule.clone()).expect_err("refused");
        let everything = Rule { scope: RuleScope::default(), ..rule("all", RuleAnswer::Deny, "x") };
        assert!(refused(&everything).message.contains("every question"));
        let anywhere = RuleScope { cwd: Some("*".to_owned()), ..RuleScope::default() };
        for wrong in [
            rule("a", RuleAnswer::Deny, ""),
            rule("a", RuleAnswer::Deny, &"x".repeat(PATTERN_CHARS_MAX + 1)),
            rule("a", RuleAnswer::Deny, "a\u{1b}"),
            Rule { reason: " ".to_owned(), ..rule("a", RuleAnswer::Deny, "x") },
            Rule { reason: "x".repeat(REASON_CHARS_MAX + 1), ..rule("a", RuleAnswer::Deny, "x") },
            Rule { scope: anywhere.clone(), ..rule("a", RuleAnswer::Allow, "x") },
        ] {
            assert_eq!(refused(&wrong).kind, RefusalKind::Invalid, "{wrong:?}");
        }
        assert_eq!(check(RuleAnswer::Deny, &anywhere), Ok(()));
    }

    #[test]
    fn a_name_is_one_rule_and_there_is_a_most_of_them() {
        let rules: Vec<Rule> = (0..RULES_MAX).map(|n| rule(&format!("r-{n}"), RuleAnswer::Deny, "x")).collect();
        let full = book(&rules);
        let more = |name: &str| full.add(rule(name, RuleAnswer::Deny, "y")).expect_err("refused").message;
        assert_eq!(more("r-7"), "there is a rule r-7 already");
        assert_eq!(more("new"), "there are 200 rules, which is the most");
    }

    #[test]
    fn what_is_restated_is_all_there_is() {
        let before = book(&[rule("a", RuleAnswer::Deny, "x"), rule("b", RuleAnswer::Allow, "y")]);
        let mut after = book(&[rule("gone", RuleAnswer::Deny, "x")]);
        after.evolve(&before.restated(), 9, "regatta");
        assert_eq!(after, before);
        let removed = before.remove(&"a".parse().expect("a name")).expect("there");
        after.evolve(&removed, 9, "user:ana");
        assert_eq!(after.all().len(), 1);
        assert_eq!(after.remove(&"a".parse().expect("a name")).expect_err("gone").kind, RefusalKind::NotFound);
    }
}
