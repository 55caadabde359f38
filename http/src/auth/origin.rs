//! Whether a request is meant for this server, and comes from its own pages: Host and Origin. Pure.
//!
//! A page elsewhere can make a browser send requests here. It cannot choose the Origin the browser names, and a name
//! that it makes point here (DNS rebinding) stands in Host.

use std::net::IpAddr;

use axum::http::{HeaderMap, Method, header};

/// Why a request is not listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// It names a host that is not ours.
    Host(String),
    /// It comes from a page of another origin.
    Origin(String),
}

/// Names under which this server may be asked for, beside loopback's and addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether a Host header's name is one of ours. An address cannot be made to point elsewhere, so it may stand there.
    fn allow(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
        bare == "localhost" || bare.parse::<IpAddr>().is_ok() || self.0.contains(&name)
    }
}

/// The name in `name:port` or `[address]:port`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && (name.ends_with(']') || !name.contains(':')) =>
        {
            name
        }
        _ => host,
    }
}

/// What a request says of where it goes and comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// The host it names: of a proxy that is trusted, the one it was asked for.
    pub(crate) host: Option<&'a str>,
    /// Whether it came over TLS, as far as its sender is concerned.
    pub(crate) is_secure: bool,
    /// Whether it asks for what only a signed-in caller gets.
    pub(crate) is_guarded: bool,
}

/// Checks Host and Origin.
pub(crate) fn check(hosts: &Hosts, request: Request<'_>) -> Result<(), Foreign> {
    let host = request.host.unwrap_or_default();
    if host.is_empty() || !hosts.allow(host) {
        return Err(Foreign::Host(host.to_owned()));
    }
    let text =
        |name: &str| request.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let site = text("sec-fetch-site");
    if let Some(origin) = text("origin") {
        let scheme = if request.is_secure { "https" } else { "http" };
        return if is_same(&origin, scheme, host) { Ok(()) } else { Err(Foreign::Origin(origin)) };
    }
    let changes = !matches!(*request.method, Method::GET | Method::HEAD) || is_upgrade(request.headers);
    match site.as_deref() {
        Some("same-origin") | None => Ok(()),
        // Somebody typed the address, or opened a link in a terminal.
        Some("none") if !changes => Ok(()),
        // A link on another page leads here; what it leads to is a page, and shows nothing by itself.
        Some(_) if !changes && !request.is_guarded => Ok(()),
        Some(site) => Err(Foreign::Origin(site.to_owned())),
    }
}

/// Whether a request by a cookie says where it comes from, as it must when it changes something: every browser does.
pub(crate) fn says_where_from(method: &Method, headers: &HeaderMap) -> bool {
    let changes = !matches!(*method, Method::GET | Method::HEAD) || is_upgrade(headers);
    !changes || headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

fn is_same(origin: &str, scheme: &str, host: &str) -> bool {
    let Some((origin_scheme, origin_host)) = origin.split_once("://") else { return false };
    let default = if scheme == "https" { ":443" } else { ":80" };
    let bare = |host: &str| host.strip_suffix(default).unwrap_or(host).to_ascii_lowercase();
    origin_scheme.eq_ignore_ascii_case(scheme) && bare(origin_host) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "127.0.0.1:7433";

    fn check_request(
        method: Method,
        host: &str,
        headers: &[(&'static str, &str)],
        is_guarded: bool,
    ) -> Result<(), Foreign> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("value"));
        }
        let hosts = Hosts::new(["Regatta.example".to_owned()]);
        check(&hosts, Request { method: &method, headers: &map, host: Some(host), is_secure: false, is_guarded })
    }

    fn host(host: &str, is_ours: bool) {
        assert_eq!(check_request(Method::GET, host, &[], true).is_ok(), is_ours, "{host}");
    }

    #[test]
    fn only_our_own_names_and_addresses_are_hosts() {
        for ours in
            ["localhost", "LOCALHOST:7433", "127.0.0.1:9000", "[::1]:7433", "192.168.1.5", "regatta.example:443"]
        {
            host(ours, true);
        }
        for foreign in
            ["", "evil.example", "localhost.evil.example:7433", "127.0.0.1.nip.io", "[evil]:1", "localhost:x"]
        {
            host(foreign, false);
        }
    }

    fn from(method: Method, headers: &[(&'static str, &str)], is_guarded: bool, is_ours: bool) {
        let checked = check_request(method.clone(), HOST, headers, is_guarded);
        assert_eq!(checked.is_ok(), is_ours, "{method} {headers:?} {checked:?}");
    }

    #[test]
    fn a_page_of_another_origin_gets_nothing() {
        for method in [Method::GET, Method::POST] {
            from(method.clone(), &[("origin", "http://127.0.0.1:7433")], true, true);
            for origin in [
                "http://evil.example",
                "https://127.0.0.1:7433",
                "http://127.0.0.1:3000",
                "http://localhost:7433",
                "null",
                "",
            ] {
                from(method.clone(), &[("origin", origin)], true, false);
            }
        }
        for site in ["cross-site", "same-site"] {
            from(Method::GET, &[("sec-fetch-site", site)], true, false);
            from(Method::GET, &[("sec-fetch-site", site)], false, true);
            from(Method::POST, &[("sec-fetch-site", site)], false, false);
            from(Method::GET, &[("sec-fetch-site", site), ("upgrade", "websocket")], false, false);
        }
        from(Method::GET, &[("sec-fetch-site", "none")], true, true);
        from(Method::POST, &[("sec-fetch-site", "none")], true, false);
    }

    #[test]
    fn the_default_port_may_be_left_out() {
        assert!(is_same("https://regatta.example", "https", "regatta.example:443"));
        assert!(!is_same("https://regatta.example", "https", "regatta.example:80"));
        assert!(is_same("http://Regatta.example", "http", "regatta.example"));
    }
}
