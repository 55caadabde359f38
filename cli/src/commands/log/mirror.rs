//! `regatta log tail --nats`: the events as NATS has them. Needs no server of ours.

use super::tail;
use crate::context::Context;
use crate::failure::Outcome;

#[cfg(not(feature = "nats"))]
pub(super) fn tail(_: &Context, _: tail::Args) -> Outcome {
    Err(crate::nats::absent())
}

#[cfg(feature = "nats")]
pub(super) fn tail(context: &Context, args: tail::Args) -> Outcome {
    use regatta_core::bus::nats::{Error, Mirror};
    use regatta_http::{EventBody, Filter, FilterQuery};

    use crate::context::block_on;
    use crate::failure::{Exit, Failure};
    use crate::terminal::escape;

    let url = args.nats.as_deref().unwrap_or_default();
    let server = crate::nats::of_command(context, "--nats", url)?;
    let filter = FilterQuery { kind: args.kind.clone(), stream: args.stream.clone(), ..FilterQuery::default() };
    let filter = Filter::parse(&filter).map_err(Failure::usage)?;
    let failed = |error: Error| Failure::caused("the events cannot be read from NATS", &error);
    block_on(async {
        let mirror = Mirror::connect(&server).await.map_err(failed)?;
        let at = args.from.map_or_else(|| (mirror.last() + 1).saturating_sub(args.last), |_| 1);
        let mut events = mirror.events(at, args.install.as_ref()).await.map_err(failed)?;
        while args.follow || events.left() > 0 {
            let event = tokio::select! {
                event = events.next() => event.map_err(failed)?,
                interrupted = tokio::signal::ctrl_c() => return interrupted.map_err(Failure::from),
            };
            let event = match event {
                Ok(event) => event.envelope,
                Err(skipped) => {
                    let reason = escape::line(&skipped.reason);
                    context.terminal.note(format!("message {} is no event and is left out: {reason}", skipped.place));
                    continue;
                }
            };
            if event.seq.0 >= args.from.unwrap_or(0) && filter.wants(&event) {
                tail::show(&EventBody::from(&event), &context.terminal)?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
