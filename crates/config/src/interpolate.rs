//! `${…}` inside values.
//!
//! | text | becomes |
//! |---|---|
//! | `${NAME}` | the environment variable; not set = error |
//! | `${NAME:-default}` | the same, or `default` when it is not set or empty; the default ends at the first `}` |
//! | `${file:/run/secrets/key}` | the file's text without the line breaks at its end; once a value |
//! | `$$` | `$` |
//! | any other `$` | itself |
//!
//! Works on the values of the tree, so that whatever a variable holds stays inside its value; keys and comments are left
//! alone.

use std::env::VarError;
use std::path::{Path, PathBuf};

use settings::Secret;

use crate::environment::Environment;
use crate::finding::Finding;
use crate::node::{Kind, Node, Origin, Span};

/// Replaces the `${…}` of every value in the tree.
pub(crate) fn resolve(
    node: &mut Node,
    text: &str,
    environment: &dyn Environment,
    findings: &mut Vec<Finding>,
) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| resolve(item, text, environment, findings)),
        Kind::Map(entries) => {
            entries.iter_mut().for_each(|entry| resolve(&mut entry.value, text, environment, findings));
        }
        Kind::Scalar(scalar) if scalar.text.contains('$') => {
            if looks_like_a_variable(&scalar.text) {
                findings.push(Finding::warning(
                    &node.span,
                    "a `$` without braces stands for itself, so this is no variable",
                    "write `${NAME}` for a variable, or `$$` for a dollar sign",
                ));
            }
            match read(&scalar.text).and_then(|parts| replace(parts, environment)) {
                Ok((replaced, origin)) => (scalar.text, scalar.origin) = (replaced, origin),
                Err(problem) => {
                    scalar.origin = Origin::Unresolved;
                    let span = narrow(&node.span, text, &problem.place);
                    findings.push(Finding::error(&span, problem.message, problem.help));
                }
            }
        }
        Kind::Scalar(_) => {}
    }
}

/// A piece of a value.
enum Part {
    Text(String),
    Variable { name: String, default: Option<String> },
    File(PathBuf),
}

/// Why a value's `${…}` cannot be replaced.
struct Problem {
    /// The text in the file to point at, if it is there literally.
    place: String,
    message: String,
    help: String,
}

fn problem(place: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { place: place.into(), message: message.into(), help: help.into() }
}

fn read(value: &str) -> Result<Vec<Part>, Problem> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let Some(body) = tail.strip_prefix('{') else {
            text.push('$');
            rest = tail.strip_prefix('$').unwrap_or(tail);
            continue;
        };
        let Some(end) = body.find('}') else {
            return Err(problem(
                "${",
                "this `${` is never closed",
                "add the `}`, or write `$${` for the text itself",
            ));
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(reference(&body[..end])?);
        rest = &body[end + 1..];
    }
    text.push_str(rest);
    if !text.is_empty() || parts.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// What stands between `${` and `}`.
fn reference(body: &str) -> Result<Part, Problem> {
    if let Some(path) = body.strip_prefix("file:") {
        if path.is_empty() {
            return Err(problem("${file:", "`${file:}` names no file", "write `${file:/run/secrets/NAME}`"));
        }
        return Ok(Part::File(path.into()));
    }
    let (name, default) = match body.split_once(":-") {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (body, None),
    };
    if !is_variable_name(name) {
        // What stands there may be the secret itself, so it is not repeated.
        return Err(problem(
            "${",
            "this `${…}` does not name an environment variable",
            "write `${NAME}`, `${NAME:-default}` or `${file:/path}`; for the text itself write `$${`",
        ));
    }
    Ok(Part::Variable { name: name.to_owned(), default })
}

fn replace(parts: Vec<Part>, environment: &dyn Environment) -> Result<(String, Origin), Problem> {
    let alone = parts.len() == 1;
    let mut origin = Origin::Literal;
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(piece) => match &mut origin {
                Origin::File { suffix, .. } => suffix.push_str(&piece),
                _ => text.push_str(&piece),
            },
            Part::Variable { name, default } => {
                let (piece, given) = variable(&name, default, environment)?;
                match &mut origin {
                    Origin::File { suffix, .. } => suffix.push_str(&piece),
                    other => {
                        *other = match (alone, given) {
                            (true, true) => Origin::Variable,
                            (true, false) => Origin::Default,
                            (false, _) => Origin::Mixed,
                        };
                        text.push_str(&piece);
                    }
                }
            }
            Part::File(_) if matches!(origin, Origin::File { .. }) => {
                return Err(problem(
                    "${file:",
                    "a value takes one `${file:…}` only",
                    "put the whole value into one file",
                ));
            }
            Part::File(path) => {
                let content = file(&path, environment)?;
                origin =
                    Origin::File { prefix: std::mem::take(&mut text), path, suffix: String::new(), content };
            }
        }
    }
    if let Origin::File { prefix, suffix, content, .. } = &origin {
        text = format!("{prefix}{}{suffix}", Secret::trim(content));
    }
    Ok((text, origin))
}

/// The variable's value, and whether it is the variable's own rather than the default.
fn variable(
    name: &str,
    default: Option<String>,
    environment: &dyn Environment,
) -> Result<(String, bool), Problem> {
    let place = format!("${{{name}");
    match (environment.variable(name), default) {
        (Ok(value), None) => Ok((value, true)),
        (Ok(value), Some(_)) if !value.is_empty() => Ok((value, true)),
        (Ok(_) | Err(VarError::NotPresent), Some(default)) => Ok((default, false)),
        (Err(VarError::NotPresent), None) => Err(problem(
            place,
            format!("environment variable `{name}` is not set"),
            format!("set `{name}`, or give a default: `${{{name}:-default}}`"),
        )),
        (Err(VarError::NotUnicode(_)), _) => Err(problem(
            place,
            format!("environment variable `{name}` is not UTF-8"),
            format!("set `{name}` to text in UTF-8"),
        )),
    }
}

fn file(path: &Path, environment: &dyn Environment) -> Result<String, Problem> {
    let place = format!("${{file:{}", path.display());
    let help =
        "check the path (a relative one counts from the working directory) and that this user may read it";
    let content = environment
        .file(path)
        .map_err(|error| problem(&*place, format!("cannot read `{}`: {error}", path.display()), help))?;
    if Secret::trim(&content).is_empty() {
        return Err(problem(
            place,
            format!("`{}` is empty", path.display()),
            "write the value into the file",
        ));
    }
    Ok(content)
}

/// `[A-Za-z_][A-Za-z0-9_]*`
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `$POSTMAN_API_KEY`, which a shell would replace.
fn looks_like_a_variable(value: &str) -> bool {
    value.strip_prefix('$').is_some_and(|name| {
        is_variable_name(name) && name.len() > 2 && !name.bytes().any(|b| b.is_ascii_lowercase())
    })
}

/// The place of `part` in the value's source text, or the whole value where escapes hide it.
fn narrow(span: &Span, text: &str, part: &str) -> Span {
    match text.get(span.clone()).and_then(|source| source.find(part)) {
        Some(at) => span.start + at..span.start + at + part.len(),
        None => span.clone(),
    }
}

/// A value that is one reference to a variable or a file and nothing more: its source text tells no secret.
pub(crate) fn is_bare_reference(source: &str) -> bool {
    let Some(body) = source.strip_prefix("${").and_then(|s| s.strip_suffix('}')) else { return false };
    match body.strip_prefix("file:") {
        Some(path) => !path.contains(['$', '{', '}']),
        None => body.len() <= 64 && is_variable_name(body),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io;

    use super::*;

    struct Fake(HashMap<&'static str, &'static str>);

    impl Environment for Fake {
        fn variable(&self, name: &str) -> Result<String, VarError> {
            self.0.get(name).map(|v| (*v).to_owned()).ok_or(VarError::NotPresent)
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            let content = self.0.get(path.to_str().unwrap()).ok_or(io::ErrorKind::NotFound)?;
            Ok((*content).to_owned())
        }
    }

    fn resolved(value: &str) -> Result<(String, Origin), String> {
        let fake = Fake(HashMap::from([
            ("A", "alpha"),
            ("N", "7"),
            ("EMPTY", ""),
            ("YAML", "x\nadmin: off"),
            ("NESTED", "${A}"),
            ("/run/key", "hunter2\r\n\n"),
            ("/run/empty", "\n"),
        ]));
        read(value).and_then(|parts| replace(parts, &fake)).map_err(|problem| problem.message)
    }

    #[test]
    fn references_are_replaced_inside_text() {
        for (value, text) in [
            ("a", "a"),
            ("", ""),
            ("${A}", "alpha"),
            ("x-${A}-${N}", "x-alpha-7"),
            ("${EMPTY}", ""),
            ("${EMPTY:-b}", "b"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b c}", "a:-b c"),
            ("${A:-b}", "alpha"),
            ("${YAML}", "x\nadmin: off"),
            ("${NESTED}", "${A}"),
            ("$$", "$"),
            ("$${A}", "${A}"),
            ("$$$A", "$$A"),
            ("pa$word$", "pa$word$"),
            ("Bearer ${file:/run/key}!", "Bearer hunter2!"),
            ("${A} ${file:/run/key} ${A}", "alpha hunter2 alpha"),
        ] {
            assert_eq!(resolved(value).map(|(text, _)| text).as_deref(), Ok(text), "{value}");
        }
    }

    #[test]
    fn origin_tells_what_a_value_is_made_of() {
        let origin = |value| resolved(value).unwrap().1;
        assert!(origin("$$") == Origin::Literal);
        assert!(origin("${N}") == Origin::Variable);
        assert!(origin("1${N}") == Origin::Mixed);
        assert!(origin("${NONE:-7}") == Origin::Default);
        assert!(origin("1${NONE:-7}") == Origin::Mixed);
        let Origin::File { prefix, path, suffix, content } = origin("${A} ${file:/run/key} ${A}") else {
            panic!("no file")
        };
        assert_eq!((&*prefix, &*suffix, &*content), ("alpha ", " alpha", "hunter2\r\n\n"));
        assert_eq!(path, Path::new("/run/key"));
    }

    #[test]
    fn what_cannot_be_replaced_is_an_error() {
        for (value, message) in [
            ("${NONE}", "environment variable `NONE` is not set"),
            ("${A", "this `${` is never closed"),
            ("${}", "this `${…}` does not name an environment variable"),
            ("${PMAK-1}", "this `${…}` does not name an environment variable"),
            ("${1A}", "this `${…}` does not name an environment variable"),
            ("${file:}", "`${file:}` names no file"),
            ("${file:/none}", "cannot read `/none`: entity not found"),
            ("${file:/run/empty}", "`/run/empty` is empty"),
            ("${file:/run/key}${file:/run/key}", "a value takes one `${file:…}` only"),
        ] {
            assert_eq!(resolved(value).map(|(text, _)| text), Err(message.to_owned()), "{value}");
        }
    }

    #[test]
    fn bare_reference_is_no_secret_but_a_default_may_be() {
        for (source, bare) in [
            ("${POSTMAN_API_KEY}", true),
            ("${file:/run/secrets/key}", true),
            ("${KEY:-hunter2}", false),
            ("${PMAK-1}", false),
            ("x${A}", false),
            ("${A}${B}", false),
            ("${file:/a}hunter2${file:/b}", false),
            ("hunter2", false),
        ] {
            assert_eq!(is_bare_reference(source), bare, "{source}");
        }
    }

    #[test]
    fn shell_style_variable_is_noticed() {
        assert!(looks_like_a_variable("$POSTMAN_API_KEY"));
        for value in ["$", "$a", "pa$WORD", "$$NAME", "$AB", "$Name"] {
            assert!(!looks_like_a_variable(value), "{value}");
        }
    }
}
