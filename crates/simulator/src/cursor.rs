//! Paging cursors of every make, written and read back without remembering any.

use crate::clock;
use crate::faults::Cursor;
use crate::record::quote;
use crate::world::FIRST_ID;

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the record with this id, or the next one after it.
    Id(u64),
    /// At the record with this time and id, or the next one after it.
    Key(i64, u64),
    /// At the first record of this second.
    Second(i64),
    /// After so many records.
    Offset(usize),
    /// So many empty pages after the last record.
    Beyond(u32),
}

/// The cursor's text, as the client sends it back. `nonce` makes opaque ones differ from answer to answer.
pub(crate) fn write(kind: Cursor, place: Place, nonce: u64) -> String {
    match (kind, place) {
        (Cursor::NextId | Cursor::NextIdText, Place::Id(id) | Place::Key(_, id)) => id.to_string(),
        (Cursor::NextId | Cursor::NextIdText, Place::Beyond(pages)) => pages.to_string(),
        (Cursor::Date, Place::Key(second, _) | Place::Second(second)) => {
            base64(clock::javascript_date(second).as_bytes())
        }
        (Cursor::Date, Place::Beyond(pages)) => base64(clock::javascript_date(i64::from(pages)).as_bytes()),
        (_, Place::Id(id)) => base64(format!("id {id} {nonce:x}").as_bytes()),
        (_, Place::Key(second, id)) => base64(format!("key {second} {id} {nonce:x}").as_bytes()),
        (_, Place::Second(second)) => base64(format!("second {second} {nonce:x}").as_bytes()),
        (_, Place::Offset(records)) => base64(format!("offset {records} {nonce:x}").as_bytes()),
        (_, Place::Beyond(pages)) => base64(format!("beyond {pages} {nonce:x}").as_bytes()),
    }
}

/// The cursor as a JSON value.
pub(crate) fn json(kind: Cursor, text: &str) -> String {
    if kind == Cursor::NextId { text.to_owned() } else { quote(text) }
}

/// Reads what [`write`] wrote, or any id; `None` when it is neither.
pub(crate) fn read(text: &str) -> Option<Place> {
    if let Ok(id) = text.parse::<u64>() {
        return Some(match u32::try_from(id) {
            Ok(pages) if id < FIRST_ID => Place::Beyond(pages),
            _ => Place::Id(id),
        });
    }
    let text = String::from_utf8(from_base64(text)?).ok()?;
    if let Some(second) = clock::read_javascript_date(&text) {
        return Some(match u32::try_from(second) {
            Ok(pages) if u64::from(pages) < FIRST_ID => Place::Beyond(pages),
            _ => Place::Second(second),
        });
    }
    let mut words = text.split(' ');
    let kind = words.next()?;
    let mut number = || words.next()?.parse::<u64>().ok();
    Some(match kind {
        "id" => Place::Id(number()?),
        "key" => Place::Key(number()? as i64, number()?),
        "second" => Place::Second(number()? as i64),
        "offset" => Place::Offset(number()? as usize),
        "beyond" => Place::Beyond(number()? as u32),
        _ => return None,
    })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let sextet = (bits >> (18 - 6 * at)) as usize & 63;
            out.push(if at <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    out
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let sextet = ALPHABET.iter().position(|letter| *letter == byte)?;
        bits = (bits << 6 | sextet as u32) & 0xfff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_make_of_cursor_comes_back_to_its_place() {
        let (second, id) = (1_677_245_049, 554_891_778);
        for (kind, place, text, back) in [
            (Cursor::NextId, Place::Id(id), "554891778", Place::Id(id)),
            (Cursor::NextIdText, Place::Key(second, id), "554891778", Place::Id(id)),
            (Cursor::NextId, Place::Beyond(2), "2", Place::Beyond(2)),
            (
                Cursor::Date,
                Place::Key(second, id),
                "RnJpIEZlYiAyNCAyMDIzIDEzOjI0OjA5IEdNVCswMDAwIChDb29yZGluYXRlZCBVbml2ZXJzYWwgVGltZSk=",
                Place::Second(second),
            ),
            (Cursor::Opaque, Place::Offset(300), "b2Zmc2V0IDMwMCAxZg==", Place::Offset(300)),
        ] {
            assert_eq!(write(kind, place, 31), text);
            assert_eq!(read(text), Some(back));
        }
        for place in [Place::Id(id), Place::Key(second, id), Place::Second(second), Place::Beyond(7)] {
            assert_eq!(read(&write(Cursor::Opaque, place, 1)), Some(place));
        }
        assert_eq!(read(&write(Cursor::Date, Place::Beyond(7), 0)), Some(Place::Beyond(7)));
        for text in ["", "-1", "abc", "%%%", "bm9uc2Vuc2U="] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
