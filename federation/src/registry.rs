//! Which gateways there are: folded from the log, decided against that. Pure.

use std::collections::BTreeMap;

use regatta_core::event::gateway::{Added, GatewayEvent, Removed, Restated, RestatedGateway};
use regatta_core::{GatewayName, Refusal, RefusalKind};

/// Most gateways of one installation; each is a connection and a task.
const GATEWAYS_MAX: usize = 64;

/// Every gateway there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Registry(BTreeMap<GatewayName, RestatedGateway>);

impl Registry {
    pub(crate) fn evolve(&mut self, event: &GatewayEvent, at_us: u64, by: &str) {
        match event {
            GatewayEvent::Added(added) => {
                let known = RestatedGateway { added: added.clone(), added_at_us: at_us, added_by: by.to_owned() };
                self.0.insert(added.gateway.clone(), known);
            }
            GatewayEvent::Removed(removed) => {
                self.0.remove(&removed.gateway);
            }
            GatewayEvent::Restated(restated) => {
                let all = restated.gateways.iter().map(|known| (known.added.gateway.clone(), known.clone()));
                self.0 = all.collect();
            }
            GatewayEvent::Connected(_)
            | GatewayEvent::Disconnected(_)
            | GatewayEvent::Stopped(_)
            | GatewayEvent::Missed(_)
            | GatewayEvent::Called(_)
            | GatewayEvent::Frame(_) => {}
        }
    }

    /// Every gateway, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Added> {
        self.0.values().map(|known| &known.added)
    }

    pub(crate) fn get(&self, gateway: &GatewayName) -> Result<&Added, Refusal> {
        let none = || Refusal::new(RefusalKind::NotFound, format!("there is no gateway {gateway}"));
        self.0.get(gateway).map(|known| &known.added).ok_or_else(|| none().hint("regatta gateway ls shows them"))
    }

    pub(crate) fn add(&self, added: Added) -> Result<GatewayEvent, Refusal> {
        let name = &added.gateway;
        if let Some(known) = self.0.get(name) {
            let message = format!("there is a gateway {name} already, at {}", known.added.url);
            return Err(Refusal::new(RefusalKind::WrongState, message)
                .hint(format!("take another name; or remove that one first: regatta gateway rm {name}")));
        }
        if let Some(same) = self.all().find(|known| known.url == added.url) {
            let message = format!("the gateway at {} is here already, as {}", same.url, same.gateway);
            return Err(Refusal::new(RefusalKind::WrongState, message).hint(format!(
                "twice, all it says would count twice; for another name: regatta gateway rm {}",
                same.gateway
            )));
        }
        if self.0.len() >= GATEWAYS_MAX {
            let message = format!("there are {GATEWAYS_MAX} gateways, which is the most");
            return Err(Refusal::new(RefusalKind::WrongState, message).hint("remove one: regatta gateway rm NAME"));
        }
        Ok(GatewayEvent::Added(added))
    }

    pub(crate) fn remove(&self, gateway: &GatewayName) -> Result<GatewayEvent, Refusal> {
        self.get(gateway)?;
        Ok(GatewayEvent::Removed(Removed { gateway: gateway.clone() }))
    }

    /// All of it as one fact.
    pub(crate) fn restated(&self) -> GatewayEvent {
        GatewayEvent::Restated(Restated { gateways: self.0.values().cloned().collect() })
    }
}

#[cfg(test)]
mod tests {
    use regatta_core::event::gateway::Proof;

    use super::*;

    fn added(name: &str) -> Added {
        let url = format!("ws://127.0.0.1:1/{name}");
        Added { gateway: name.parse().expect("a name"), url, allow_plain: false, proof: Proof::Token }
    }

    fn given(events: &[GatewayEvent]) -> Registry {
        let mut registry = Registry::default();
        events.iter().for_each(|event| registry.evolve(event, 7, "user:ana"));
        registry
    }

    fn names(registry: &Registry) -> Vec<&str> {
        registry.all().map(|added| added.gateway.as_str()).collect()
    }

    #[test]
    fn a_name_is_taken_once_and_free_again_when_its_gateway_is_gone() {
        let one = GatewayEvent::Added(added("one"));
        let refused = given(std::slice::from_ref(&one)).add(added("one")).expect_err("it is there");
        assert_eq!(refused.message, "there is a gateway one already, at ws://127.0.0.1:1/one");
        let gone = given(std::slice::from_ref(&one)).remove(&added("one").gateway).expect("it is there");
        let without = given(&[one.clone(), gone]);
        assert_eq!(names(&without), [""; 0]);
        assert_eq!(without.add(added("one")).expect("it is free"), one);
        assert_eq!(without.remove(&added("one").gateway).expect_err("none").kind, RefusalKind::NotFound);
    }

    #[test]
    fn one_gateway_is_not_there_under_two_names() {
        let one = given(&[GatewayEvent::Added(added("one"))]);
        let refused = one.add(Added { url: added("one").url, ..added("two") }).expect_err("it is there");
        assert_eq!(refused.message, "the gateway at ws://127.0.0.1:1/one is here already, as one");
    }

    #[test]
    fn what_is_restated_is_all_there_is() {
        let before = given(&[GatewayEvent::Added(added("one")), GatewayEvent::Added(added("two"))]);
        let after = given(&[GatewayEvent::Added(added("gone")), before.restated()]);
        assert_eq!(after, before);
    }

    #[test]
    fn there_are_only_so_many() {
        let many: Vec<_> = (0..GATEWAYS_MAX).map(|number| GatewayEvent::Added(added(&format!("g{number}")))).collect();
        assert!(given(&many).add(added("more")).expect_err("full").message.contains("which is the most"));
    }
}
