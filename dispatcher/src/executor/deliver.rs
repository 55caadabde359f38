//! Bringing an attempt's work into the user's repository, as a branch.

use regatta_core::Slot;

use super::synthesis::{credits, who};
use super::{Job, World, chain};
use crate::run::Command;
use crate::source_control::Delivery;

pub(super) async fn deliver(world: &World, job: &Job, slot: Slot) -> Command {
    world.failpoints.reach("deliver-begun").await;
    let delivered = try_deliver(world, job, slot).await;
    world.failpoints.reach("deliver-done").await;
    match delivered {
        Ok(commit) => Command::Delivered(slot, commit),
        Err(reason) => Command::DeliveryFailed(slot, reason),
    }
}

async fn try_deliver(world: &World, job: &Job, slot: Slot) -> Result<String, String> {
    let patch = job.patch.clone().ok_or("the attempt changed nothing")?;
    let blobs = world.blobs.clone();
    let read = tokio::task::spawn_blocking(move || blobs.get(&patch.hash)).await;
    let patch = read.map_err(|error| error.to_string())?.map_err(|error| chain(&error))?;
    let entry = job.entry(slot).ok_or("the run has no such slot")?;
    let made_of = job.synthesis(slot).map_or_else(String::new, |made| format!("\n{}", credits(job, made)));
    let delivery = Delivery {
        repository: job.facts.repository.clone(),
        run: job.run,
        base_commit: job.facts.base_commit.clone(),
        patch,
        branch: format!("regatta/{}/{slot}", job.run),
        message: format!(
            "{}\n{made_of}\nRegatta-Run: {}\nRegatta-Attempt: {slot}\nRegatta-Agent: {}\n",
            job.facts.title,
            job.run,
            who(entry)
        ),
        at_ms: job.requested_at_us / 1_000,
    };
    world.source_control.deliver(delivery).await.map_err(|unusable| unusable.to_string())
}
