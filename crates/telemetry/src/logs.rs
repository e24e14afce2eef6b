//! The log on stderr: which lines, and in what form.

mod filter;
mod json;
mod text;

use std::env;
use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use filter::FilterError;

/// The environment variable that sets the filter where the command line does not.
pub const LEVEL_VARIABLE: &str = "TOWPATH_LOG";

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-20T10:00:00Z  INFO message name=value`, in colour on a terminal.
    #[default]
    Text,
    /// One object a line: `timestamp`, `level`, `target`, `message`, `fields`.
    Json,
}

impl Format {
    /// The name on the command line: `text` or `json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        [Self::Text, Self::Json].into_iter().find(|format| format.name() == text).ok_or(LogError::Format)
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The form is unknown.
    #[error("a log format is `text` or `json`")]
    Format,
    /// The filter cannot be read.
    #[error("cannot read the log level from {from}")]
    Level {
        /// `--log-level` or `TOWPATH_LOG`.
        from: &'static str,
        /// What is wrong with it.
        #[source]
        source: FilterError,
    },
    /// The process has a log already.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log of the whole process, on stderr. `level` is the value of `--log-level`; without it `TOWPATH_LOG`
/// decides, and without that the level is `info`.
///
/// A filter is a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), optionally followed by levels of single
/// modules: `info,source_audit_logs=debug,hyper=trace`. A level alone never raises the libraries below Towpath above
/// `info`, because they log what they send; whoever needs that names them.
///
/// # Errors
/// When the filter cannot be read, or the process has a log already.
pub fn init(format: Format, level: Option<&str>) -> Result<(), LogError> {
    let variable = env::var(LEVEL_VARIABLE).ok();
    let (text, from) = match (level, variable.as_deref()) {
        (Some(level), _) => (level, "--log-level"),
        (None, Some(level)) if !level.trim().is_empty() => (level, LEVEL_VARIABLE),
        (None, _) => ("info", "--log-level"),
    };
    let filter = filter::read(text).map_err(|source| LogError::Level { from, source })?;
    // When stderr breaks there is nowhere to say so, and the layer's own way of saying it would panic.
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let layer = match format {
        Format::Text => layer.with_ansi(colours()).fmt_fields(text::Fields).event_format(text::Lines).boxed(),
        Format::Json => layer.with_ansi(false).fmt_fields(json::Fields).event_format(json::Lines).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(layer).try_init().map_err(|_| LogError::Twice)
}

/// Colours are for a terminal that has them and a user who did not refuse them (no-color.org: set and not empty).
fn colours() -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stderr().is_terminal() && !refused && !dumb
}

/// An error and its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Registry;
    use tracing_subscriber::fmt::{FormatEvent, FormatFields};

    use super::*;

    /// An error with a cause.
    #[derive(Debug, thiserror::Error)]
    #[error("cannot read")]
    pub(super) struct Broken(#[source] io::Error);

    impl Broken {
        pub(super) fn error() -> Self {
            Self(io::Error::other("broken"))
        }
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `work` logs in that form.
    pub(super) fn logged<F, L>(fields: F, lines: L, colours: bool, work: impl FnOnce()) -> String
    where
        F: for<'w> FormatFields<'w> + Send + Sync + 'static,
        L: FormatEvent<Registry, F> + Send + Sync + 'static,
    {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(colours)
            .fmt_fields(fields)
            .event_format(lines);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_format_is_text_or_json() {
        assert_eq!("json".parse::<Format>().unwrap(), Format::Json);
        assert_eq!("text".parse::<Format>().unwrap(), Format::Text);
        assert_eq!("xml".parse::<Format>().unwrap_err().to_string(), "a log format is `text` or `json`");
    }
}
