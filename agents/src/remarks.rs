//! What an agent said as remarks that people read along: one kind and one text each. Leaves out what people need not
//! read (a tool that went well, usage) and what was said a moment ago.

use std::collections::VecDeque;

use serde::Serialize;
use utoipa::ToSchema;

use crate::said::Said;

/// Tools under way that are known by name; of more than so many the oldest is forgotten.
const TOOLS_MAX: usize = 64;

/// Something an agent said, for people who read along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RemarkBody)]
pub struct Remark {
    /// What it is.
    pub sort: Sort,
    /// The remark; may have several lines, or none.
    pub text: String,
}

/// What a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RemarkSort)]
pub enum Sort {
    /// A session began: its model, or else its id.
    Session,
    /// Words for people.
    Text,
    /// Words for itself.
    Thought,
    /// It uses a tool: which, and what for.
    Tool,
    /// A tool failed: which, and in the lines below why.
    ToolFailed,
    /// Something went wrong, which may end nothing.
    Problem,
    /// It says that it is done; last words that were not said before.
    Finished,
    /// It says that it failed, and why.
    Failed,
    /// Something this version does not understand, as it came.
    Other,
}

/// Turns what an agent said into remarks, in order.
#[derive(Debug, Default)]
pub struct Remarks {
    tools: VecDeque<(String, String)>,
    /// What was said last for people: the end often says it again.
    last: String,
}

impl Remarks {
    /// The remark on what was said next; nothing when it needs none.
    pub fn on(&mut self, said: Said) -> Option<Remark> {
        let remark = |sort, text| Some(Remark { sort, text });
        match said {
            Said::Session { id, model } => remark(Sort::Session, model.unwrap_or(id)),
            Said::Text(text) => {
                self.last.clone_from(&text);
                remark(Sort::Text, text)
            }
            Said::Thought(text) => remark(Sort::Thought, text),
            Said::ToolStarted { id, name, detail } => {
                let name = name.replace('_', " ");
                if self.tools.len() == TOOLS_MAX {
                    self.tools.pop_front();
                }
                self.tools.push_back((id, name.clone()));
                remark(Sort::Tool, if detail.is_empty() { name } else { format!("{name}: {detail}") })
            }
            Said::ToolEnded { failure: None, .. } | Said::Usage(_) => None,
            Said::ToolEnded { id, failure: Some(why) } => {
                let known = self.tools.iter().find(|(known, _)| *known == id);
                let name = known.map_or("a tool", |(_, name)| name);
                remark(Sort::ToolFailed, if why.is_empty() { name.to_owned() } else { format!("{name}\n{why}") })
            }
            Said::Problem(text) => remark(Sort::Problem, text),
            Said::Finished { text, failed, denied } => {
                let sort = if failed { Sort::Failed } else { Sort::Finished };
                let text = if text == self.last { String::new() } else { text };
                let denied = (denied > 0).then(|| format!("{denied} of its tools were denied"));
                let parts = [Some(text).filter(|text| !text.is_empty()), denied];
                remark(sort, parts.into_iter().flatten().collect::<Vec<_>>().join("\n"))
            }
            Said::Other(text) => remark(Sort::Other, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: Vec<Said>, expected: &[(Sort, &str)]) {
        let mut remarks = Remarks::default();
        let made: Vec<Remark> = said.into_iter().filter_map(|said| remarks.on(said)).collect();
        let made: Vec<(Sort, &str)> = made.iter().map(|remark| (remark.sort, remark.text.as_str())).collect();
        assert_eq!(made, expected);
    }

    fn tool(id: &str, name: &str, detail: &str) -> Said {
        Said::ToolStarted { id: id.to_owned(), name: name.to_owned(), detail: detail.to_owned() }
    }

    fn finished(text: &str, failed: bool, denied: u32) -> Said {
        Said::Finished { text: text.to_owned(), failed, denied }
    }

    #[test]
    fn a_tool_that_fails_is_named_and_one_that_goes_well_is_not_told_twice() {
        let ended = |id: &str, failure: Option<&str>| Said::ToolEnded {
            id: id.to_owned(),
            failure: failure.map(str::to_owned),
        };
        check(
            vec![
                tool("1", "Bash", "cargo test"),
                ended("1", None),
                tool("2", "file_change", ""),
                ended("2", Some("no such file")),
                ended("3", Some("")),
            ],
            &[
                (Sort::Tool, "Bash: cargo test"),
                (Sort::Tool, "file change"),
                (Sort::ToolFailed, "file change\nno such file"),
                (Sort::ToolFailed, "a tool"),
            ],
        );
    }

    #[test]
    fn last_words_are_not_told_again() {
        let text = || Said::Text("Done.".to_owned());
        check(vec![text(), finished("Done.", false, 0)], &[(Sort::Text, "Done."), (Sort::Finished, "")]);
        check(vec![finished("API Error: 500", true, 0)], &[(Sort::Failed, "API Error: 500")]);
        check(vec![finished("So.", false, 2)], &[(Sort::Finished, "So.\n2 of its tools were denied")]);
    }

    #[test]
    fn tools_under_way_are_bounded() {
        let mut remarks = Remarks::default();
        for number in 0..TOOLS_MAX + 1 {
            remarks.on(tool(&number.to_string(), "Bash", ""));
        }
        assert_eq!(remarks.tools.len(), TOOLS_MAX);
    }
}
