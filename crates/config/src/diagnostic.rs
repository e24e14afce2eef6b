//! What people read when the configuration is wrong.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Whether a diagnostic keeps the pipeline from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but is worth a look.
    Warning,
}

/// One thing that is wrong in the configuration file. Shows no secret.
///
/// ```text
/// towpath.yaml:7:5: unknown key `pol_interval`
///   7 |     pol_interval: ***
///     |     ^^^^^^^^^^^^
/// help: did you mean `poll_interval`?
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it keeps the pipeline from starting.
    pub severity: Severity,
    /// The file, as it was named.
    pub path: Arc<Path>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right; empty when there is nothing to say.
    pub help: String,
    /// The line.
    pub snippet: Snippet,
}

/// A line of the file as it may be shown: values that are or may be secret are `***`, comments are left out, control
/// characters are `·`, and of a long line only the surroundings of the place are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The line.
    pub text: Box<str>,
    /// The characters of [`Snippet::text`] before the place.
    pub start: usize,
    /// The characters of the place, at least 1.
    pub width: usize,
}

impl Diagnostic {
    /// The same as a warning.
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Place, message and help in one line, for a log.
    pub fn one_line(&self) -> String {
        let Self { path, line, column, message, help, .. } = self;
        let help = if help.is_empty() { String::new() } else { format!(" ({help})") };
        format!("{}:{line}:{column}: {message}{help}", path.display())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, help, snippet, severity } = self;
        let warning = if *severity == Severity::Warning { "warning: " } else { "" };
        write!(f, "{}:{line}:{column}: {warning}{message}", path.display())?;
        let gutter = line.to_string().len().max(3);
        // Tabs are kept, so that the caret stands right whatever their width is.
        let indent: String =
            snippet.text.chars().take(snippet.start).map(|c| if c == '\t' { c } else { ' ' }).collect();
        write!(f, "\n{line:>gutter$} | {}", snippet.text)?;
        write!(f, "\n{:>gutter$} | {indent}{}", "", "^".repeat(snippet.width.max(1)))?;
        if !help.is_empty() {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong in the configuration file, and in the recipes that it takes in: each from top to bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// The diagnostics in the order of their places.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Adds diagnostics; one that is there already is not added again.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            if !self.diagnostics.contains(&diagnostic) {
                self.diagnostics.push(diagnostic);
            }
        }
        self.diagnostics.sort_by(|a, b| {
            let place = |d: &Diagnostic| (d.line, d.column, d.severity);
            a.path.cmp(&b.path).then_with(|| place(a).cmp(&place(b)))
        });
    }

    /// How many keep the pipeline from starting.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }
}

/// The diagnostics, an empty line between two, and how many there are. Empty when there is none.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.diagnostics.is_empty() {
            return Ok(());
        }
        for diagnostic in &self.diagnostics {
            write!(f, "{diagnostic}\n\n")?;
        }
        let errors = self.errors();
        let warnings = self.diagnostics.len() - errors;
        let count = |n, noun| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
        match (errors, warnings) {
            (_, 0) => f.write_str(&count(errors, "error")),
            (0, _) => f.write_str(&count(warnings, "warning")),
            _ => write!(f, "{}, {}", count(errors, "error"), count(warnings, "warning")),
        }
    }
}

impl std::error::Error for Report {}
