//! Who is told elsewhere that a question is about to expire, when the configuration names somebody: beside what keeps the
//! gateways, and for as long.

use regatta_core::ReadError;
use regatta_federation::Escalator;
use regatta_http::Plane;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::{Exit, Failure};

/// Keeps the gateways and tells, until told to stop.
pub(super) fn beside(
    config: &Config,
    plane: &Plane,
    stop: CancellationToken,
) -> Result<impl Future<Output = Result<(), ReadError>> + use<>, Failure> {
    let (gateways, vault) = (plane.gateways.clone(), plane.vault.clone());
    let escalator = |wanted| Escalator::new(gateways.clone(), vault, wanted);
    let escalator = config.escalation(plane.about.url.clone()).map(escalator).transpose();
    let escalator = escalator.map_err(|reason| Failure::new(Exit::Failed, reason))?;
    Ok(async move {
        let telling = async {
            if let Some(escalator) = escalator {
                escalator.run(stop.child_token()).await;
            }
        };
        tokio::join!(gateways.run(stop.child_token()), telling).0
    })
}
