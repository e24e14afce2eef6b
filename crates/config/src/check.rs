//! Holds the tree against its schema and finds everything that is wrong with it.
//!
//! Understands the part of JSON Schema that `schemars` writes for configuration structs: objects, maps, lists, numbers,
//! booleans, text, enums of words, enums with content (`{ bearer: … }`), and a choice of several shapes. Text is only
//! checked further where its `format` is one that is known here; the rest is up to the reader of the value.
//!
//! On its way it notes which values may be shown: those that the schema has a key for and does not call secret.

use serde_json::{Map, Value};
use settings::{ByteSize, HumanDuration};

use crate::finding::Finding;
use crate::model::Listen;
use crate::node::{Entry, Kind, Node, Origin, Scalar, Span};
use crate::schema::{Schemas, is_null};
use settings::suggest::{any_of, closest};

/// One walk over a tree.
pub(crate) struct Check<'a> {
    schemas: &'a Schemas,
    text: &'a str,
    pub(crate) findings: Vec<Finding>,
    /// The scalars that may be shown.
    pub(crate) shown: Vec<Span>,
    /// Whether keys may stand elsewhere, so that none is missing.
    in_part: bool,
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct At<'a> {
    /// The key of the value, for messages.
    name: &'a str,
    /// The place of that key: what is missing in a block is missing there.
    place: &'a Span,
    /// Whether it is a secret.
    secret: bool,
    /// Whether it must not be shown, though it may be no secret.
    hidden: bool,
}

impl<'a> Check<'a> {
    pub(crate) fn new(schemas: &'a Schemas, text: &'a str) -> Self {
        Self { schemas, text, findings: Vec::new(), shown: Vec::new(), in_part: false }
    }

    /// The same for a tree that is not whole: no key of it is missing.
    pub(crate) fn in_part(self) -> Self {
        Self { in_part: true, ..self }
    }

    /// Checks the value of the key `name`, which stands at `place`.
    pub(crate) fn value(&mut self, node: &Node, schema: &Value, name: &str, place: &Span) {
        self.node(node, schema, At { name, place, secret: false, hidden: false });
    }

    /// Lets a key be shown.
    pub(crate) fn show_key(&mut self, entry: &Entry) {
        if is_presentable(&entry.key) {
            self.shown.push(entry.key_span.clone());
        }
    }

    fn node(&mut self, node: &Node, schema: &Value, at: At<'_>) {
        let schemas = self.schemas;
        let schema = schemas.target(schema);
        let at = At { secret: at.secret || schema.get("writeOnly") == Some(&Value::Bool(true)), ..at };
        if let Some(scalar) = node.scalar() {
            self.note(node, scalar, at);
            if scalar.origin == Origin::Unresolved {
                return;
            }
            if node.is_null() {
                // Nothing at all may be a slip; `null` is meant.
                let takes_null =
                    schema.get("anyOf").and_then(Value::as_array).is_some_and(|of| of.iter().any(is_null));
                if takes_null && !node.span.is_empty() {
                    return;
                }
                let message = format!("`{}` has no value", at.name);
                return self.error(at.place, message, "write a value, or remove the key");
            }
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(Value::Array(branches)) = schema.get(choice) {
                return self.choice(node, branches, at);
            }
        }
        if let Some(words) = words(schema) {
            return self.word(node, &words, &[], at);
        }
        match (schema.get("type").and_then(Value::as_str), &node.kind) {
            (Some("object"), Kind::Map(entries)) => self.object(entries, schema, at),
            (Some("array"), Kind::List(items)) => self.list(node, items, schema, at),
            (Some("string"), Kind::Scalar(scalar)) => self.string(node, scalar, schema, at),
            (Some("integer"), Kind::Scalar(scalar)) => self.integer(node, scalar, schema, at),
            (Some("number"), Kind::Scalar(scalar)) if scalar.float().is_some() => {}
            (Some("boolean"), Kind::Scalar(scalar)) if scalar.boolean().is_some() => {}
            (Some(_), _) => self.mismatch(node, schema, at),
            // Any value.
            (None, _) => {}
        }
    }

    fn object(&mut self, entries: &[Entry], schema: &Value, at: At<'_>) {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        for entry in entries {
            let below = At { name: &entry.key, place: &entry.key_span, ..at };
            if let Some(schema) = known.get(&entry.key) {
                self.shown.push(entry.key_span.clone());
                self.node(&entry.value, schema, below);
                continue;
            }
            match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => self.unknown_key(entry, known),
                Some(free) => self.free_key(entry, free, below),
                None => {}
            }
        }
        if self.in_part {
            return;
        }
        for key in
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !entries.iter().any(|entry| entry.key == key) {
                let about = known.get(key).map(|schema| self.about(schema)).unwrap_or_default();
                self.error(at.place, format!("missing key `{key}`"), format!("add `{key}: …`{about}"));
            }
        }
    }

    /// A key of the user's own, such as the name of a header. Its value is not shown: only a name tells a secret there, and
    /// names are mistyped; but for values that the schema says are none (`writeOnly: false`).
    fn free_key(&mut self, entry: &Entry, schema: &Value, at: At<'_>) {
        let Entry { key, key_span, value } = entry;
        if is_stray(entry) {
            return self.error(key_span, "this key has no value", "write `key: value`");
        }
        let name = if is_presentable(key) { key } else { "this key" };
        self.show_key(entry);
        let open = schema.get("writeOnly") == Some(&Value::Bool(false));
        let is_elsewhere = value.scalar().is_some_and(|scalar| names_a_variable(&scalar.text));
        let secret = at.secret || !open && !is_elsewhere && sounds_secret(key);
        self.node(value, schema, At { name, secret, hidden: !open, ..at });
    }

    fn unknown_key(&mut self, entry: &Entry, known: &Map<String, Value>) {
        let Entry { key, key_span, .. } = entry;
        let listed = || {
            format!("known keys are {}", any_of(known.keys().map(String::as_str)).replace(" or ", " and "))
        };
        let meant = closest(key, known.keys().map(String::as_str));
        if is_stray(entry) && meant.is_none() || !is_presentable(key) {
            // `api_key:PMAK…` without the space is one long key.
            let glued = key.split_once(':').map(|(key, _)| key).filter(|key| known.contains_key(*key));
            return match glued {
                Some(key) => {
                    self.error(key_span, format!("no space after `{key}:`"), format!("write `{key}: …`"))
                }
                None => self.error(key_span, "unknown key", listed()),
            };
        }
        self.shown.push(key_span.clone());
        let inner = known.iter().find(|(_, schema)| {
            let properties = self.schemas.target(schema).get("properties");
            properties.is_some_and(|properties| properties.get(key).is_some())
        });
        let help = match (meant, inner) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some((outer, _))) => format!("did you mean `{key}` inside of `{outer}`?"),
            (None, None) => listed(),
        };
        self.error(key_span, format!("unknown key `{key}`"), help);
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &Value, at: At<'_>) {
        for (index, item) in items.iter().enumerate() {
            let Some(schema) = schema.get("items") else { break };
            self.node(item, schema, At { name: &format!("{}.{index}", at.name), place: &item.span, ..at });
        }
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            let span = if node.span.is_empty() { at.place } else { &node.span };
            self.error(span, format!("`{}` needs at least {least} of them", at.name), "add to the list");
        }
    }

    fn string(&mut self, node: &Node, scalar: &Scalar, schema: &Value, at: At<'_>) {
        if at.secret {
            return self.secret(node, scalar, at);
        }
        let (noun, problem) = match schema.get("format").and_then(Value::as_str) {
            Some(HumanDuration::FORMAT) => {
                ("a duration", scalar.text.parse::<HumanDuration>().err().map(|e| e.to_string()))
            }
            Some(ByteSize::FORMAT) => {
                ("a size", scalar.text.parse::<ByteSize>().err().map(|e| e.to_string()))
            }
            Some(Listen::FORMAT) => {
                ("an address to listen on", scalar.text.parse::<Listen>().err().map(|e| e.to_string()))
            }
            _ => return,
        };
        if let Some(help) = problem {
            let value = self.quoted(node, scalar, at);
            self.error(&node.span, format!("{value} is not {noun}"), help);
        }
    }

    fn secret(&mut self, node: &Node, scalar: &Scalar, at: At<'_>) {
        if scalar.text.is_empty() {
            return self.error(
                &node.span,
                format!("`{}` is empty", at.name),
                "give it, or its variable, a value",
            );
        }
        if matches!(scalar.origin, Origin::Literal | Origin::Default) && !names_only_a_host(&scalar.text) {
            self.findings.push(Finding::warning(
                &node.span,
                format!("the secret `{}` is written in this file", at.name),
                "keep it apart: `${NAME}` takes it from the environment, `${file:/run/secrets/NAME}` from a file",
            ));
        }
    }

    fn integer(&mut self, node: &Node, scalar: &Scalar, schema: &Value, at: At<'_>) {
        let Some(number) = scalar.integer() else { return self.mismatch(node, schema, at) };
        let (mut least, mut most) = match schema.get("format").and_then(Value::as_str) {
            Some("uint8") => (0, i128::from(u8::MAX)),
            Some("uint16") => (0, i128::from(u16::MAX)),
            Some("uint32") => (0, i128::from(u32::MAX)),
            Some("uint" | "uint64") => (0, i128::from(u64::MAX)),
            Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        };
        let bound = |key| {
            schema
                .get(key)
                .and_then(|value| value.as_i64().map(i128::from).or(value.as_u64().map(i128::from)))
        };
        least = least.max(bound("minimum").unwrap_or(least));
        most = most.min(bound("maximum").unwrap_or(most));
        if number < least {
            self.error(
                &node.span,
                format!("`{}` is below {least}", at.name),
                format!("write {least} or more"),
            );
        } else if number > most {
            self.error(&node.span, format!("`{}` is above {most}", at.name), format!("write {most} or less"));
        }
    }

    /// One of some words, or a block with one of some tags.
    fn word(&mut self, node: &Node, words: &[&str], tags: &[&str], at: At<'_>) {
        let name = at.name;
        let (word, tag) = (any_of(words.iter().copied()), any_of(tags.iter().copied()));
        let all = match (words, tags) {
            (_, []) => format!("write {word}"),
            ([], _) => format!("write `{name}: {{ … }}` with {tag} in it"),
            _ => format!("write {word}, or `{name}: {{ … }}` with {tag} in it"),
        };
        let Some(scalar) = node.scalar() else {
            let expected = if tags.is_empty() { "one word" } else { "a block of one key" };
            return self.error(at.place, format!("`{name}` takes {expected}, not {}", node.noun()), all);
        };
        if words.contains(&&*scalar.text) {
            return;
        }
        let value = self.quoted(node, scalar, at);
        let guess = scalar.origin == Origin::Literal && self.may_show(node, scalar, at);
        let meant = guess.then(|| closest(&scalar.text, words.iter().chain(tags).copied())).flatten();
        let help = match meant {
            Some(meant) if words.contains(&meant) => format!("did you mean `{meant}`?"),
            Some(meant) => format!("write `{name}: {{ {meant}: … }}`"),
            None => all,
        };
        self.error(&node.span, format!("{value} is not a known `{name}`"), help);
    }

    /// One of several shapes.
    fn choice(&mut self, node: &Node, branches: &[Value], at: At<'_>) {
        let branches: Vec<&Value> = branches
            .iter()
            .filter(|branch| !is_null(branch))
            .map(|branch| self.schemas.target(branch))
            .collect();
        if let [only] = branches[..] {
            return self.node(node, only, at);
        }
        let words: Vec<&str> = branches.iter().filter_map(|branch| words(branch)).flatten().collect();
        let tagged: Vec<(&str, &Value)> = branches.iter().filter_map(|branch| tagged(branch)).collect();
        let tags: Vec<&str> = tagged.iter().map(|(tag, _)| *tag).collect();
        let others =
            branches.iter().any(|branch| self::words(branch).is_none() && self::tagged(branch).is_none());
        match &node.kind {
            _ if others => self.first_that_fits(node, &branches, at),
            Kind::Map(entries) if !tagged.is_empty() => self.variant(entries, &tagged, at),
            _ => self.word(node, &words, &tags, at),
        }
    }

    /// `{ bearer: … }`, where the one key says what the value is.
    fn variant(&mut self, entries: &[Entry], tagged: &[(&str, &Value)], at: At<'_>) {
        let tags = || tagged.iter().map(|(tag, _)| *tag);
        let mut taken = None;
        for entry in entries {
            let Some((tag, schema)) = tagged.iter().find(|(tag, _)| *tag == entry.key) else {
                let known = tags().map(|tag| (tag.to_owned(), Value::Bool(true))).collect();
                self.unknown_key(entry, &known);
                continue;
            };
            self.shown.push(entry.key_span.clone());
            self.node(&entry.value, schema, At { name: tag, place: &entry.key_span, ..at });
            if let Some(first) = taken.replace(tag) {
                let message = format!("`{}` has both `{first}` and `{tag}`", at.name);
                self.error(&entry.key_span, message, "keep one of them");
            }
        }
        if entries.is_empty() {
            self.error(at.place, format!("`{}` is empty", at.name), format!("give it {}", any_of(tags())));
        }
    }

    fn first_that_fits(&mut self, node: &Node, branches: &[&Value], at: At<'_>) {
        let mut best: Option<Check<'_>> = None;
        for branch in branches {
            let mut attempt = Check { in_part: self.in_part, ..Check::new(self.schemas, self.text) };
            attempt.node(node, branch, at);
            let better = |best: &Check<'_>| attempt.findings.len() < best.findings.len();
            if best.as_ref().is_none_or(better) {
                best = Some(attempt);
            }
        }
        if let Some(best) = best {
            self.findings.extend(best.findings);
            self.shown.extend(best.shown);
        }
    }

    fn mismatch(&mut self, node: &Node, schema: &Value, at: At<'_>) {
        let name = at.name;
        let (expected, help) = match schema.get("type").and_then(Value::as_str) {
            Some("object") => {
                let help = match schema.get("properties").and_then(Value::as_object) {
                    Some(keys) => {
                        let keys = any_of(keys.keys().map(String::as_str));
                        format!("write `{name}: {{ … }}` with {keys} in it")
                    }
                    None => format!("write `{name}: {{ key: value }}`"),
                };
                ("a block of keys", help)
            }
            Some("array") => ("a list", format!("write `{name}: [ … ]`")),
            Some("integer") => ("a whole number", "write digits, without quotes and unit".to_owned()),
            Some("number") => ("a number", "write digits, without quotes and unit".to_owned()),
            Some("boolean") => ("`true` or `false`", "write `true` or `false`, without quotes".to_owned()),
            _ => match schema.get("format").and_then(Value::as_str) {
                Some(HumanDuration::FORMAT) => ("a duration", format!("write for example `{name}: 30s`")),
                Some(ByteSize::FORMAT) => ("a size", format!("write for example `{name}: 16MiB`")),
                _ => ("a single value", "write one value".to_owned()),
            },
        };
        let place = if matches!(node.kind, Kind::Scalar(_)) { &node.span } else { at.place };
        self.error(place, format!("`{name}` takes {expected}, not {}", node.noun()), help);
    }

    /// The first sentence of what the schema says of a key, for the end of a help line.
    fn about(&self, schema: &Value) -> String {
        let description =
            [schema, self.schemas.target(schema)].into_iter().find_map(|schema| schema.get("description"));
        let sentence =
            description.and_then(Value::as_str).map(|text| text.split(". ").next().unwrap_or(text));
        sentence
            .map(|text| format!(" ({})", text.trim_end_matches('.').replace('\n', " ")))
            .unwrap_or_default()
    }

    /// Notes that a scalar may be shown, if so.
    fn note(&mut self, node: &Node, scalar: &Scalar, at: At<'_>) {
        if self.may_show(node, scalar, at) {
            self.shown.push(node.span.clone());
        }
    }

    fn may_show(&self, node: &Node, scalar: &Scalar, at: At<'_>) -> bool {
        let source = self.text.get(node.span.clone()).unwrap_or_default();
        !at.secret && !at.hidden && !may_hold_credentials(source) && scalar.origin != Origin::Unresolved
    }

    /// The value for a message: its text where that stands in the file and may be shown.
    fn quoted(&self, node: &Node, scalar: &Scalar, at: At<'_>) -> String {
        let short = scalar.text.chars().count() <= 60 && !scalar.text.contains(char::is_control);
        if scalar.origin == Origin::Literal
            && short
            && !scalar.text.is_empty()
            && self.may_show(node, scalar, at)
        {
            format!("`{}`", scalar.text)
        } else {
            format!("the value of `{}`", at.name)
        }
    }

    fn error(&mut self, span: &Span, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::error(span, message, help));
    }
}

/// The words that a schema takes, if it takes nothing else.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const") {
        return word.as_str().map(|word| vec![word]);
    }
    schema.get("enum")?.as_array()?.iter().map(Value::as_str).collect()
}

/// The key and the content of an enum variant: an object of exactly one key.
fn tagged(schema: &Value) -> Option<(&str, &Value)> {
    let [tag] = &schema.get("required")?.as_array()?[..] else { return None };
    let properties = schema.get("properties")?.as_object().filter(|properties| properties.len() == 1)?;
    let (tag, schema) = properties.get_key_value(tag.as_str()?)?;
    Some((tag, schema))
}

/// Whether a key can be repeated in a message: it looks like one, not like a token that took its place.
pub(crate) fn is_presentable(key: &str) -> bool {
    let word = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    word && (1..=40).contains(&key.len()) && (key.len() <= 20 || !key.bytes().any(|b| b.is_ascii_digit()))
}

/// Whether a key has no value, so that it may be a value that lost its key: `{ api_key: , PMAK… }`.
fn is_stray(entry: &Entry) -> bool {
    entry.value.span.is_empty() && entry.value.is_null()
}

/// Whether a free key, such as the name of a header, announces a secret.
fn sounds_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["auth", "cookie", "cred", "key", "pass", "pwd", "secret", "session", "sign", "token"]
        .iter()
        .any(|part| key.contains(part))
}

/// Whether a secret is a URL that tells none, such as the address of a proxy without a password.
fn names_only_a_host(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| !rest.trim_end_matches('/').contains(['@', '?', '#', '/']))
}

/// Whether a value only names the variable of a recipe that holds it: `{key}`.
fn names_a_variable(text: &str) -> bool {
    text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

/// Whether a value is a URL with a user, a password or parameters in it.
fn may_hold_credentials(source: &str) -> bool {
    source.split_once("://").is_some_and(|(_, rest)| rest.contains(['@', '?']))
}
