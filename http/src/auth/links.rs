//! One-time sign-in links, in memory only: a restart forgets them. Pure: time is an argument.

use std::collections::BTreeMap;

use super::identity::Credential;
use super::secret::{Hash, Shown};

/// For how long a link may be used, in microseconds.
pub(crate) const LINK_US: u64 = 10 * 60 * 1_000_000;
/// Links at once; the oldest makes room.
const LINKS_MAX: usize = 64;

#[derive(Debug)]
struct Link {
    hash: Hash,
    user: String,
    maker: Credential,
    expires_at_us: u64,
}

/// Links that were made and not used.
#[derive(Debug, Default)]
pub(crate) struct Links(BTreeMap<String, Link>);

impl Links {
    pub(crate) fn add(&mut self, id: String, hash: Hash, (user, maker): (String, Credential), now_us: u64) {
        self.0.retain(|_, link| link.expires_at_us > now_us);
        if self.0.len() >= LINKS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, link)| link.expires_at_us).map(|(id, _)| id.clone());
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(id, Link { hash, user, maker, expires_at_us: now_us + LINK_US });
    }

    /// Takes the link and says for whom it was made, and what they were known by; nothing when it was used, is too old, or never was.
    pub(crate) fn take(&mut self, shown: &Shown, now_us: u64) -> Option<(String, Credential)> {
        let is_good = self.0.get(&shown.id).is_some_and(|link| link.hash == shown.hash && link.expires_at_us > now_us);
        if is_good { self.0.remove(&shown.id).map(|link| (link.user, link.maker)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::secret::{Use, draw, read};

    #[test]
    fn a_link_opens_once_and_only_for_a_while() {
        let mut links = Links::default();
        let drawn = draw(Use::Link).expect("random");
        let (id, hash) = (drawn.id.clone(), drawn.hash);
        let shown = read(Use::Link, &drawn.into_text()).expect("ours");
        let add = |links: &mut Links| links.add(id.clone(), hash, ("ada".to_owned(), Credential::Socket), 0);
        add(&mut links);
        let wrong = Shown { hash: Hash::from_hex(""), ..shown.clone() };
        assert_eq!(links.take(&wrong, 1), None, "a wrong secret does not use it up");
        assert_eq!(links.take(&shown, 1), Some(("ada".to_owned(), Credential::Socket)));
        assert_eq!(links.take(&shown, 1), None);
        add(&mut links);
        assert_eq!(links.take(&shown, LINK_US), None);
    }
}
