//! JSON on indented lines. Tokens and their order stay as they are, which no reader into values would promise.

use serde::de::IgnoredAny;

/// The text on indented lines; `None` when it is not JSON.
pub(crate) fn indented(json: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut rest = json.trim().chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                out.push('"');
                while let Some(c) = rest.next() {
                    // DEL and C1 are allowed in JSON, and steer terminals.
                    if c.is_control() {
                        out.extend(c.escape_unicode())
                    } else {
                        out.push(c)
                    }
                    match c {
                        '\\' => out.extend(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                match rest.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn tokens_stay_as_they_are() {
        let json = r#" {"b":1.0,"a":[ ],"s":"{\"x\": [1,2]}\\","n":[1e400, -0,{"a":{}, "a":null}]} "#;
        let expected = r#"{
  "b": 1.0,
  "a": [],
  "s": "{\"x\": [1,2]}\\",
  "n": [
    1e400,
    -0,
    {
      "a": {},
      "a": null
    }
  ]
}"#;
        assert_eq!(indented(json).unwrap(), expected);
        assert_eq!(indented("7").unwrap(), "7");
        assert_eq!(indented("\"\u{7f}\"").unwrap(), "\"\\u{7f}\"");
        for text in ["", "{", "{} {}", "not json"] {
            assert_eq!(indented(text), None, "{text}");
        }
    }
}
