//! The way to a member of a JSON value, as a configuration names it: [`Path`].

use std::fmt;
use std::str::FromStr;

/// Names of members, joined by dots, from the top of a value: `data.actor.id`. A name that has a dot or a quote in it
/// stands in quotes: `"project.archived".by`; a quote or a backslash inside of them has a backslash before it. The empty path is the
/// value itself. A path leads through objects only, unless whoever takes it says otherwise.
///
/// ```
/// let path: pipeline::Path = r#"data."@timestamp""#.parse().unwrap();
/// assert_eq!(&*path.names()[1], "@timestamp");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Box<str>>);

/// The text is no [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not names joined by dots, such as `data.items` or `data.\"with.dot\"`")]
pub struct ParsePathError;

impl Path {
    /// A path of these names.
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).into()).collect())
    }

    /// The names, outermost first.
    pub fn names(&self) -> &[Box<str>] {
        &self.0
    }

    /// Whether it is the value itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Path {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, ParsePathError> {
        let mut names = Vec::new();
        let mut rest = text;
        if rest.is_empty() {
            return Ok(Self::default());
        }
        loop {
            let (name, after) = if let Some(quoted) = rest.strip_prefix('"') {
                unquote(quoted).ok_or(ParsePathError)?
            } else {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            };
            if name.is_empty() || rest.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace)
            {
                return Err(ParsePathError);
            }
            names.push(name.into());
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(Self(names)),
                None => return Err(ParsePathError),
            }
        }
    }
}

/// The name up to its closing quote, and what stands behind that.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((name, &text[at + 1..])),
            (_, '\\') => name.push(chars.next()?.1),
            (_, c) => name.push(c),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            if name.contains(['.', '"', '\\']) || name.trim() != &**name {
                write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))?;
            } else {
                f.write_str(name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written_alike() {
        for (text, names) in [
            ("", &[][..]),
            ("id", &["id"]),
            ("data.actor.id", &["data", "actor", "id"]),
            ("@timestamp", &["@timestamp"]),
            (r#""project.archived".by"#, &["project.archived", "by"]),
            (r#""a\"b\\c.""#, &["a\"b\\c."]),
        ] {
            let path: Path = text.parse().unwrap();
            assert_eq!(path.names().iter().map(|name| &**name).collect::<Vec<_>>(), names, "{text}");
            assert_eq!(path.to_string(), text);
        }
        for text in [".", "a.", ".a", "a..b", "\"a", "\"a\"b", "a. b", " a", "\"\""] {
            assert_eq!(text.parse::<Path>(), Err(ParsePathError), "{text}");
        }
    }
}
