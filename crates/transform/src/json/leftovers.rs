//! What of a record has not been written: the rest that goes to `unmapped` and its like.

use std::collections::HashMap;

use super::document::{Kind, Value};
use super::write::Line;

/// From here on looking for a later equal key one by one would be slow.
const MANY: usize = 64;

/// Writes, at the end of `line`, what of `value` is neither used nor blank, nested as it was. Writes nothing, and
/// returns false, when that is nothing.
///
/// Of equal keys the last stands. Numbers that no double can hold become strings, as most readers refuse them.
pub(crate) fn leftovers(line: &mut Line<'_>, value: Value<'_>) -> bool {
    write(line, value, Wanted::Unused)
}

/// Writes all of `value`, blanks and used parts too.
pub(crate) fn whole(line: &mut Line<'_>, value: Value<'_>) {
    write(line, value, Wanted::All);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Unused,
    All,
}

impl Wanted {
    fn wants(self, value: Value<'_>) -> bool {
        self == Self::All || !(value.is_used() || value.is_blank())
    }
}

fn write(line: &mut Line<'_>, value: Value<'_>, wanted: Wanted) -> bool {
    if !wanted.wants(value) {
        return false;
    }
    match value.kind() {
        Kind::Null | Kind::Bool => line.push(value.text().value),
        Kind::Number => {
            let digits = value.text().value;
            let quote = if fits_a_double(digits) { "" } else { "\"" };
            line.push(quote);
            line.push(digits);
            line.push(quote);
        }
        Kind::String => line.quoted(value.text()),
        Kind::Array => {
            line.push("[");
            for item in value.items() {
                line.item();
                // Positions carry meaning, so blanks stay.
                write(line, item, Wanted::All);
            }
            line.push("]");
        }
        Kind::Object => return write_members(line, value, wanted),
    }
    true
}

fn write_members(line: &mut Line<'_>, object: Value<'_>, wanted: Wanted) -> bool {
    let start = line.len();
    line.push("{");
    let last: Option<HashMap<_, _>> = (object.size() > MANY).then(|| {
        let members = object.members().enumerate().filter(|(_, member)| wanted.wants(*member));
        members.map(|(n, member)| (member.key(), n)).collect()
    });
    let mut members = object.members();
    let mut n = 0..;
    let mut written = wanted == Wanted::All;
    while let (Some(member), Some(n)) = (members.next(), n.next()) {
        if !wanted.wants(member) {
            continue;
        }
        let stands_later = match &last {
            Some(last) => last.get(member.key()) != Some(&n),
            None => members.clone().any(|other| other.key() == member.key() && wanted.wants(other)),
        };
        if stands_later {
            continue;
        }
        let before = line.len();
        line.item();
        line.quoted(member.key_text());
        line.push(":");
        if write(line, member, wanted) {
            written = true;
        } else {
            line.truncate(before);
        }
    }
    line.push("}");
    if !written {
        line.truncate(start);
    }
    written
}

fn fits_a_double(digits: &str) -> bool {
    let suspicious = digits.len() > 300 || digits.bytes().any(|b| matches!(b, b'e' | b'E'));
    !suspicious || digits.parse::<f64>().is_ok_and(f64::is_finite)
}
