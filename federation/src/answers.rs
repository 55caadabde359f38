//! The questions of all gateways: answers on their way to one, or to the identical one of several attempts, and which of
//! them are about to expire.

use std::time::Duration;

use futures_util::future::join_all;
use regatta_core::event::approval::{Answered, Common, Decision, Escalated, EscalatedTo};
use regatta_core::{Actor, AppendError, ApprovalId, Refusal, RefusalKind};

use crate::broker::Broker;
use crate::escalation::Expiring;
use crate::handle::{Gateways, connected};

/// Most questions answered at once.
const ANSWERS_MAX: usize = 256;

impl Gateways {
    /// Gives an answer to a question to its gateway, which has taken it when this returns well.
    ///
    /// # Errors
    /// When somebody else was faster (who, what and when), the answer is not offered, or the gateway cannot be told.
    pub async fn answer(&self, answered: Answered, by: &Actor) -> Result<(), Refusal> {
        let gateway = &answered.approval.gateway;
        let shown = self.shown(gateway).map_err(|_| unknown(&answered.approval))?;
        let link = connected(&shown, gateway)?;
        let by = by.clone();
        self.to_the_end(|_| async move { shown.broker.answer(&link, answered, &by).await }).await
    }

    /// Gives one answer to the identical question of several attempts of one run. Each is answered by itself; what came of
    /// each is said, by its id.
    ///
    /// # Errors
    /// When they are none, too many, or not the same question; nothing is answered then.
    pub async fn answer_all(
        &self,
        mut approvals: Vec<ApprovalId>,
        (decision, note): (Decision, String),
        by: &Actor,
    ) -> Result<Vec<(ApprovalId, Result<(), Refusal>)>, Refusal> {
        approvals.sort();
        approvals.dedup();
        self.are_alike(&approvals).await?;
        let outcomes = join_all(approvals.iter().map(|approval| {
            let answered = Answered { approval: approval.clone(), decision, note: note.clone() };
            self.answer(answered, by)
        }));
        let outcomes = outcomes.await;
        Ok(approvals.into_iter().zip(outcomes).collect())
    }

    async fn are_alike(&self, approvals: &[ApprovalId]) -> Result<(), Refusal> {
        let invalid = |message: String| Refusal::new(RefusalKind::Invalid, message);
        let (Some((first, others)), true) = (approvals.split_first(), approvals.len() <= ANSWERS_MAX) else {
            return Err(invalid(format!("1 to {ANSWERS_MAX} questions are answered at once")));
        };
        let common = self.common(first).await?;
        for other in others {
            let same = self.common(other).await?;
            if common.is_none() || same != common {
                let message = format!("{first} and {other} are not the same question of attempts of one run");
                return Err(invalid(message).hint("answer each by itself: regatta approvals"));
            }
        }
        Ok(())
    }

    /// What a question has in common with those of sibling attempts.
    async fn common(&self, id: &ApprovalId) -> Result<Option<Common>, Refusal> {
        let shown = self.shown(&id.gateway).map_err(|_| unknown(id))?;
        let question = shown.broker.question(id).await.ok_or_else(|| unknown(id))?;
        Ok(question.common())
    }

    /// Open questions with that little time left, of which nobody was told there.
    pub(crate) async fn expiring(&self, before: Duration, to: EscalatedTo) -> Vec<Expiring> {
        let brokers: Vec<Broker> = self.kept().values().map(|kept| kept.shown.broker.clone()).collect();
        let mut all = Vec::new();
        for broker in brokers {
            all.extend(broker.expiring(before, to).await);
        }
        all
    }

    /// Records that somebody was told of a question, or could not be.
    pub(crate) async fn escalated(&self, escalated: Escalated) -> Result<(), AppendError> {
        match self.shown(&escalated.approval.gateway) {
            Ok(shown) => shown.broker.escalated(escalated).await,
            // Its gateway was removed meanwhile, and all of its questions are over.
            Err(_) => Ok(()),
        }
    }
}

fn unknown(id: &ApprovalId) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("there is no question {id}"))
        .hint("regatta approvals shows the open ones")
}
