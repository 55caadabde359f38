//! The server's own output: one line per event on standard error, filtered by `REGATTA_LOG`.

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// What is told when nobody says. The client of NATS says each failed try as an error; the relay says it once.
const FILTER_DEFAULT: &str = "info,async_nats=off";

pub(super) fn init() -> Result<(), Failure> {
    let text = std::env::var("REGATTA_LOG").unwrap_or_else(|_| FILTER_DEFAULT.to_owned());
    let filter = EnvFilter::try_new(&text).map_err(|error| {
        Failure::usage(format!("REGATTA_LOG = {text:?} is no filter: {error}"))
            .hint("write a level, as debug, or targets, as regatta_dispatcher=debug,info")
    })?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
}
