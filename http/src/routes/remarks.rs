//! Words in place of JSON: what an agent that prints one value per line said, in the pieces it was printed in. The bytes
//! stay the truth: this is a reading of them, made for each look. Knows nothing of requests.

use std::collections::VecDeque;

use regatta_agents::{Agent, LINE_BYTES_MAX, Reader, Remark, Remarks, Said};
use regatta_core::event::attempt::{AttemptEvent, Channel, Output, Phase};
use regatta_core::{Event, Log, ReadError, Stream};
use regatta_projections::attempts::AttemptView;

use super::pieces::{PieceBody, between};

/// Pieces read at once to find where a line began.
const READ_BACK: u64 = 16;

/// One start of an agent, listened to.
struct Listener {
    epoch: u32,
    reader: Box<dyn Reader>,
    remarks: Remarks,
}

impl Listener {
    fn new(agent: &Agent, epoch: u32) -> Self {
        Self { epoch, reader: agent.reader(), remarks: Remarks::default() }
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Remark> {
        let said = self.reader.read(bytes);
        self.remarked(said)
    }

    /// What a last line without an end says.
    fn end(mut self) -> Vec<Remark> {
        let said = self.reader.end();
        self.remarked(said)
    }

    fn remarked(&mut self, said: Vec<Said>) -> Vec<Remark> {
        said.into_iter().filter_map(|said| self.remarks.on(said)).collect()
    }
}

/// How what one attempt printed is read.
pub(super) struct Reading {
    agent: Agent,
    /// Nothing more will be printed.
    is_over: bool,
}

impl Reading {
    /// For an agent that prints JSON; of the past nobody knows here whether it went on.
    pub(super) fn of(attempt: &AttemptView, is_past: bool) -> Option<Self> {
        let agent = regatta_agents::find(&attempt.entry).ok().filter(Agent::is_structured)?;
        Some(Self { agent, is_over: attempt.state.is_finished() && !is_past })
    }

    /// Puts words in place of what the agent printed on standard output, where they became clear: with the end of a
    /// line, with whatever another command printed next, or with the last piece of all.
    pub(super) fn put_words(
        &self,
        log: &dyn Log,
        stream: &Stream,
        pieces: &mut [PieceBody],
        is_end: bool,
    ) -> Result<(), ReadError> {
        let Some(first) = pieces.first().map(|piece| piece.stream_seq) else { return Ok(()) };
        let mut listener = begun(log, stream, &self.agent, first)?;
        for piece in &mut *pieces {
            let output = &mut piece.output;
            let is_agent = output.phase == Phase::Agent;
            if let Some(before) = listener.take_if(|listener| !is_agent || listener.epoch != output.epoch) {
                piece.words = before.end();
            }
            if is_agent && output.channel == Channel::Out {
                let listener = listener.get_or_insert_with(|| Listener::new(&self.agent, output.epoch));
                piece.words.extend(listener.hear(&output.bytes().unwrap_or_default()));
                (output.text, output.base64) = (None, None);
            }
        }
        if let Some((last, listener)) = pieces.last_mut().zip(listener).filter(|_| is_end && self.is_over) {
            last.words.extend(listener.end());
        }
        Ok(())
    }
}

/// Whoever was listened to before the piece at `first`, with the line that had not ended there. Lines are bounded, and so
/// is how far is gone back.
fn begun(log: &dyn Log, stream: &Stream, agent: &Agent, first: u64) -> Result<Option<Listener>, ReadError> {
    let (mut epoch, mut line, mut stop) = (None, VecDeque::new(), first);
    'back: while stop > 1 && line.len() < LINE_BYTES_MAX {
        let start = stop.saturating_sub(READ_BACK).max(1);
        for envelope in between(log, stream, start, stop)?.iter().rev() {
            let Ok(Event::Attempt(AttemptEvent::Output(output))) = envelope.event() else { break 'back };
            if output.phase != Phase::Agent || epoch.is_some_and(|epoch| epoch != output.epoch) {
                break 'back;
            }
            epoch = Some(output.epoch);
            if output.channel == Channel::Out && put_before(&mut line, &output) {
                break 'back;
            }
        }
        stop = start;
    }
    Ok(epoch.map(|epoch| {
        let mut listener = Listener::new(agent, epoch);
        listener.hear(line.make_contiguous());
        listener
    }))
}

/// Puts what a piece holds of a line before the rest; whether that line begins in it.
fn put_before(line: &mut VecDeque<u8>, output: &Output) -> bool {
    let begin = output.bytes.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
    let part = output.bytes.get(begin.unwrap_or(0)..).unwrap_or_default();
    part.iter().rev().for_each(|byte| line.push_front(*byte));
    begin.is_some()
}
