//! An open loop: requests begin when it is their time, whether those before them are answered or not, and what each took
//! counts from that time. So a server that stalls is charged for everybody who waits. Knows no server.

use std::time::Duration;

use tokio::time::Instant;

use super::Place;
use super::wire::Wire;
use crate::Outcome;

/// Connections that share the requests.
const CONNECTIONS: u32 = 25;

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) per_second: u32,
    pub(crate) seconds: u32,
}

/// Asks for the paths in turn; what each request took, in ms.
pub(crate) async fn drive(place: &Place, paths: &[String], load: Load) -> Outcome<Vec<f64>> {
    let mut wires = Vec::new();
    for _ in 0..CONNECTIONS {
        wires.push(Wire::open(place).await?);
    }
    let begin = Instant::now() + Duration::from_millis(50);
    let tasks: Vec<_> = wires
        .into_iter()
        .zip(0..)
        .map(|(wire, first)| tokio::spawn(one(wire, paths.to_vec(), load, begin, first)))
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

async fn one(mut wire: Wire, paths: Vec<String>, load: Load, begin: Instant, first: u32) -> Outcome<Vec<f64>> {
    let mut took_ms = Vec::new();
    let pause = Duration::from_secs(1) / load.per_second;
    for n in (first..load.per_second * load.seconds).step_by(CONNECTIONS as usize) {
        let due = begin + pause * n;
        tokio::time::sleep_until(due).await;
        let path = paths.get(n as usize % paths.len()).ok_or("there is nothing to ask for")?;
        let (status, _) = wire.ask("GET", path, "").await?;
        if status != 200 {
            return Err(format!("{path} was answered with {status}").into());
        }
        took_ms.push(due.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took_ms)
}
