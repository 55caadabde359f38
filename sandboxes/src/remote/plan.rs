//! What is to be run, written so that a shell-less script can read it: fields ended by NUL, parts by an empty field.

use crate::provider::{Error, Exec};

/// Bytes of a plan; larger could not be started anyway.
const BYTES_MAX: usize = 4 << 20;

/// The plan of a command. `told` replaces paths of this machine by what they are inside.
pub(super) fn write(exec: &Exec, told: impl Fn(&str) -> String) -> Result<Vec<u8>, Error> {
    let mut plan = format!("{}\0{}\0\0", exec.timeout_ms, exec.output_bytes_max).into_bytes();
    for (name, value) in &exec.env {
        plan.extend_from_slice(field(&format!("{name}={}", told(value)))?.as_bytes());
        plan.push(0);
    }
    plan.push(0);
    for word in &exec.argv {
        // The mark keeps an empty word from looking like the end of a part.
        plan.push(b':');
        plan.extend_from_slice(field(&told(word))?.as_bytes());
        plan.push(0);
    }
    if plan.len() > BYTES_MAX {
        let (bytes, bytes_max) = (plan.len() as u64, BYTES_MAX as u64);
        return Err(Error::TooLarge { what: format!("the command {}", exec.name), bytes, bytes_max });
    }
    Ok(plan)
}

/// A plan as it goes with a question.
pub(super) fn digits(plan: &[u8]) -> String {
    use std::fmt::Write as _;
    plan.iter().fold(String::with_capacity(plan.len() * 2), |mut digits, byte| {
        // Writing into a text cannot fail.
        write!(digits, "{byte:02x}").ok();
        digits
    })
}

fn field(text: &str) -> Result<&str, Error> {
    if text.contains('\0') {
        return Err(Error::Unusable { reason: "a command cannot hold a NUL".to_owned() });
    }
    Ok(text)
}
