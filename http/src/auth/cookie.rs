//! The session's cookie: how it is written and read. Pure.

use axum::http::{HeaderMap, header};

/// The name of the cookie of one installation. Browsers do not keep the cookies of two ports of a host apart, so two
/// installations must not share a name. Over TLS the browser is asked to let nobody else set it.
pub(crate) fn name(install: &str, is_secure: bool) -> String {
    if is_secure { format!("__Host-regatta-{install}") } else { format!("regatta-{install}") }
}

/// Writes the cookie, for so long.
pub(crate) fn set(name: &str, value: &str, seconds: u64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

/// Takes the cookie away.
pub(crate) fn clear(name: &str, is_secure: bool) -> String {
    set(name, "", 0, is_secure)
}

/// The cookie's value. With two of the same name one was planted by somebody else; then there is none.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        assert_eq!(
            set(&name("ab", false), "v", 60, false),
            "regatta-ab=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"
        );
        assert!(set(&name("ab", true), "v", 60, true).starts_with("__Host-regatta-ab=v; Path=/;"));
        assert!(set("n", "v", 60, true).ends_with("; Secure"));
    }

    fn reads(line: &str, value: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, line.parse().expect("line"));
        assert_eq!(read(&headers, "regatta-ab"), value, "{line}");
    }

    #[test]
    fn the_cookie_is_found_among_others_and_a_planted_second_one_makes_it_none() {
        reads("a=b; regatta-ab=v; c=d", Some("v"));
        reads("regatta-abc=v", None);
        reads("regatta-ab=v; regatta-ab=w", None);
        reads("", None);
    }
}
