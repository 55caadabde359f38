//! Where a command stands and what it printed: from what the stream told when it is live, else by asking; bytes that are not
//! at hand are read from the file. A stream that breaks costs time, never a byte.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use super::cloud::{Call, Cloud};
use super::feed::{self, Standing};
use super::known::{Followed, Known};
use super::{Inner, Remote, missing};
use crate::layout::is_name;
use crate::provider::{Error, Status, Stdio};

/// The longest anyone waits without looking.
pub(super) const LATEST: Duration = Duration::from_secs(1);
/// A command nobody waited for so long is followed no more.
const UNWANTED: Duration = Duration::from_secs(30);
/// A stream that tells nothing for so long has broken; the runner speaks every two seconds.
const SILENCE: Duration = Duration::from_secs(6);
/// Between two tries to follow; it doubles up to the longest.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// Bytes one call answers, where a vendor cannot read a part of a file.
const PIECE_BYTES_MAX: usize = 1 << 20;

impl<C: Cloud> Remote<C> {
    pub(super) async fn standing(&self, known: &Known, exec: &str) -> Result<Status, Error> {
        if !is_name(exec) {
            return Err(missing(exec));
        }
        let followed = known.followed(exec);
        {
            let feed = followed.feed();
            match &feed.ended {
                Some(ended) => return Ok(Status::Ended(ended.clone().under(known.kept.term.epoch))),
                None if feed.is_live() => return Ok(Status::Running),
                None => {}
            }
        }
        Ok(match self.learn(known, exec, &followed).await? {
            Standing::Never => Status::NotStarted,
            Standing::Runs => Status::Running,
            Standing::Ended(ended) => Status::Ended(ended.under(known.kept.term.epoch)),
        })
    }

    /// Asks the runner.
    async fn learn(&self, known: &Known, exec: &str, followed: &Followed) -> Result<Standing, Error> {
        let answer = self.ask(known, "status", exec, &[]).await?;
        let strange =
            || super::transient("ask where a command stands".to_owned(), "the runner answers oddly".to_owned());
        let (out, err, standing) = feed::standing(&answer).ok_or_else(strange)?;
        followed.feed().learn(out, err, &standing);
        followed.wake.notify_waiters();
        Ok(standing)
    }

    pub(super) async fn read_from(
        &self,
        known: &Known,
        exec: &str,
        stdio: Stdio,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Error> {
        if !is_name(exec) {
            return Err(missing(exec));
        }
        let followed = known.followed(exec);
        let (printed, at_hand, is_all) = {
            let feed = followed.feed();
            (feed.printed(stdio), feed.at_hand(stdio, offset, bytes_max), feed.ended.is_some() || feed.is_live())
        };
        if let Some(bytes) = at_hand {
            return Ok(bytes);
        }
        let printed = if offset < printed || is_all {
            printed
        } else {
            self.learn(known, exec, &followed).await?;
            followed.feed().printed(stdio)
        };
        let there = usize::try_from(printed.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes_max);
        if there == 0 {
            return Ok(Vec::new());
        }
        self.part(known, exec, stdio, offset, there).await
    }

    async fn part(&self, known: &Known, exec: &str, stdio: Stdio, offset: u64, bytes: usize) -> Result<Vec<u8>, Error> {
        let channel = match stdio {
            Stdio::Out => "out",
            Stdio::Err => "err",
        };
        let path = format!("{}/{channel}", known.exec_folder(exec));
        if let Some(part) = self.inner.cloud.part(&known.machine, &path, offset, bytes).await? {
            return Ok(part);
        }
        let (offset, bytes) = (offset.to_string(), bytes.min(PIECE_BYTES_MAX).to_string());
        let answer = self.ask(known, "piece", exec, &[channel, &offset, &bytes]).await?;
        let strange =
            || super::transient("read what a command printed".to_owned(), "the runner answers oddly".to_owned());
        std::str::from_utf8(&answer).ok().and_then(|text| feed::unhex(text.trim_end())).ok_or_else(strange)
    }

    /// Returns when there is news since the last return, or after [`LATEST`]; sees to it that somebody follows.
    pub(super) async fn wait_for_news(&self, known: Arc<Known>, exec: &str) {
        let deadline = tokio::time::Instant::now() + LATEST;
        if !is_name(exec) {
            return tokio::time::sleep_until(deadline).await;
        }
        let followed = known.followed(exec);
        *followed.wanted_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.follow_if_nobody_does(&known, exec, &followed);
        loop {
            let woken = followed.wake.notified();
            tokio::pin!(woken);
            // From here on no news goes unheard.
            woken.as_mut().enable();
            let news = followed.feed().news;
            let told = std::mem::replace(&mut *followed.told.lock().unwrap_or_else(PoisonError::into_inner), news);
            if told != news || tokio::time::timeout_at(deadline, woken).await.is_err() {
                return;
            }
        }
    }

    fn follow_if_nobody_does(&self, known: &Arc<Known>, exec: &str, followed: &Arc<Followed>) {
        let mut follower = followed.follower.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.feed().ended.is_some() || follower.as_ref().is_some_and(|follower| !follower.is_finished()) {
            return;
        }
        let task = follow(Arc::clone(&self.inner), Arc::clone(known), exec.to_owned(), Arc::clone(followed));
        *follower = Some(tokio::spawn(task).abort_handle());
    }
}

/// Hears what a command prints until it has ended or nobody wants to know.
async fn follow<C: Cloud>(inner: Arc<Inner<C>>, known: Arc<Known>, exec: String, followed: Arc<Followed>) {
    let is_wanted = || {
        let wanted_at = *followed.wanted_at.lock().unwrap_or_else(PoisonError::into_inner);
        followed.feed().ended.is_none() && wanted_at.is_some_and(|at| at.elapsed() < UNWANTED)
    };
    let mut again = AGAIN;
    while is_wanted() {
        let [out, err] = {
            let feed = followed.feed();
            [feed.printed(Stdio::Out), feed.printed(Stdio::Err)].map(|offset| offset.to_string())
        };
        let argv = known.runner("follow", &exec, &[&inner.client, &out, &err]);
        if let Ok(mut lines) = inner.cloud.lines(&known.machine, &Call { argv, ..Call::default() }).await {
            while let Ok(Some(Ok(line))) = tokio::time::timeout(SILENCE, lines.next()).await {
                again = AGAIN;
                let heard = followed.feed().hear(&line);
                followed.wake.notify_waiters();
                if heard.is_err() || !is_wanted() {
                    break;
                }
            }
        }
        followed.feed().falls_silent();
        followed.wake.notify_waiters();
        if is_wanted() {
            tokio::time::sleep(again).await;
            again = (again * 2).min(AGAIN_MAX);
        }
    }
}
