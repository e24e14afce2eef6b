//! Where events go: a data stream, or an index that may be named after the event's time.

use pipeline::Timestamp;
use settings::Invalid;

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A data stream; its documents need an `@timestamp`.
    DataStream(String),
    /// One index for all.
    Index(String),
    /// An index that follows from the event's time.
    Dated(Vec<Piece>),
}

/// A piece of an index's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// Characters of the time as RFC 3339 writes it: `2026-11-22T10:…`.
    Time(std::ops::Range<usize>),
}

/// Longest name (Elasticsearch, "Create index API": 255 bytes).
const LONGEST: usize = 255;

impl Target {
    /// Reads the two keys, of which one must be there.
    pub(crate) fn read(data_stream: Option<&str>, index: Option<&str>) -> Result<Self, Invalid> {
        match (data_stream.map(str::trim), index.map(str::trim)) {
            (Some(name), None) => {
                is_name(name).map_err(|message| Invalid::new("data_stream", message, NAME))?;
                Ok(Self::DataStream(name.to_owned()))
            }
            (None, Some(pattern)) => Self::index(pattern),
            (None, None) => Err(Invalid::new(
                "data_stream",
                "is missing, and `index` as well",
                "write `data_stream: logs-audit-default`, or `index: audit-%Y.%m`",
            )),
            (Some(_), Some(_)) => {
                Err(Invalid::new("index", "stands beside `data_stream`", "remove one of the two"))
            }
        }
    }

    fn index(pattern: &str) -> Result<Self, Invalid> {
        let wrong = |message: &str, remedy: &str| Err(Invalid::new("index", message, remedy));
        let mut pieces = Vec::new();
        let mut parts = pattern.split('%');
        pieces.extend(parts.next().map(|text| Piece::Text(text.to_owned())));
        for part in parts {
            let time = match part.as_bytes().first() {
                Some(b'Y') => 0..4,
                Some(b'm') => 5..7,
                Some(b'd') => 8..10,
                Some(b'H') => 11..13,
                _ => return wrong("holds a % that is no time", "use %Y, %m, %d and %H alone"),
            };
            pieces.extend([Piece::Time(time), Piece::Text(part[1..].to_owned())]);
        }
        let example = render(&pieces, Timestamp::default());
        if let Err(message) = is_name(&example) {
            return wrong(message, NAME);
        }
        Ok(if pieces.len() == 1 { Self::Index(example) } else { Self::Dated(pieces) })
    }
}

/// The name for an event of this time.
pub(crate) fn render(pieces: &[Piece], time: Timestamp) -> String {
    let time = time.to_string();
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Time(range) => time.get(range.clone()).unwrap_or_default().to_owned(),
    };
    pieces.iter().map(text).collect()
}

const NAME: &str =
    "use small letters, digits, dashes, dots and underscores, and begin with a letter or digit";

/// What both products take (Elasticsearch, "Create index API").
fn is_name(name: &str) -> Result<(), &'static str> {
    let forbidden = |c: char| c.is_uppercase() || c.is_control() || " \\/*?\"<>|,#:%{}".contains(c);
    if name.is_empty() {
        return Err("is empty");
    }
    if name.starts_with(['-', '_', '+', '.']) {
        return Err("begins with a character that a name must not begin with");
    }
    if name.contains(forbidden) {
        return Err("holds a character that a name must not have");
    }
    if name.len() > LONGEST { Err("is longer than 255 bytes") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_named_after_the_events_time() {
        let time: Timestamp = "2026-01-02T03:04:05.006Z".parse().unwrap();
        for (pattern, name) in [
            ("audit-%Y.%m", "audit-2026.01"),
            ("%Y-%m-%d-%H", "2026-01-02-03"),
            ("audit-%Y%m%d-x", "audit-20260102-x"),
        ] {
            let Ok(Target::Dated(pieces)) = Target::read(None, Some(pattern)) else { panic!("{pattern}") };
            assert_eq!(render(&pieces, time), name);
        }
        assert_eq!(Target::read(None, Some("audit")), Ok(Target::Index("audit".to_owned())));
        let stream = Target::read(Some(" logs-audit-default "), None);
        assert_eq!(stream, Ok(Target::DataStream("logs-audit-default".to_owned())));
    }

    #[test]
    fn names_that_no_cluster_takes_are_refused() {
        for name in [
            "", "Audit", "a b", "_a", ".a", "-a", "+a", "a/b", "a*", "a,b", "a:b", "a#", "%", "a%", "%y",
            "a-%%",
        ] {
            assert!(Target::read(None, Some(name)).is_err(), "{name}");
        }
        assert!(Target::read(None, Some(&"x".repeat(256))).is_err());
        assert!(Target::read(Some("audit-%Y"), None).is_err());
        assert!(Target::read(None, None).is_err() && Target::read(Some("a"), Some("b")).is_err());
    }
}
