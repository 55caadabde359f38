//! The programs the benches race: they print when they ran, or print a lot. They stand in this binary so that they
//! start in no time.

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Runs one of them: `now` prints the time in µs; `lines RATE BYTES SECONDS` prints that many lines a second, each
/// beginning with the time in µs and filled to that many bytes.
pub(crate) fn run(kind: &str, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    match (kind, arguments) {
        ("now", []) => writeln!(out, "{}", now_us())?,
        ("lines", [rate, bytes, seconds]) => {
            let (rate, bytes, seconds): (u32, usize, u64) = (rate.parse()?, bytes.parse()?, seconds.parse()?);
            let (begin, pause) = (Instant::now(), Duration::from_secs(1) / rate);
            let mut line = Vec::with_capacity(bytes);
            for n in 0..u32::try_from(seconds)? * rate {
                if let Some(wait) = (pause * n).checked_sub(begin.elapsed()) {
                    std::thread::sleep(wait);
                }
                line.clear();
                write!(line, "{} ", now_us())?;
                line.resize(bytes.saturating_sub(1), b'x');
                line.push(b'\n');
                out.write_all(&line)?;
                out.flush()?;
            }
        }
        _ => return Err("no such agent".into()),
    }
    Ok(())
}

/// µs since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a bench measures the machine's clock")]
pub(crate) fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0))
}
