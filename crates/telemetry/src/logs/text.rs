//! Log lines for people: `2026-11-20T10:00:00Z  WARN message name=value other="two words"`.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes ` name=value` for each field, and the message without a name.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }

    fn add_fields(&self, span: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        self.format_fields(span.as_writer(), fields)
    }
}

/// Writes the line; the fields of the spans around the event follow its own.
pub(super) struct Lines;

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, Fields> for Lines {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Fields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = jiff::Timestamp::now();
        let level = *event.metadata().level();
        if writer.has_ansi_escapes() {
            let colour = match level {
                Level::ERROR => "1;31",
                Level::WARN => "33",
                Level::INFO => "32",
                Level::DEBUG => "34",
                Level::TRACE => "35",
            };
            write!(writer, "\x1b[2m{now:.0}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m")?;
        } else {
            write!(writer, "{now:.0} {level:>5}")?;
        }
        // Where a line comes from helps whoever reads the code, and is noise to everybody else.
        if level > Level::INFO {
            write!(writer, " {}:", event.metadata().target())?;
        }
        context.format_fields(writer.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<Fields>>() {
                writer.write_str(fields)?;
            }
        }
        writeln!(writer)
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    result: fmt::Result,
}

impl Line<'_> {
    fn put(&mut self, field: &Field, value: &str) {
        if self.result.is_ok() {
            self.result = self.try_put(field.name(), value);
        }
    }

    /// Text from outside must not be able to break the line or to steer the terminal, so control characters are escaped.
    fn try_put(&mut self, name: &str, value: &str) -> fmt::Result {
        if name == "message" {
            self.writer.write_char(' ')?;
            return value.chars().try_for_each(|c| match c.is_control() {
                true => write!(self.writer, "{}", c.escape_debug()),
                false => self.writer.write_char(c),
            });
        }
        match self.writer.has_ansi_escapes() {
            true => write!(self.writer, " \x1b[2m{name}=\x1b[0m")?,
            false => write!(self.writer, " {name}=")?,
        }
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"';
        match !value.is_empty() && value.chars().all(plain) {
            true => self.writer.write_str(value),
            false => write!(self.writer, "{value:?}"),
        }
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, &super::chain(value));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Broken, logged};
    use super::*;

    #[test]
    fn a_line_is_short_and_stays_one_line() {
        let text = logged(Fields, Lines, false, || {
            let span =
                tracing::info_span!("stream", source = "postman", page = tracing::field::Empty).entered();
            span.record("page", 7);
            tracing::warn!(path = "/a b", bytes = 3, empty = "", evil = %"x\n\x1b[2J", "cut\nthe tail");
        });
        let (time, rest) = text.split_at(20);
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(
            rest,
            "  WARN cut\\nthe tail path=\"/a b\" bytes=3 empty=\"\" evil=\"x\\n\\u{1b}[2J\" source=postman page=7\n"
        );
    }

    #[test]
    fn the_module_shows_below_info_and_errors_show_their_causes() {
        let text = logged(Fields, Lines, false, || {
            tracing::debug!(error = &Broken::error() as &dyn std::error::Error, "no");
        });
        assert_eq!(&text[20..], " DEBUG telemetry::logs::text::tests: no error=\"cannot read: broken\"\n");
    }

    #[test]
    fn colours_only_where_asked_for() {
        let text = logged(Fields, Lines, true, || tracing::error!(n = 1, "no"));
        assert!(text.ends_with(" \x1b[1;31mERROR\x1b[0m no \x1b[2mn=\x1b[0m1\n"), "{text:?}");
    }
}
