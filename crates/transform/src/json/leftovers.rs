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
        Kind::Null | Kind::Bool => line.push(value.content().value),
        Kind::Number => {
            let digits = value.content().value;
            let text = if fits_a_double(digits) { "" } else { "\"" };
            line.push(text);
            line.push(digits);
            line.push(text);
        }
        Kind::String => line.quoted(value.content()),
        Kind::Array => {
            line.push("[");
            for item in value.children() {
                line.item();
                // Positions carry meaning, so blanks stay.
                write(line, item, Wanted::All);
            }
            line.push("]");
        }
        Kind::Object => return members(line, value, wanted),
    }
    true
}

fn members(line: &mut Line<'_>, object: Value<'_>, wanted: Wanted) -> bool {
    let start = line.len();
    line.push("{");
    let last = (object.nodes() > MANY).then(|| {
        let stands = object.children().filter(|member| wanted.wants(*member));
        stands.map(|member| (member.key().value, member.place())).collect::<HashMap<_, _>>()
    });
    let mut members = object.children();
    let mut written = wanted == Wanted::All;
    while let Some(member) = members.next() {
        if !wanted.wants(member) {
            continue;
        }
        let key = member.key();
        let later = match &last {
            Some(last) => last.get(key.value) != Some(&member.place()),
            None => members.clone().any(|other| other.key().value == key.value && wanted.wants(other)),
        };
        if later {
            continue;
        }
        let before = line.len();
        line.item();
        line.quoted(key);
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
