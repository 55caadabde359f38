//! How much one call of a browser may hold. Pure. Parameters are read as JSON to see what they ask for, and a byte of JSON can
//! become many in memory: so bytes are bounded by the method, and values by their number, before anything is read.

use regatta_gateway::RpcError;

use super::browser::FRAME_BYTES_MAX;
use super::frame::too_large;

/// Most bytes of a call's parameters.
const PARAMS_BYTES_MAX: usize = 256 << 10;
/// The same of methods that carry a file or a long text: all that fits into a message.
const LARGE_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// Most values in a call's parameters; a file is one.
const VALUES_MAX: usize = 16 << 10;
/// Methods that carry a file or a long text.
const LARGE: [&str; 13] = [
    "agent",
    "agents.files.set",
    "board.widget.put",
    "chat.send",
    "config.apply",
    "config.patch",
    "config.set",
    "sessions.create",
    "sessions.files.set",
    "sessions.send",
    "skills.library.save",
    "skills.library.upload",
    "terminal.upload",
];

/// Refuses parameters that are too large for their method.
pub(crate) fn check(method: &str, params: &str) -> Result<(), RpcError> {
    let bytes_max = if LARGE.contains(&method) { LARGE_BYTES_MAX } else { PARAMS_BYTES_MAX };
    if params.len() > bytes_max {
        return Err(too_large(method, &format!("{bytes_max} bytes")));
    }
    if !is_within(params, VALUES_MAX) {
        return Err(too_large(method, &format!("{VALUES_MAX} values")));
    }
    Ok(())
}

/// Whether a JSON text has at most so many values: each but the first stands behind a bracket or a comma.
fn is_within(text: &str, values_max: usize) -> bool {
    let (mut values, mut is_text, mut is_escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' | b',' if !is_text => {
                values += 1;
                if values > values_max {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use regatta_gateway::METHODS;

    use super::*;

    fn is_taken(method: &str, params: &str) -> bool {
        check(method, params).is_ok()
    }

    #[test]
    fn a_message_may_carry_a_file_and_other_calls_are_small() {
        let file = format!("{{\"attachments\":[{{\"content\":\"{}\"}}]}}", "A".repeat(1 << 20));
        assert!(is_taken("chat.send", &file) && !is_taken("health", &file) && !is_taken("came.later", &file));
        let refused = check("health", &file).expect_err("too large");
        assert_eq!(refused.detail(), Some("REGATTA_TOO_LARGE"));
        assert!(refused.message.contains("262144 bytes"), "{}", refused.message);
    }

    #[test]
    fn values_are_counted_and_what_stands_in_texts_is_not() {
        let many = |count: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(count - 3));
        assert!(is_taken("chat.send", &many(VALUES_MAX + 1)) && !is_taken("chat.send", &many(VALUES_MAX + 2)));
        let prose = format!("{{\"message\":\"{}\"}}", "[{,\\\"\\\\".repeat(30_000));
        assert!(is_taken("chat.send", &prose));
    }

    #[test]
    fn every_name_in_the_table_is_a_methods() {
        let is_known = |name: &&&str| METHODS.iter().any(|method| method.name == **name);
        assert_eq!(LARGE.iter().filter(|name| !is_known(name)).collect::<Vec<_>>(), [&""; 0]);
    }
}
