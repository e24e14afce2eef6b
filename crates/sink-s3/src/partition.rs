//! Which partition of the bucket an event belongs to, and a write sorted by partition.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use pipeline::{Timestamp, Write};
use settings::Invalid;

use crate::config::is_path;

/// Most partitions that one write goes to. More are left for the next one, so that what a write holds stays bounded.
pub(crate) const MOST_PARTITIONS: usize = 32;

/// A template for a part of the key, filled from the time of an event in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pieces: Vec<Piece>,
    /// Events of one such span of seconds, counted from the epoch, are in one partition.
    span: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Year,
    Month,
    Day,
    Hour,
    Minute,
}

impl Partition {
    /// Reads a template; pure.
    pub(crate) fn read(template: &str) -> Result<Self, Invalid> {
        let wrong = |message: &str| {
            let remedy = "write it like `year=%Y/month=%m/day=%d`; %H and %M are hour and minute";
            Err(Invalid::new("partition", message, remedy))
        };
        let mut partition = Self { pieces: Vec::new(), span: 24 * 3600 };
        if template.is_empty() {
            return Ok(partition);
        }
        // No directive fills in more than four digits, so the length of the template bounds the key's.
        if !is_path(template) {
            return wrong("is no part of a key");
        }
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('%') {
            partition.text(text);
            let piece = match after.as_bytes().first() {
                Some(b'Y') => Piece::Year,
                Some(b'm') => Piece::Month,
                Some(b'd') => Piece::Day,
                Some(b'H') => Piece::Hour,
                Some(b'M') => Piece::Minute,
                _ => return wrong("has a % that stands for nothing known"),
            };
            partition.span = match piece {
                Piece::Hour => partition.span.min(3600),
                Piece::Minute => partition.span.min(60),
                _ => partition.span,
            };
            partition.pieces.push(piece);
            rest = &after[1..];
        }
        partition.text(rest);
        Ok(partition)
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    /// The partition of this moment.
    fn path(&self, time: Timestamp) -> String {
        let civil = civil(time);
        let mut path = String::new();
        for piece in &self.pieces {
            let written = match piece {
                Piece::Text(text) => path.write_str(text),
                Piece::Year => write!(path, "{:04}", civil.year()),
                Piece::Month => write!(path, "{:02}", civil.month()),
                Piece::Day => write!(path, "{:02}", civil.day()),
                Piece::Hour => write!(path, "{:02}", civil.hour()),
                Piece::Minute => write!(path, "{:02}", civil.minute()),
            };
            // Writing to a `String` cannot fail.
            written.unwrap_or_default();
        }
        path
    }
}

/// The date and the clock in UTC; what is beyond the calendar of four digits is at its end.
pub(crate) fn civil(time: Timestamp) -> jiff::civil::DateTime {
    const FIRST: i64 = -62_167_219_200;
    const LAST: i64 = 253_402_207_200;
    let second = time.second().clamp(FIRST, LAST);
    let moment = jiff::Timestamp::from_second(second).unwrap_or_default();
    jiff::tz::Offset::UTC.to_datetime(moment)
}

/// The events of one partition of a write, in the write's order.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) path: String,
    /// Their places in the write.
    pub(crate) indexes: Vec<u32>,
    /// Their ids.
    pub(crate) ids: Vec<u128>,
    /// Their lines, neighbours in one slice.
    pub(crate) lines: Vec<Bytes>,
    /// The time of the oldest.
    pub(crate) oldest: Timestamp,
}

/// A write sorted by partition.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// In the order in which the write touches them.
    pub(crate) groups: Vec<Group>,
    /// Events of partitions beyond the bound.
    pub(crate) left: Vec<u32>,
}

/// Sorts the events by partition, each in the partition of its own time, however early or late that is.
pub(crate) fn sort(partition: &Partition, events: &Write) -> Sorted {
    let mut sorted = Sorted::default();
    // Several spans may be in one partition, as the days of a month.
    let mut of_span: HashMap<i64, Option<usize>> = HashMap::new();
    let mut index = 0;
    for (batch, range) in events.parts() {
        // The slice that is being grown, and whose it is: neighbours in a batch stay one slice.
        let mut open: Option<(usize, std::ops::Range<usize>)> = None;
        let close = |open: &mut Option<(usize, std::ops::Range<usize>)>, groups: &mut Vec<Group>| {
            if let Some((group, slice)) = open.take() {
                groups[group].lines.push(batch.ndjson.slice(slice));
            }
        };
        for event in &batch.events[range.clone()] {
            let span = event.time.second().div_euclid(partition.span);
            let groups = &mut sorted.groups;
            let group = *of_span.entry(span).or_insert_with(|| group_of(groups, partition, event.time));
            if let Some(group) = group {
                let line = event.span.start as usize..event.span.end as usize + 1;
                match &mut open {
                    Some((same, slice)) if *same == group && slice.end == line.start => slice.end = line.end,
                    open => {
                        close(open, groups);
                        *open = Some((group, line));
                    }
                }
                let group = &mut groups[group];
                group.indexes.push(index);
                group.ids.push(event.id);
                group.oldest = group.oldest.min(event.time);
            } else {
                sorted.left.push(index);
            }
            index += 1;
        }
        close(&mut open, &mut sorted.groups);
    }
    sorted
}

/// The group of this moment, opened if need be; none beyond the bound.
fn group_of(groups: &mut Vec<Group>, partition: &Partition, time: Timestamp) -> Option<usize> {
    let path = partition.path(time);
    if let Some(there) = groups.iter().position(|group| group.path == path) {
        return Some(there);
    }
    if groups.len() == MOST_PARTITIONS {
        return None;
    }
    groups.push(Group { path, indexes: Vec::new(), ids: Vec::new(), lines: Vec::new(), oldest: time });
    Some(groups.len() - 1)
}

#[cfg(test)]
mod tests;
