//! What is done beside what a gateway says, for as long as one connection lasts: the token for our device is kept, every
//! session is listened to, questions are compared and looked after, and what was not heard is rebuilt. One thing at a time, in a task of its own: answers
//! come on the same socket as notices, so whoever takes those must not wait for any.

use std::sync::Arc;
use std::time::Duration;

use regatta_core::{GatewayName, to_the_end};
use regatta_gateway::{Hello, Link};
use serde_json::json;
use serde_json::value::to_raw_value;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::broker::Broker;
use crate::keyring::Keyring;
use crate::rebuild::{Rebuilder, Settle};

/// How often it is looked for questions whose time is over.
pub(crate) const TIMES_EVERY: Duration = Duration::from_secs(5);
/// How often what failed is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a gateway may take to answer.
const WITHIN: Duration = Duration::from_secs(20);

/// What one connection is cared for with.
pub(crate) struct Care {
    pub(crate) gateway: GatewayName,
    pub(crate) keyring: Keyring,
    pub(crate) broker: Broker,
    pub(crate) rebuilder: Rebuilder,
    pub(crate) settle: Settle,
    pub(crate) link: Arc<Link>,
    pub(crate) hello: Arc<Hello>,
    /// Wakes it when something was missed. Woken many times meanwhile, it compares once.
    pub(crate) missed: Arc<Notify>,
}

impl Care {
    /// Goes on until it is aborted.
    pub(crate) async fn go_on(self) {
        self.keep_token().await;
        let mut is_listened_to = self.listen().await;
        self.make_good().await;
        let mut tried = Instant::now();
        let mut times = interval(TIMES_EVERY);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.missed.notified() => self.make_good().await,
                _ = times.tick() => {
                    if tried.elapsed() >= AGAIN {
                        tried = Instant::now();
                        is_listened_to = is_listened_to || self.listen().await;
                        if self.rebuilder.owes() {
                            self.make_good().await;
                        }
                    }
                    if self.broker.is_behind().await {
                        self.compare().await;
                    }
                    self.broker.look_at_times(Some(&self.link)).await;
                }
            }
        }
    }

    async fn keep_token(&self) {
        let gateway = self.gateway.clone();
        if let Some(token) = self.hello.auth.device_token.clone() {
            let (name, keyring) = (gateway.clone(), self.keyring.clone());
            let keeping = to_the_end(async move { keyring.keep_device_token(&name, &token).await });
            if let Err(refusal) = keeping.await {
                tracing::warn!(%gateway, reason = refusal.message, "the device's token was not kept");
            }
        }
    }

    /// Says whether every session is listened to.
    async fn listen(&self) -> bool {
        let nothing = to_raw_value(&json!({})).unwrap_or_default();
        let answer = self.link.call("sessions.subscribe", nothing, WITHIN).await;
        if let Err(error) = &answer {
            tracing::warn!(gateway = %self.gateway, %error, "the gateway does not let us listen to its sessions now");
        }
        answer.is_ok()
    }

    /// Something was missed.
    async fn make_good(&self) {
        self.compare().await;
        self.rebuilder.rebuild(&self.link, &self.hello.server, &self.settle).await;
    }

    async fn compare(&self) {
        if let Err(error) = self.broker.compare(&self.link, &self.hello.server.boot_id).await {
            tracing::warn!(gateway = %self.gateway, %error, "the gateway does not say which questions are open");
        }
    }
}
