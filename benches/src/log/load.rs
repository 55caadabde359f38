//! A closed loop of producers, each with one durable append under way, against anything that can append. Knows no engine.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Outcome;

/// Something that keeps a record and answers when it is kept.
pub(crate) trait Engine: Send + Sync + 'static {
    /// Keeps one record of `producer`; answers when the engine calls it durable.
    fn append(&self, producer: usize) -> impl Future<Output = Outcome<()>> + Send;
}

/// How hard an engine is driven.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) producers: usize,
    pub(crate) payload_bytes: usize,
}

impl Load {
    pub(crate) fn shown(self) -> String {
        let Self { producers, payload_bytes } = self;
        format!("{producers} x {payload_bytes} B")
    }
}

/// What one round showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Legal JSON of about that many bytes, as an event's payload would be.
pub(crate) fn payload(bytes: usize) -> Vec<u8> {
    const FRAME: &str = r#"{"text":""}"#;
    let letters: String = ('a'..='z').cycle().take(bytes.saturating_sub(FRAME.len())).collect();
    format!(r#"{{"text":"{letters}"}}"#).into_bytes()
}

async fn produce<E: Engine>(engine: Arc<E>, producer: usize, until: Instant) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let start = Instant::now();
        engine.append(producer).await?;
        took.push(start.elapsed());
    }
    Ok(took)
}

/// Drives the engine for that long, on two threads.
pub(crate) fn drive<E: Engine>(
    runtime: &tokio::runtime::Runtime,
    engine: &Arc<E>,
    load: Load,
    round: Duration,
) -> Outcome<Shown> {
    let start = Instant::now();
    let took: Vec<Duration> = runtime.block_on(async {
        let producers: Vec<_> = (0..load.producers)
            .map(|producer| tokio::spawn(produce(engine.clone(), producer, start + round)))
            .collect();
        let mut all = Vec::new();
        for producer in producers {
            all.extend(producer.await??);
        }
        Outcome::Ok(all)
    })?;
    let elapsed = start.elapsed().as_secs_f64();
    let ms: Vec<f64> = took.iter().map(|took| took.as_secs_f64() * 1e3).collect();
    #[expect(clippy::cast_precision_loss, reason = "a few million appends")]
    let per_second = ms.len() as f64 / elapsed;
    Ok(Shown { per_second, p50_ms: crate::rows::median(&ms), p99_ms: crate::rows::percentile(&ms, 0.99) })
}
