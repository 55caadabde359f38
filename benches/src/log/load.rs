//! A closed loop of producers, each with one durable append under way, against anything that can append. Knows no engine.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// Things that take turns, so that no two neighbours are the same and nobody waits until one is made.
pub(crate) struct Turns<T> {
    all: Vec<T>,
    next: AtomicUsize,
}

impl<T> Turns<T> {
    /// How many there are: more bytes than any compressor looks back.
    const COUNT: u64 = 4_096;

    pub(crate) fn new(make: impl FnMut(u64) -> T) -> Self {
        Self { all: (0..Self::COUNT).map(make).collect(), next: AtomicUsize::new(0) }
    }

    pub(crate) fn next(&self) -> Outcome<&T> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.all.get(turn % self.all.len().max(1)).ok_or_else(|| "nothing takes turns".into())
    }
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
