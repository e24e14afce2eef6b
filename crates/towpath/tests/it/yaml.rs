//! YAML as JSON, for files that other programs read: Kubernetes, Prometheus.

use granit_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Value};

/// All documents of a file. Panics where it is no YAML, or where YAML 1.1 and 1.2 read it differently.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let mut reader = Reader(Parser::new_from_str(text));
    let mut documents = Vec::new();
    loop {
        match reader.next() {
            Event::StreamEnd => return documents,
            Event::DocumentStart(..) => {
                let first = reader.next();
                documents.push(reader.value(first));
            }
            _ => {}
        }
    }
}

struct Reader<'t>(Parser<'t, StrInput<'t>>);

impl<'t> Reader<'t> {
    fn next(&mut self) -> Event<'t> {
        loop {
            match self.0.next_event() {
                None => return Event::StreamEnd,
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, _))) => return event,
                Some(Err(error)) => panic!("no YAML: {error}"),
            }
        }
    }

    fn value(&mut self, event: Event<'t>) -> Value {
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, None) => plain(&text),
            Event::Scalar(text, _, _, None) => Value::String(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next() {
                        Event::SequenceEnd => return Value::Array(items),
                        event => items.push(self.value(event)),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Map::new();
                loop {
                    let key = match self.next() {
                        Event::MappingEnd => return Value::Object(entries),
                        Event::Scalar(text, ..) => text.into_owned(),
                        event => panic!("a key is text, not {event:?}"),
                    };
                    let event = self.next();
                    let value = self.value(event);
                    assert!(entries.insert(key.clone(), value).is_none(), "{key} stands twice");
                }
            }
            event => panic!("neither text, list nor block: {event:?}"),
        }
    }
}

fn plain(text: &str) -> Value {
    let lower = text.to_ascii_lowercase();
    let ambiguous = ["y", "n", "yes", "no", "on", "off"].contains(&&*lower)
        || (text.len() > 1
            && text.starts_with('0')
            && text[1..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(!ambiguous, "`{text}` without quotes is not the same in YAML 1.1 and 1.2");
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from),
    }
}
