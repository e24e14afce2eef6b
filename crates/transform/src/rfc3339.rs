//! Moments as text: RFC 3339, UTC, milliseconds.

use pipeline::Timestamp;

/// Appends `moment` as `2026-11-20T08:00:00.000Z`. Years outside 0–9999, which no clock or record gives, are written as
/// the nearest moment inside.
pub(crate) fn write(out: &mut Vec<u8>, moment: Timestamp) {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;
    let millis = moment.as_millis().clamp(FIRST, LAST);
    let (days, millis) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], millis / 3_600_000);
    digits(&mut text[14..16], millis / 60_000 % 60);
    digits(&mut text[17..19], millis / 1000 % 60);
    digits(&mut text[20..23], millis % 1000);
    out.extend_from_slice(&text);
}

fn digits(place: &mut [u8], mut number: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01. The year is taken to start in March, so that the leap day is its last.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_calendar_library() {
        let mut out = Vec::new();
        for millis in (-62_167_219_200_000..=253_402_300_799_999).step_by(87_654_321_987) {
            let moment = Timestamp::from_millis(millis);
            out.clear();
            write(&mut out, moment);
            assert_eq!(String::from_utf8_lossy(&out), moment.to_string());
        }
    }

    #[test]
    fn moments_beyond_the_calendar_stay_text_of_the_same_form() {
        for (millis, text) in [(i64::MIN, "0000-01-01T00:00:00.000Z"), (i64::MAX, "9999-12-31T23:59:59.999Z")]
        {
            let mut out = Vec::new();
            write(&mut out, Timestamp::from_millis(millis));
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
