//! `towpath dead-letters show`: one letter for people.

use std::borrow::Cow;
use std::io::Write;

use dead_letters::KeptLetter;

use super::{Chosen, select};
use crate::failure::Failure;
use crate::pretty;
use crate::progress::thousands;

pub(super) fn run(letters: Chosen, id: &str, json: bool) -> Result<(), Failure> {
    let mut found = None;
    select::find(&letters, &[id.to_owned()], |kept| found = Some(kept))?;
    let Some(kept) = found else { return Ok(()) };
    let mut out = std::io::stdout().lock();
    if json {
        out.write_all(&kept.line)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(text(&kept).as_bytes())?;
    }
    Ok(())
}

fn text(kept: &KeptLetter) -> String {
    let letter = &kept.letter;
    let origin = &letter.origin;
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        text += &format!("{name:9} {}\n", printable(value));
    };
    field("id", &kept.id.to_string());
    field("refused", &letter.time.to_string());
    field("sink", &format!("{} ({})", letter.sink, letter.view));
    field("source", &format!("{} ({}, {})", origin.source, origin.kind, origin.dataset));
    for (name, value) in &origin.labels {
        field("label", &format!("{name}: {value}"));
    }
    let nth = if letter.fan_out > 0 {
        format!(" (number {} of its record)", letter.fan_out + 1)
    } else {
        String::new()
    };
    field("event", &format!("{:032x}{nth}", letter.event_id));
    field("reason", &letter.reason);
    field("detail", &letter.detail);
    field("attempts", &letter.attempts.to_string());
    field("file", &kept.file().display().to_string());
    match &letter.record {
        Some(record) => {
            let (bytes, time) = (thousands(record.text.len() as u64), record.collected_at);
            text += &format!(
                "\nrecord as received, {bytes} bytes, collected {time}:\n{}\n",
                content(&record.text)
            );
        }
        None => text += "\nno record: the event reports a gap\n",
    }
    let bytes = thousands(letter.sent.len() as u64);
    text += &format!("\nevent as sent, {bytes} bytes:\n{}\n", content(&letter.sent));
    text
}

/// JSON on indented lines, token for token as it is; other bytes as they can be shown.
fn content(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match pretty::indented(&text) {
        Some(json) => json,
        None => printable(&text).into_owned(),
    }
}

/// What a destination says may steer a terminal: control characters are shown, not obeyed.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let shown = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(shown).collect::<String>().into()
}

/// The beginning of a text.
pub(super) fn shortened(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_shown() {
        assert_eq!(printable("plain ü"), "plain ü");
        assert_eq!(printable("a\u{1b}[2Jb\r\n\u{9b}c"), "a\\u{1b}[2Jb\\r\\n\\u{9b}c");
        assert_eq!(content(b"{\"a\":\xff}"), "{\"a\":\u{fffd}}");
    }

    #[test]
    fn a_long_text_is_shortened_between_characters() {
        assert_eq!(shortened("üüü", 3), "üüü");
        assert_eq!(shortened("üüüü", 3), "üüü…");
    }
}
