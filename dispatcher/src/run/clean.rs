//! What may become of what an attempt left: cleaned, put back, forgotten. Which of it may go is said in
//! `core/src/cleaning/`, for everybody.

use regatta_core::cleaning::{self, Place, Standing, Stays, stays};
use regatta_core::event::CleaningEvent;
use regatta_core::event::cleaning::{Requested, Wish};
use regatta_core::{AttemptId, Event, Slot};

use super::decide::wrong;
use super::{Delivery, Run, Stage};
use crate::{Refusal, RefusalKind};

impl Run {
    pub(super) fn clean(&self, slot: Slot, wish: Wish) -> Result<Vec<Event>, Refusal> {
        self.has(slot)?;
        match &wish {
            Wish::Clean { .. } => self.may_go(slot)?,
            Wish::Return | Wish::Forget => self.is_archived(slot)?,
        }
        let attempt = AttemptId { run: self.id, slot };
        Ok(vec![CleaningEvent::Requested(Requested { attempt, wish }).into()])
    }

    fn may_go(&self, slot: Slot) -> Result<(), Refusal> {
        let Some(reason) = stays(&self.standing(slot), None) else { return Ok(()) };
        let refusal = wrong(format!("what attempt {slot} left stays as it is: {reason}"));
        Err(match reason {
            Stays::RunUnderWay => refusal.hint(format!("wait for its end: regatta watch {}", self.id)),
            Stays::Winner => refusal.hint("pick another one first"),
            Stays::BeingDelivered
            | Stays::Delivered
            | Stays::RunArchived
            | Stays::Young
            | Stays::Nothing
            | Stays::Moving
            | Stays::Archived
            | Stays::Forgotten => refusal,
        })
    }

    fn is_archived(&self, slot: Slot) -> Result<(), Refusal> {
        let wait = |what: &str| wrong(format!("attempt {slot} is being {what}")).hint("ask again in a moment");
        Err(match self.place(slot) {
            Place::Archived => return Ok(()),
            Place::Here => {
                wrong(format!("what attempt {slot} left is where it was")).hint("regatta disk shows what was cleaned")
            }
            Place::Archiving | Place::Removing => wait("cleaned"),
            Place::Returning => wait("put back"),
            Place::Forgetting | Place::Forgotten => {
                let message = format!("the archive of what attempt {slot} left was removed for good");
                Refusal::new(RefusalKind::Cleaned, message)
            }
        })
    }

    /// Refuses what needs the patch while it is not there, or about to go.
    pub(crate) fn is_here(&self, slot: Slot) -> Result<(), Refusal> {
        let attempt = AttemptId { run: self.id, slot };
        let Some(missing) = self.cleanings.get(&slot).and_then(|cleaning| cleaning.missing(attempt)) else {
            return Ok(());
        };
        let kind = if self.place(slot) == Place::Archiving { RefusalKind::WrongState } else { RefusalKind::Cleaned };
        Err(Refusal { kind, message: missing.message, hint: missing.hint })
    }

    /// Takes what came of a cleaning for a fact when it is what was to be done.
    pub(super) fn cleaned(&self, event: CleaningEvent) -> Result<Vec<Event>, Refusal> {
        let place = self.place(event.attempt().slot);
        let fits = match &event {
            CleaningEvent::Requested(_) => false,
            CleaningEvent::Archived(_) => place == Place::Archiving,
            CleaningEvent::Removed(_) => place == Place::Removing,
            CleaningEvent::Returned(_) => place == Place::Returning,
            CleaningEvent::Forgotten(_) => place == Place::Forgetting,
            CleaningEvent::Failed(_) => matches!(place, Place::Archiving | Place::Returning | Place::Forgetting),
        };
        if fits { Ok(vec![event.into()]) } else { Err(wrong("that was said already")) }
    }

    fn place(&self, slot: Slot) -> Place {
        self.cleanings.get(&slot).map_or(Place::Here, |cleaning| cleaning.place)
    }

    fn standing(&self, slot: Slot) -> Standing {
        Standing {
            run_is_over: matches!(self.stage, Stage::Settled(_)),
            run_is_archived: false,
            is_winner: self.winner() == Some(slot),
            delivery: match self.deliveries.get(&slot) {
                None | Some(Delivery::Failed(_)) => cleaning::Delivery::None,
                Some(Delivery::Intended) => cleaning::Delivery::UnderWay,
                Some(Delivery::Delivered) => cleaning::Delivery::Done,
            },
            // Whether it left anything is looked at when it is to be archived.
            has_left: true,
            place: self.place(slot),
            ended_at_us: None,
        }
    }
}
