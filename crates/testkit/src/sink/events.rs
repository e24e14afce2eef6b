//! Events that can be told apart, and writes of them.

use std::sync::Arc;

use pipeline::{EventBatch, EventDraft, EventOutcome, EventWriter, Origin, Schema, Timestamp, View, Write};

/// An event whose text contains this is one that [`Trouble::Poison`](super::Trouble::Poison) refuses.
pub const POISON: &str = "poisonous";

/// From this number on events are neighbours in a batch that no write contains.
const STRANGERS: u32 = 1 << 24;

/// What text can hold that some layer may trip over.
pub(crate) const ODD: &[&str] = &[
    "plain",
    "",
    " leading and trailing blanks ",
    r#"quoted \" and \\ and \/ and \\n"#,
    r"\u0000 \u001b[31m \u007f \b\f\n\r\t",
    "\u{7f}\u{80}\u{9f}\u{ad}\u{200b}\u{feff}",
    "é ü ß 中文 😀 e\u{301} \u{10ffff}",
    "\u{202e}turned\u{2066}round\u{2028}and\u{2029}broken\u{85}",
    r"lone surrogates \ud800 and \udfff",
    "][ }{ , : ],[ }\\n{ data: \\r\\n\\r\\n0\\r\\n",
    "%00 %0a ${HOME} $(id) {{x}} <script> ' OR 1=1 -- &amp;",
    "null true 1e999 -0 0x0 NaN",
];

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) number: u32,
    pub(crate) text: String,
}

impl Event {
    pub(crate) fn plain(number: u32) -> Self {
        let odd = ODD[number as usize % ODD.len()];
        Self::with(number, odd)
    }

    pub(crate) fn with(number: u32, text: &str) -> Self {
        // Numbers whose form a reader that parses them would not give back.
        Self {
            number,
            text: format!(
                r#"{{"n":{number}, "text":"{text}","raw":[1.50,-0.0,1e2,null],"n2":12345678901234567890}}"#
            ),
        }
    }

    pub(crate) fn poison(number: u32) -> Self {
        Self::with(number, POISON)
    }

    /// An event of at least so many bytes.
    pub(crate) fn large(number: u32, bytes: usize) -> Self {
        Self::with(number, &"x".repeat(bytes))
    }

    /// The same for each delivery of the event.
    pub(crate) fn id(&self) -> u128 {
        u128::from(self.number) << 64 | 0xE7E7
    }
}

/// Events with consecutive numbers.
pub(crate) fn plain(numbers: std::ops::Range<u32>) -> Vec<Event> {
    numbers.map(Event::plain).collect()
}

/// A write of these events, in so many parts, each of a batch that holds others before and behind them.
pub(crate) fn write(events: &[Event], parts: usize) -> Write {
    let mut write = Write::default();
    let size = events.len().div_ceil(parts.max(1)).max(1);
    for part in events.chunks(size) {
        let strangers = [Event::plain(STRANGERS), Event::plain(STRANGERS + 1)];
        let all = [&strangers[..1], part, &strangers[1..]].concat();
        write.push(batch(&all), 1..1 + part.len());
    }
    write
}

fn batch(events: &[Event]) -> Arc<EventBatch> {
    let mut writer = EventWriter::default();
    for (record, event) in (0..).zip(events) {
        writer.start_record(record);
        writer.line().extend_from_slice(event.text.as_bytes());
        writer.commit(&draft(event.id()));
    }
    Arc::new(writer.finish(Arc::new(origin()), Arc::new(view())))
}

pub(crate) fn draft(id: u128) -> EventDraft<'static> {
    EventDraft {
        id,
        time: Timestamp::from_millis(1_700_000_000_123),
        class: 3002,
        severity: 1,
        outcome: EventOutcome::Success,
        action: "user.login",
        actor: "12345",
        tenant: "team \"7\" ü",
    }
}

pub(crate) fn origin() -> Origin {
    let labels = vec![("environment".into(), "test".into())];
    Origin { source: "numbers".into(), kind: "numbers".into(), dataset: "test.numbers".into(), labels }
}

pub(crate) fn view() -> View {
    View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_odd_event_is_one_line_of_json() {
        for number in 0..ODD.len() as u32 {
            let event = Event::plain(number);
            assert!(!event.text.contains('\n'));
            serde_json::from_str::<&serde_json::value::RawValue>(&event.text).unwrap();
        }
    }

    #[test]
    fn a_write_holds_its_events_and_no_neighbour() {
        let events = plain(0..7);
        for parts in 1..9 {
            let write = write(&events, parts);
            let text: Vec<u8> = write.lines().flatten().collect();
            let expected: String = events.iter().map(|event| format!("{}\n", event.text)).collect();
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }
}
