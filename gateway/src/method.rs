//! Every method of a gateway with the scope it needs, as measured on 2026.9.6. Says what a caller must be allowed, before
//! a call is sent in somebody else's name; a gateway of another version may know more.

use std::sync::LazyLock;

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `operator.read`
    Read,
    /// `operator.write`
    Write,
    /// `operator.admin`
    Admin,
    /// `operator.approvals`
    Approvals,
    /// `operator.questions`
    Questions,
    /// `operator.pairing`
    Pairing,
    /// `operator.talk`
    Talk,
    /// `operator.sessions.write`
    SessionsWrite,
    /// It depends on the parameters.
    Dynamic,
    /// Nodes only, not operators.
    Node,
    /// A plugin's own method, which says for itself.
    Plugin,
}

/// A method of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it needs.
    pub scope: Scope,
    /// Whether a gateway advertises it.
    pub is_listed: bool,
}

const TABLE: &str = include_str!("methods.tsv");

/// Every method, by name.
pub static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| TABLE.lines().filter_map(read).collect());

/// Methods that can be called though no gateway advertises them.
pub static UNLISTED: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| METHODS.iter().filter(|method| !method.is_listed).map(|method| method.name).collect());

/// The method of that name, when it is known.
#[must_use]
pub fn method(name: &str) -> Option<&'static Method> {
    let at = METHODS.binary_search_by(|method| method.name.cmp(name)).ok()?;
    METHODS.get(at)
}

fn read(line: &'static str) -> Option<Method> {
    let mut fields = line.split('\t');
    let name = fields.next()?;
    let scope = match fields.next()? {
        "read" => Scope::Read,
        "write" => Scope::Write,
        "admin" => Scope::Admin,
        "approvals" => Scope::Approvals,
        "questions" => Scope::Questions,
        "pairing" => Scope::Pairing,
        "talk" => Scope::Talk,
        "sessions.write" => Scope::SessionsWrite,
        "dynamic" => Scope::Dynamic,
        "node" => Scope::Node,
        "plugin" => Scope::Plugin,
        _ => return None,
    };
    Some(Method { name, scope, is_listed: fields.next()? == "listed" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_method_in_order() {
        assert_eq!((METHODS.len(), TABLE.lines().count(), UNLISTED.len()), (489, 489, 23));
        assert!(METHODS.is_sorted_by(|one, next| one.name < next.name));
    }

    #[test]
    fn scopes_that_surprise_are_the_measured_ones() {
        let cases = [
            ("config.get", Some(Scope::Read)),
            ("exec.approvals.get", Some(Scope::Admin)),
            ("exec.approval.resolve", Some(Scope::Approvals)),
            ("sessions.patch", Some(Scope::Dynamic)),
            ("sessions.reset", Some(Scope::Admin)),
            ("chat.send", Some(Scope::Write)),
            ("skills.bins", Some(Scope::Node)),
            ("sessions.spawn", None),
        ];
        for (name, scope) in cases {
            assert_eq!(method(name).map(|method| method.scope), scope, "{name}");
        }
    }
}
