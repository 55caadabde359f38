//! A comparison in which nobody can see who did what: names are hidden and the order is another for every person. Pure:
//! the same run and person always give the same order.

use super::Comparison;
use crate::attempts::OutputTail;

/// What stands where the agent's name would.
const HIDDEN: &str = "hidden";

impl Comparison {
    /// Without agents, models, commands, branches and output, in an order of that person's own.
    #[must_use]
    pub fn blind(mut self, person: &str) -> Self {
        let run = self.run;
        self.columns.sort_by_key(|column| order(&format!("{run}/{person}/{}", column.slot)));
        for column in &mut self.columns {
            HIDDEN.clone_into(&mut column.agent);
            column.command = None;
            column.model = None;
            column.branch = None;
            // Agents greet with their names, and say so in their own ways.
            column.output_tail = OutputTail::default();
        }
        self.blind = true;
        self
    }
}

/// A number for a text; the same text, the same number. FNV-1a, and then stirred, so that the last letter counts.
fn order(text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let hash = text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let stirred = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let stirred = (stirred ^ (stirred >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    stirred ^ (stirred >> 31)
}
