use proptest::prelude::*;

use super::*;

const HEADER: Header<'_> = Header {
    vendor: "Towpath",
    product: "Towpath",
    version: "1.0",
    signature: "user.login",
    name: "login",
    severity: 3,
};

/// Reads an event as its specification says, without a look at the writer.
fn read(text: &str) -> (Vec<String>, Vec<(String, String)>) {
    let mut rest = text.strip_prefix("CEF:").expect("the prefix").chars().peekable();
    let mut fields = vec![String::new()];
    while fields.len() < 8 {
        match rest.next().expect("seven bars") {
            '|' => fields.push(String::new()),
            '\\' => match rest.next().expect("an escape") {
                c @ ('|' | '\\') => fields.last_mut().unwrap().push(c),
                c => panic!("\\{c} is no escape of the header"),
            },
            c if c.is_control() => panic!("{c:?} in the header"),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields.pop();
    // Where each unescaped `=` stands; the key is the word before it.
    let extension: String = rest.collect();
    let (mut is_escape, mut equals) = (false, Vec::new());
    for (at, c) in extension.char_indices() {
        match c {
            '=' if !is_escape => equals.push(at),
            '\n' | '\r' => panic!("a line break in the extension"),
            _ => {}
        }
        is_escape = c == '\\' && !is_escape;
    }
    assert!(!is_escape, "an escape is cut");
    let key_start = |at: usize| extension[..at].rfind(' ').map_or(0, |blank| blank + 1);
    let pairs = equals.iter().enumerate().map(|(n, at)| {
        let end = equals.get(n + 1).map_or(extension.len(), |next| key_start(*next) - 1);
        let mut value = String::new();
        let mut chars = extension[at + 1..end].chars();
        while let Some(c) = chars.next() {
            value.push(match c {
                '\\' => match chars.next().expect("an escape") {
                    'n' => '\n',
                    'r' => '\r',
                    c @ ('=' | '\\') => c,
                    c => panic!("\\{c} is no escape of a value"),
                },
                c => c,
            });
        }
        (extension[key_start(*at)..*at].to_owned(), value)
    });
    (fields, pairs.collect())
}

#[test]
fn golden() {
    let mut out = Vec::new();
    let header = Header { vendor: "a|b", product: "c\\d", name: "two\nlines = one", severity: 200, ..HEADER };
    let mut event = Event::begin(&header, &mut out);
    event.value("act", "a=b|c");
    event.value("empty", "");
    event.value("msg", "one\ntwo\r\n\\three\u{7}\u{85} four");
    event.json("rawEvent", "{\"a\":\"=\\n\u{7f}é\u{9f}\"}");
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"CEF:0|a\|b|c\\d|1.0|user.login|two lines = one|10|act=a\=b|c msg=one\ntwo\r\n\\three   four rawEvent={"a":"\=\\n\\u007fé\\u009f"}"#
    );
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(
        fields in prop::array::uniform5(any::<String>()),
        values in prop::collection::vec(any::<String>(), 0..6),
        document in any::<String>(),
    ) {
        let [vendor, product, version, signature, name] = fields.each_ref().map(String::as_str);
        let mut out = Vec::new();
        let mut event = Event::begin(&Header { vendor, product, version, signature, name, severity: 7 }, &mut out);
        let keys = ["act", "cs1", "msg", "src", "suser", "rt"];
        for (key, value) in keys.iter().zip(&values) {
            event.value(key, value);
        }
        let document = serde_json::to_string(&document).unwrap();
        event.json("rawEvent", &document);

        let (read_fields, pairs) = read(std::str::from_utf8(&out).unwrap());
        let blank = |text: &str| text.replace(|c: char| c.is_control(), " ");
        let expected: Vec<String> = std::iter::once("0".to_owned()).chain(fields.iter().map(|f| blank(f))).chain(["7".to_owned()]).collect();
        prop_assert_eq!(read_fields, expected);
        let kept = |text: &str| text.replace(|c: char| c.is_control() && !"\n\r".contains(c), " ");
        let expected: Vec<(String, String)> = keys
            .iter()
            .zip(&values)
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_string(), kept(value)))
            .collect();
        prop_assert_eq!(&pairs[..pairs.len() - 1], &expected[..]);
        let (key, value) = &pairs[pairs.len() - 1];
        prop_assert_eq!(key, "rawEvent");
        let parsed: (String, String) =
            (serde_json::from_str(value).unwrap(), serde_json::from_str(&document).unwrap());
        prop_assert_eq!(parsed.0, parsed.1);
    }
}
