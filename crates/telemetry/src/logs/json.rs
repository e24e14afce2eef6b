//! Log lines for machines: one object a line with `timestamp`, `level`, `target`, `message` and `fields`.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes the fields of a span as a JSON object.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut object = Object::default();
        fields.record(&mut object);
        writer.write_str(&serde_json::to_string(&object.0).map_err(|_| fmt::Error)?)
    }

    fn add_fields(&self, span: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut object = Object(read(span)?);
        fields.record(&mut object);
        span.fields = serde_json::to_string(&object.0).map_err(|_| fmt::Error)?;
        Ok(())
    }
}

/// The fields of a span, as [`Fields`] wrote them.
fn read(text: &str) -> Result<Map<String, Value>, fmt::Error> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|_| fmt::Error)
}

/// Writes the line; the fields of the spans around the event are among its own, which win.
pub(super) struct Lines;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    target: &'a str,
    message: Value,
    fields: Map<String, Value>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, Fields> for Lines {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut object = Object::default();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(text) = span.extensions().get::<FormattedFields<Fields>>() {
                object.0.extend(read(text)?);
            }
        }
        event.record(&mut object);
        let line = Line {
            timestamp: format!("{:.3}", jiff::Timestamp::now()),
            level: event.metadata().level().as_str(),
            target: event.metadata().target(),
            message: object.0.remove("message").unwrap_or_else(|| Value::String(String::new())),
            fields: object.0,
        };
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Object {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, super::chain(value));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Broken, logged};
    use super::*;

    #[test]
    fn a_line_is_one_object_with_a_fixed_set_of_keys() {
        let text = logged(Fields, Lines, false, || {
            let outer = tracing::info_span!("a", source = "postman", n = 1, page = tracing::field::Empty);
            let outer = outer.entered();
            outer.record("page", 7);
            let _inner = tracing::info_span!("b", n = 2).entered();
            let broken = Broken::error();
            let error: &dyn std::error::Error = &broken;
            tracing::info!(n = 3, ok = true, wait = ?Some(4), error, evil = %"x\n", "cut \"it\"");
        });
        assert_eq!(text.matches('\n').count(), 1);
        let timestamp = &text[14..38];
        assert!(timestamp.parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
        assert_eq!(
            text,
            format!(
                "{{\"timestamp\":\"{timestamp}\",\"level\":\"INFO\",\"target\":\"telemetry::logs::json::tests\",\
                 \"message\":\"cut \\\"it\\\"\",\"fields\":{{\"error\":\"cannot read: broken\",\
                 \"evil\":\"x\\n\",\"n\":3,\"ok\":true,\"page\":7,\"source\":\"postman\",\"wait\":\"Some(4)\"}}}}\n"
            )
        );
    }

    #[test]
    fn no_message_is_an_empty_one() {
        let text = logged(Fields, Lines, false, || tracing::info!(n = 1));
        assert!(text.ends_with("\"message\":\"\",\"fields\":{\"n\":1}}\n"), "{text}");
    }
}
