//! `regatta log tail --nats`: the events as NATS has them. Needs no server of ours.

#[cfg(not(feature = "nats"))]
pub(super) fn tail(_: &crate::context::Context, _: super::tail::Args) -> crate::failure::Outcome {
    Err(crate::nats::absent())
}

#[cfg(feature = "nats")]
pub(super) use with::tail;

#[cfg(feature = "nats")]
mod with {
    use std::time::Duration;

    use regatta_core::Envelope;
    use regatta_core::bus::nats::{Error, Follower};
    use regatta_http::{EventBody, Filter, FilterQuery};

    use super::super::range::Range;
    use super::super::tail;
    use crate::context::{Context, block_on};
    use crate::failure::{Exit, Failure, Outcome, chain};
    use crate::terminal::{Terminal, escape};

    /// First and longest pause before connecting again.
    const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

    pub(in super::super) fn tail(context: &Context, args: tail::Args) -> Outcome {
        let url = args.nats.as_deref().unwrap_or_default();
        let server = crate::nats::of_command(context, "--nats", url)?;
        let filter = FilterQuery { kind: args.kind.clone(), stream: args.stream.clone(), ..FilterQuery::default() };
        let filter = Filter::parse(&filter).map_err(Failure::usage)?;
        let failed = |error: Error| Failure::caused("the events cannot be read from NATS", &error);
        let terminal = &context.terminal;
        block_on(async {
            let last = if args.range.begins() || args.range.ends() { None } else { Some(args.last) };
            let mut follower = Follower::begin(&server, args.install, last).await.map_err(failed)?;
            let read = async {
                while args.follow || follower.left() > 0 {
                    match follower.next().await {
                        Ok(Ok(event)) => {
                            if is_in(&args.range, &event.envelope) && filter.wants(&event.envelope) {
                                tail::show(&EventBody::from(&event.envelope), terminal)?;
                            }
                        }
                        Ok(Err(skipped)) => {
                            let reason = escape::line(&skipped.reason);
                            let place = skipped.place;
                            terminal.note(format!("message {place} is no event and is left out: {reason}"));
                        }
                        Err(error) if args.follow => go_on(&mut follower, error, terminal).await,
                        Err(error) => return Err(failed(error)),
                    }
                }
                Ok(())
            };
            tokio::select! {
                read = read => read,
                interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Failure::from),
            }
        })?;
        Ok(Exit::Done)
    }

    /// Connects again, however long that takes. Each reason is told once.
    async fn go_on(follower: &mut Follower, mut error: Error, terminal: &Terminal) {
        let (mut told, mut pause) = (None, PAUSE.0);
        loop {
            let reason = chain(&error);
            if told.as_ref() != Some(&reason) {
                terminal.note(format!("{}; trying again until it is back", escape::line(&reason)));
                told = Some(reason);
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(PAUSE.1);
            match follower.connect().await {
                Ok(()) => return terminal.note("connected again; going on where it was"),
                Err(again) => error = again,
            }
        }
    }

    fn is_in(range: &Range, event: &Envelope) -> bool {
        let Range { from, to, since, until } = *range;
        from.is_none_or(|from| event.seq.0 >= from)
            && to.is_none_or(|to| event.seq.0 <= to)
            && since.is_none_or(|since| event.at_us >= since.0)
            && until.is_none_or(|until| event.at_us <= until.0)
    }
}
