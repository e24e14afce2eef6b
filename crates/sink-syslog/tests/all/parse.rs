//! Messages and frames, read by the books and without a look at what writes them.

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Of the structured data; RFC 3164 has none.
    pub(crate) id: Option<String>,
    pub(crate) body: String,
}

/// Reads a message of RFC 5424 or RFC 3164.
pub(crate) fn message(bytes: &[u8]) -> Result<Message, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| format!("no UTF-8: {}", String::from_utf8_lossy(bytes)))?;
    let read = || {
        let (priority, rest) = text.strip_prefix('<')?.split_once('>')?;
        let priority: u32 = priority.parse().ok().filter(|priority| *priority < 192)?;
        match rest.strip_prefix("1 ") {
            Some(rest) => modern(rest),
            None => legacy(rest),
        }
        .filter(|_| !priority.is_multiple_of(8))
    };
    read().ok_or_else(|| format!("no message of syslog: {}", text.chars().take(300).collect::<String>()))
}

fn modern(rest: &str) -> Option<Message> {
    let mut rest = rest;
    for most in [32, 255, 48, 128, 32] {
        let (field, after) = rest.split_once(' ')?;
        if !(1..=most).contains(&field.len()) || !field.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        rest = after;
    }
    let (mut id, mut chars) = (None, rest.strip_prefix("[towpath@32473")?.chars());
    loop {
        match chars.next()? {
            ']' => break,
            ' ' => {
                let (name, value) = chars.as_str().split_once("=\"")?;
                chars = value.chars();
                let mut value = String::new();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => value.push(chars.next().filter(|c| "\"\\]".contains(*c))?),
                        ']' => return None,
                        c => value.push(c),
                    }
                }
                if name == "event_id" {
                    id = Some(value);
                }
            }
            _ => return None,
        }
    }
    let body = chars.as_str().strip_prefix(' ')?.to_owned();
    id.is_some().then_some(Message { id, body })
}

fn legacy(rest: &str) -> Option<Message> {
    let (time, rest) = rest.split_at_checked(16)?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let is_time = months.contains(&&time[..3]) && time.as_bytes()[9] == b':' && time.ends_with(' ');
    let (_host, rest) = rest.split_once(' ').filter(|_| is_time)?;
    let (tag, body) = rest.split_once(": ")?;
    let fits = tag.len() <= 32 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| Message { id: None, body: body.to_owned() })
}

/// The length of the first octet-counted frame and where its message begins; nothing while it is not whole.
pub(crate) fn octets(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == bytes.len() && digits < 9 {
        return Ok(None);
    }
    if digits == 0 || digits > 8 || bytes[0] == b'0' || bytes[digits] != b' ' {
        return Err(format!("no length: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)])));
    }
    let length: usize = std::str::from_utf8(&bytes[..digits]).unwrap().parse().unwrap();
    let start = digits + 1;
    Ok((bytes.len() >= start + length).then_some((start + length, start)))
}

/// A frame of RELP.
pub(crate) struct Frame {
    pub(crate) number: u32,
    pub(crate) command: String,
    pub(crate) data: Vec<u8>,
    /// Bytes of the whole frame.
    pub(crate) length: usize,
}

/// The first frame of RELP; nothing while it is not whole.
pub(crate) fn relp(bytes: &[u8]) -> Result<Option<Frame>, String> {
    let bad = || Err(format!("no frame: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)])));
    if bytes.first().is_some_and(|byte| !byte.is_ascii_digit()) {
        return bad();
    }
    let Some(blank) = bytes.iter().position(|byte| *byte == b' ') else {
        return if bytes.len() > 9 { bad() } else { Ok(None) };
    };
    let Some(second) = bytes[blank + 1..].iter().position(|byte| *byte == b' ') else {
        return if bytes.len() > 50 { bad() } else { Ok(None) };
    };
    let command = String::from_utf8_lossy(&bytes[blank + 1..blank + 1 + second]).into_owned();
    let rest = &bytes[blank + second + 2..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(end) = rest.get(digits) else { return Ok(None) };
    let number = std::str::from_utf8(&bytes[..blank]).ok().and_then(|number| number.parse().ok());
    let length = std::str::from_utf8(&rest[..digits]).ok().and_then(|length| length.parse::<usize>().ok());
    let (Some(number), Some(length)) = (number, length) else { return bad() };
    let start = blank + second + 2 + digits;
    let (data, line_break) = match (length, end) {
        (0, b'\n') => (start..start, start),
        (0, _) => return bad(),
        (_, b' ') => (start + 1..start + 1 + length, start + 1 + length),
        _ => return bad(),
    };
    match bytes.get(line_break) {
        None => Ok(None),
        Some(b'\n') => {
            Ok(Some(Frame { number, command, data: bytes[data].to_vec(), length: line_break + 1 }))
        }
        Some(_) => bad(),
    }
}
