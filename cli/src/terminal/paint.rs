//! Colours, by meaning. Off when standard output is no terminal or `NO_COLOR` is set.

use console::Style;

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn apply(self, style: Style, text: impl AsRef<str>) -> String {
        if self.0 { style.force_styling(true).apply_to(text.as_ref()).to_string() } else { text.as_ref().to_owned() }
    }

    /// Passed, added, the winner.
    pub(crate) fn good(self, text: impl AsRef<str>) -> String {
        self.apply(Style::new().green(), text)
    }

    /// Failed, removed.
    pub(crate) fn bad(self, text: impl AsRef<str>) -> String {
        self.apply(Style::new().red(), text)
    }

    /// Waits, or needs a look.
    pub(crate) fn warn(self, text: impl AsRef<str>) -> String {
        self.apply(Style::new().yellow(), text)
    }

    /// Works.
    pub(crate) fn busy(self, text: impl AsRef<str>) -> String {
        self.apply(Style::new().cyan(), text)
    }

    /// Beside the point.
    pub(crate) fn dim(self, text: impl AsRef<str>) -> String {
        self.apply(Style::new().dim(), text)
    }

    /// Names and headings.
    pub(crate) fn strong(self, text: impl AsRef<str>) -> String {
        self.apply(Style::new().bold(), text)
    }
}
