//! One line for people per fact about a gateway and about what its agents ask. Pure.

use regatta_core::event::approval::ApprovalEvent;
use regatta_core::event::gateway::{GatewayEvent, Proof, Why};
use regatta_core::event::rule::{RuleAnswer, RuleEvent};

use super::text::bytes;

/// The line of a fact about a gateway; the caller bounds it.
pub(super) fn gateway(event: &GatewayEvent) -> String {
    match event {
        GatewayEvent::Added(added) => {
            let proof = match added.proof {
                Proof::Token => "its token",
                Proof::Password => "its password",
                Proof::Device => "this device",
            };
            format!("gateway {} at {} is ours, by {proof}", added.gateway, added.url)
        }
        GatewayEvent::Removed(removed) => format!("gateway {} is not ours any more", removed.gateway),
        GatewayEvent::Restated(restated) => {
            format!("which gateways there are, said again: {}", restated.gateways.len())
        }
        GatewayEvent::Connected(connected) => {
            format!("connected to {}, version {}", connected.gateway, connected.version)
        }
        GatewayEvent::Disconnected(gone) => format!("disconnected from {}: {}", gone.gateway, gone.reason),
        GatewayEvent::Stopped(stopped) => {
            let advice = stopped.advice.as_deref().map(|advice| format!("; {advice}")).unwrap_or_default();
            format!("no connection to {}: {}{advice}", stopped.gateway, stopped.reason)
        }
        GatewayEvent::Missed(missed) => {
            let why = match &missed.why {
                Why::Lost => "they never came".to_owned(),
                Why::NotRecorded(reason) => format!("the log took no writes: {reason}"),
                Why::TooLarge(size) => format!("too large for the log: {}", bytes(*size)),
            };
            format!("{} events of {} are missing after {}: {why}", missed.count(), missed.gateway, missed.last)
        }
        GatewayEvent::Called(called) => format!("called {} at {}", called.method, called.gateway),
        GatewayEvent::Frame(frame) => {
            let place = frame.seq.map(|seq| format!(" {seq}")).unwrap_or_default();
            format!("{} said{place}: {}, {}", frame.gateway, frame.event, bytes(frame.text.len() as u64))
        }
    }
}

/// The line of a fact about a question; the caller bounds it.
pub(super) fn approval(event: &ApprovalEvent) -> String {
    match event {
        ApprovalEvent::Requested(asked) => {
            let agent = asked.question.agent.as_deref().unwrap_or("an agent");
            format!("{agent} of {} asks: {}", asked.approval.gateway, asked.question.command)
        }
        ApprovalEvent::Answered(answered) => {
            let note = if answered.note.is_empty() { String::new() } else { format!(": {}", answered.note) };
            format!("answered {}{note}", answered.decision)
        }
        ApprovalEvent::AnswerFailed(failed) => format!("the answer did not reach the gateway: {}", failed.reason),
        ApprovalEvent::Resolved(resolved) => format!("settled: {} by {}", resolved.decision, resolved.by),
        ApprovalEvent::Escalated(told) => match &told.failed {
            None => format!("about to expire: {} was told", told.to),
            Some(reason) => format!("about to expire, and {} could not be told: {reason}", told.to),
        },
        ApprovalEvent::Expired(_) => "nobody answered in time".to_owned(),
        ApprovalEvent::Cancelled(cancelled) => format!("nobody waits for an answer any more: {}", cancelled.reason),
    }
}

/// The line of a fact about a rule; the caller bounds it.
pub(super) fn rule(event: &RuleEvent) -> String {
    match event {
        RuleEvent::Added(added) => {
            let answers = match added.rule.answer {
                RuleAnswer::Allow => "allows",
                RuleAnswer::Deny => "denies",
            };
            let command = added.rule.scope.command.as_deref().map(|command| format!(" {command}")).unwrap_or_default();
            format!("rule {} {answers}{command}: {}", added.rule.name, added.rule.reason)
        }
        RuleEvent::Removed(removed) => format!("rule {} answers no more", removed.rule),
        RuleEvent::Restated(restated) => format!("which rules there are, said again: {}", restated.rules.len()),
    }
}
