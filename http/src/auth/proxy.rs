//! What a proxy says about whom it asks for, believed only of those the configuration names. Pure.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use super::identity::{Door, Place};

/// Where a request comes from. Without a proxy: from the other end of the connection.
pub(crate) fn place(door: Door, headers: &HeaderMap, proxies: &[IpAddr]) -> Place {
    // A proxy that adds a line of its own adds it at the end.
    let text =
        |name: &str| headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok()).map(str::trim);
    let host = text(header::HOST.as_str()).map(str::to_owned);
    let (peer, is_secure) = match door {
        Door::Socket => return Place { address: IpAddr::from([127, 0, 0, 1]), is_secure: false, host },
        Door::Tcp { peer, is_secure } => (peer.ip().to_canonical(), is_secure),
    };
    let is_proxy = proxies.contains(&peer);
    // The last address is the one the proxy itself saw; those before it are anybody's word.
    let client = text("x-forwarded-for").and_then(|all| all.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    match client {
        Some(client) if is_proxy => Place {
            address: client.to_canonical(),
            is_secure: text("x-forwarded-proto") == Some("https"),
            host: text("x-forwarded-host").map(str::to_owned).or(host),
        },
        Some(_) | None => Place { address: peer, is_secure, host },
    }
}

/// Whether somebody forwards this for somebody else.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(proxies: &[&str], forwarded: &[&str], address: &str, is_secure: bool) {
        let mut headers = HeaderMap::new();
        for forwarded in forwarded {
            headers.append("x-forwarded-for", forwarded.parse().expect("value"));
        }
        headers.insert("x-forwarded-proto", "https".parse().expect("value"));
        let proxies: Vec<IpAddr> = proxies.iter().map(|proxy| proxy.parse().expect("address")).collect();
        let door = Door::Tcp { peer: "10.0.0.2:40000".parse().expect("peer"), is_secure: false };
        let place = place(door, &headers, &proxies);
        assert_eq!((place.address.to_string().as_str(), place.is_secure), (address, is_secure));
    }

    #[test]
    fn only_a_named_proxy_is_believed_and_only_what_it_saw_itself() {
        check(&["10.0.0.2"], &["1.2.3.4, 192.0.2.7"], "192.0.2.7", true);
        check(&["10.0.0.2"], &["1.2.3.4", "192.0.2.7"], "192.0.2.7", true);
        check(&["10.0.0.3"], &["192.0.2.7"], "10.0.0.2", false);
        check(&["10.0.0.2"], &["nonsense"], "10.0.0.2", false);
    }
}
