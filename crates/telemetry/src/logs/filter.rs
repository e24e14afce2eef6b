//! Which lines are logged.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// Libraries that speak of their own affairs, some with the bytes that they send. `debug` means Towpath, not them.
const LIBRARIES: [&str; 9] =
    ["aws_config", "aws_smithy_runtime", "h2", "hyper", "hyper_util", "mio", "reqwest", "rustls", "tower"];

/// Why a filter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A word is no level.
    #[error("`{0}` is not a level: use `error`, `warn`, `info`, `debug`, `trace` or `off`")]
    Level(Box<str>),
    /// A part has no module before its `=`.
    #[error("`{0}` names no module: write it as in `info,source_audit_logs=debug`")]
    Module(Box<str>),
    /// There are two levels without a module.
    #[error("`{0}` is a second level for everything: give one, and others as `module=level`")]
    Twice(Box<str>),
    /// There is nothing in it.
    #[error("the log level is empty: use `error`, `warn`, `info`, `debug`, `trace` or `off`")]
    Empty,
}

/// Reads `LEVEL`, `MODULE=LEVEL` or several of them between commas. Everything is `info` unless said otherwise.
pub(super) fn read(text: &str) -> Result<Targets, FilterError> {
    let mut everything = None;
    let mut modules = Vec::new();
    let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Err(FilterError::Empty);
    }
    for part in parts {
        match part.split_once('=') {
            None => {
                if everything.replace(level(part)?).is_some() {
                    return Err(FilterError::Twice(part.into()));
                }
            }
            Some((module, _)) if module.trim().is_empty() => return Err(FilterError::Module(part.into())),
            // A crate's name has a dash where its modules have an underscore.
            Some((module, word)) => modules.push((module.trim().replace('-', "_"), level(word.trim())?)),
        }
    }
    let everything = everything.unwrap_or(LevelFilter::INFO);
    let libraries = LIBRARIES.map(|library| (library.to_owned(), everything.min(LevelFilter::INFO)));
    // The later of two entries for one module holds.
    Ok(Targets::new().with_default(everything).with_targets(libraries).with_targets(modules))
}

fn level(word: &str) -> Result<LevelFilter, FilterError> {
    let known = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, level)| level).ok_or_else(|| FilterError::Level(word.into()))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_level_is_for_towpath_and_a_module_has_its_own() {
        let filter = read("debug").unwrap();
        assert!(filter.would_enable("source_postman::walk", &Level::DEBUG));
        assert!(!filter.would_enable("source_postman", &Level::TRACE));
        assert!(filter.would_enable("hyper", &Level::INFO));
        assert!(!filter.would_enable("hyper::proto", &Level::DEBUG));

        let filter = read(" warn, sink-file=trace ,hyper=debug,").unwrap();
        assert!(filter.would_enable("sink_file::tail", &Level::TRACE));
        assert!(filter.would_enable("hyper::proto", &Level::DEBUG));
        assert!(!filter.would_enable("runtime", &Level::INFO));
        assert!(!filter.would_enable("reqwest", &Level::INFO));

        assert!(read("sink_file=OFF").unwrap().would_enable("runtime", &Level::INFO));
        assert!(!read("sink_file=OFF").unwrap().would_enable("sink_file", &Level::ERROR));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (text, error) in [
            ("inof", FilterError::Level("inof".into())),
            ("info,hyper", FilterError::Level("hyper".into())),
            ("info,hyper=loud", FilterError::Level("loud".into())),
            ("hyper=", FilterError::Level("".into())),
            ("=debug", FilterError::Module("=debug".into())),
            ("info,debug", FilterError::Twice("debug".into())),
            (" , ", FilterError::Empty),
        ] {
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
    }
}
