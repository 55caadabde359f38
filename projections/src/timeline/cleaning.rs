//! One line for people per fact about a cleaning. Pure.

use regatta_core::event::CleaningEvent;
use regatta_core::event::cleaning::Wish;

use super::text::bytes;

/// The line of a fact; the caller bounds it.
pub(super) fn line(event: &CleaningEvent) -> String {
    let slot = event.attempt().slot;
    match event {
        CleaningEvent::Requested(requested) => match &requested.wish {
            Wish::Clean { to: None } => format!("what {slot} left is to be cleaned"),
            Wish::Clean { to: Some(folder) } => format!("what {slot} left is to be cleaned, into {folder}"),
            Wish::Return => format!("what {slot} left is to be put back"),
            Wish::Forget => format!("the archive of what {slot} left is to be removed for good"),
        },
        CleaningEvent::Archived(archived) => format!(
            "what {slot} left, {}, is in the archive {}, {}",
            bytes(archived.blob_bytes),
            archived.archive.path,
            bytes(archived.archive.bytes)
        ),
        CleaningEvent::Removed(removed) => {
            let kept = if removed.kept == 0 { String::new() } else { format!("; {} stay for others", removed.kept) };
            format!("what {slot} left is cleaned: {} removed{kept}", bytes(removed.blob_bytes))
        }
        CleaningEvent::Returned(returned) => {
            format!("what {slot} left is back, {}, whole", bytes(returned.blob_bytes))
        }
        CleaningEvent::Forgotten(_) => format!("the archive of what {slot} left is gone for good"),
        CleaningEvent::Failed(failed) => format!("what {slot} left stays as it was: {}", failed.reason),
    }
}
