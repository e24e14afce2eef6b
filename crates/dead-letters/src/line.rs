//! A letter as a line of JSON.
//!
//! ```json
//! {"v":1,"id":"3f0c…","time":"2026-11-20T10:00:00.000Z","source":"postman","sink":"splunk",
//!  "event_id":"9f86…","reason":"mapping","detail":"field [time] …","attempts":1,"fan_out":0,
//!  "view":{"schema":"ocsf","version":"1.8.0","keep_raw":true},
//!  "origin":{"kind":"postman","dataset":"postman.audit","labels":[["env","prod"]]},
//!  "sent":"{\"class_uid\":3002,…}",
//!  "record":"{\"id\":17,…}","record_id":{"second":1795165523,"native":"00…","content":"5e…"},
//!  "collected_at":"2026-11-20T09:59:58.000Z"}
//! ```
//!
//! (On one line.) `id` is [`LetterId`]; 64- and 128-bit numbers are hexadecimal text, because most tools read JSON numbers as
//! floating point. Bytes that are not UTF-8 stand as `sent_base64` and `record_base64` instead. A gap's letter has no
//! record. `second` is `null` for a record without a time.
//!
//! `v` grows with every change of the format; keys that this release does not know make a line unreadable, so that
//! rewriting a letter never loses something.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use pipeline::{BoxError, Letter, LetterRecord, Origin, RecordId, Schema, Timestamp, View};
use serde::{Deserialize, Serialize};

use crate::error::LineError;
use crate::id::{LetterId, hex64, hex128};

/// The version of the format that this release writes, and the newest that it reads.
pub const VERSION: u64 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    v: u64,
    id: Cow<'a, str>,
    time: Moment,
    source: Cow<'a, str>,
    sink: Cow<'a, str>,
    event_id: Cow<'a, str>,
    reason: Cow<'a, str>,
    detail: Cow<'a, str>,
    attempts: u32,
    fan_out: u32,
    #[serde(borrow)]
    view: LineView<'a>,
    #[serde(borrow)]
    origin: LineOrigin<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_base64: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_base64: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    record_id: Option<LineRecordId<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collected_at: Option<Moment>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineView<'a> {
    schema: Cow<'a, str>,
    version: Cow<'a, str>,
    keep_raw: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineOrigin<'a> {
    kind: Cow<'a, str>,
    dataset: Cow<'a, str>,
    /// Pairs, so that their order stays.
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineRecordId<'a> {
    second: Option<i64>,
    native: Cow<'a, str>,
    content: Cow<'a, str>,
}

/// A moment as RFC 3339 text, or in milliseconds since 1970 where there is no such text.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Moment {
    Text(Timestamp),
    Millis(i64),
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let comes_back = time.to_string().parse().is_ok_and(|back: Timestamp| back == time);
        if comes_back { Self::Text(time) } else { Self::Millis(time.as_millis()) }
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        match moment {
            Moment::Text(time) => time,
            Moment::Millis(millis) => Self::from_millis(millis),
        }
    }
}

/// Appends the letter's line, with its line break.
pub(crate) fn write(id: LetterId, letter: &Letter, out: &mut Vec<u8>) -> Result<(), BoxError> {
    let (sent, sent_base64) = text_or_base64(&letter.sent);
    let record = letter.record.as_ref();
    let (record_text, record_base64) = record.map_or((None, None), |record| text_or_base64(&record.text));
    let origin = &*letter.origin;
    let line = Line {
        v: VERSION,
        id: id.to_string().into(),
        time: letter.time.into(),
        source: (&*origin.source).into(),
        sink: (&*letter.sink).into(),
        event_id: format!("{:032x}", letter.event_id).into(),
        reason: (&*letter.reason).into(),
        detail: (&*letter.detail).into(),
        attempts: letter.attempts,
        fan_out: letter.fan_out,
        view: LineView {
            schema: letter.view.schema.name().into(),
            version: (&*letter.view.version).into(),
            keep_raw: letter.view.keep_raw,
        },
        origin: LineOrigin {
            kind: (&*origin.kind).into(),
            dataset: (&*origin.dataset).into(),
            labels: origin.labels.iter().map(|(name, value)| ((&**name).into(), (&**value).into())).collect(),
        },
        sent,
        sent_base64,
        record: record_text,
        record_base64,
        record_id: record.map(|record| LineRecordId {
            second: (record.id.second != RecordId::TIMELESS).then_some(record.id.second),
            native: format!("{:016x}", record.id.native).into(),
            content: format!("{:016x}", record.id.content).into(),
        }),
        collected_at: record.map(|record| record.collected_at.into()),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

/// Bytes as text, or, when they are not UTF-8, in base64.
fn text_or_base64(bytes: &Bytes) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.into()), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes).into())),
    }
}

/// Reads a line, without its line break.
pub(crate) fn read(line: &[u8]) -> Result<(LetterId, Letter), LineError> {
    let id = read_id(line)?;
    let unreadable = |error: serde_json::Error| LineError::Unreadable(error.into());
    let line: Line<'_> = serde_json::from_slice(line).map_err(unreadable)?;
    letter(line).map(|letter| (id, letter)).map_err(|why| LineError::Unreadable(why.into()))
}

/// Reads only which letter a line is.
pub(crate) fn read_id(line: &[u8]) -> Result<LetterId, LineError> {
    #[derive(Deserialize)]
    struct Head<'a> {
        v: u64,
        #[serde(borrow)]
        id: Option<Cow<'a, str>>,
    }
    let head: Head<'_> = serde_json::from_slice(line).map_err(|error| LineError::Unreadable(error.into()))?;
    if head.v > VERSION {
        return Err(LineError::Newer { found: head.v, supported: VERSION });
    }
    let id = head.id.and_then(|id| id.parse().ok());
    id.ok_or_else(|| LineError::Unreadable("`id` is not 32 hexadecimal digits".into()))
}

fn letter(line: Line<'_>) -> Result<Letter, &'static str> {
    let schema = [Schema::Ocsf, Schema::Ecs, Schema::Raw].into_iter().find(|s| s.name() == line.view.schema);
    let sent = bytes(line.sent, line.sent_base64)?.ok_or("neither `sent` nor `sent_base64`")?;
    let text = bytes(line.record, line.record_base64)?;
    let record = match (text, line.record_id, line.collected_at) {
        (None, None, None) => None,
        (Some(text), Some(id), Some(collected_at)) => {
            let id = RecordId {
                second: id.second.unwrap_or(RecordId::TIMELESS),
                native: hex64(&id.native).ok_or("`record_id.native` is not 16 hexadecimal digits")?,
                content: hex64(&id.content).ok_or("`record_id.content` is not 16 hexadecimal digits")?,
            };
            Some(LetterRecord { text, id, collected_at: collected_at.into() })
        }
        _ => return Err("a record needs `record` or `record_base64`, `record_id` and `collected_at`"),
    };
    let labels = line.origin.labels.into_iter().map(|(name, value)| (boxed(name), boxed(value))).collect();
    Ok(Letter {
        time: line.time.into(),
        origin: Arc::new(Origin {
            source: boxed(line.source),
            kind: boxed(line.origin.kind),
            dataset: boxed(line.origin.dataset),
            labels,
        }),
        sink: boxed(line.sink),
        view: Arc::new(View {
            schema: schema.ok_or("`view.schema` is none of ocsf, ecs, raw")?,
            version: boxed(line.view.version),
            keep_raw: line.view.keep_raw,
        }),
        event_id: hex128(&line.event_id).ok_or("`event_id` is not 32 hexadecimal digits")?,
        fan_out: line.fan_out,
        reason: boxed(line.reason),
        detail: boxed(line.detail),
        attempts: line.attempts,
        sent,
        record,
    })
}

fn boxed(text: Cow<'_, str>) -> Box<str> {
    text.into_owned().into()
}

fn bytes(text: Option<Cow<'_, str>>, base64: Option<Cow<'_, str>>) -> Result<Option<Bytes>, &'static str> {
    match (text, base64) {
        (Some(_), Some(_)) => Err("the same bytes both as text and in base64"),
        (Some(text), None) => Ok(Some(text.into_owned().into())),
        (None, Some(base64)) => match BASE64_STANDARD.decode(base64.as_bytes()) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(_) => Err("not base64"),
        },
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
