//! What records look like. Their text is made once, as templates with holes; showing one fills the holes, so that a page
//! costs little more than copying it.

use std::sync::Arc;

use crate::actions::{ACTIONS, UNLISTED};
use crate::clock;
use crate::random::Random;

/// How many different records there are, apart from id, time and edits.
const REGULAR: usize = 512;

/// Holes in a template's text, written as control characters, which JSON text cannot contain.
const ID: char = '\u{1}';
const TIME: char = '\u{2}';
const ACTIVE: char = '\u{3}';
const EDIT: char = '\u{4}';

/// What fills the holes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    pub(crate) id: u64,
    /// Seconds since the Unix epoch.
    pub(crate) second: i64,
    /// How often the record has been edited.
    pub(crate) edits: u8,
    /// `data.actor.active`.
    pub(crate) active: bool,
}

/// One record's text with holes.
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// Its action, for the filter `action`; empty when it has none.
    pub(crate) action: &'static str,
    /// `data.actor.id`, for the filter `userId`.
    pub(crate) actor: u64,
    /// Whether the text has an id.
    pub(crate) has_id: bool,
}

enum Piece {
    Text(Box<str>),
    Id,
    Time,
    Active,
    Edit,
}

impl Template {
    fn new(text: &str, action: &'static str, actor: u64) -> Self {
        let mut pieces = Vec::new();
        for part in text.split_inclusive([ID, TIME, ACTIVE, EDIT]) {
            let literal = part.trim_end_matches([ID, TIME, ACTIVE, EDIT]);
            if !literal.is_empty() {
                pieces.push(Piece::Text(literal.into()));
            }
            match part.chars().next_back() {
                Some(ID) => pieces.push(Piece::Id),
                Some(TIME) => pieces.push(Piece::Time),
                Some(ACTIVE) => pieces.push(Piece::Active),
                Some(EDIT) => pieces.push(Piece::Edit),
                _ => {}
            }
        }
        let has_id = text.contains(&format!("\"id\":{ID}")) || text.contains(&format!("\"id\":\"{ID}\""));
        Self { pieces, action, actor, has_id }
    }

    /// A record whose text is given and has no holes.
    pub(crate) fn literal(text: &str) -> Self {
        Self { pieces: vec![Piece::Text(text.into())], action: "", actor: 0, has_id: true }
    }

    /// Appends the record's text.
    pub(crate) fn render(&self, fill: Fill, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Id => append_number(fill.id, out),
                Piece::Time => out.extend_from_slice(&clock::record_time(fill.second)),
                Piece::Active => out.extend_from_slice(if fill.active { b"true" } else { b"false" }),
                Piece::Edit if fill.edits > 0 => {
                    out.extend_from_slice(b" (corrected, revision ");
                    append_number(u64::from(fill.edits), out);
                    out.push(b')');
                }
                Piece::Edit => {}
            }
        }
    }
}

fn append_number(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// All templates of a simulated team: first the regular ones, then the odd ones, then literal ones that tests add.
pub(crate) struct Templates {
    all: Vec<Arc<Template>>,
    odd: usize,
    literal: usize,
}

impl Templates {
    /// `bytes`: pad the regular records to this size where they are smaller (with a nine-digit id).
    pub(crate) fn new(seed: u64, bytes: Option<usize>) -> Self {
        let mut random = Random::new(seed, "templates", 0);
        let mut all: Vec<_> = (0..REGULAR).map(|_| Arc::new(regular(&mut random, bytes))).collect();
        let odd = all.len();
        all.extend(odd_ones(&mut random).into_iter().map(Arc::new));
        Self { literal: all.len(), odd, all }
    }

    pub(crate) fn pick_regular(&self, random: &mut Random) -> u32 {
        random.below(self.odd as u64) as u32
    }

    pub(crate) fn pick_odd(&self, random: &mut Random) -> u32 {
        (self.odd as u64 + random.below((self.literal - self.odd) as u64)) as u32
    }

    pub(crate) fn add_literal(&mut self, text: &str) -> u32 {
        self.all.push(Arc::new(Template::literal(text)));
        self.all.len() as u32 - 1
    }

    pub(crate) fn get(&self, index: u32) -> &Arc<Template> {
        &self.all[index as usize]
    }
}

const FIRST_NAMES: &[&str] = &[
    "Taylor",
    "Alex",
    "Morgan",
    "Zoë",
    "Øystein",
    "小龙",
    "Мария",
    "Ngọc",
    "Sean \"JJ\"",
    "José",
    "Robin 🚀",
];
const LAST_NAMES: &[&str] =
    &["Lee", "Cruz", "Hale", "Østergård", "O'Neill", "李", "Иванова", "García-Márquez", "Back\\slash"];
const USER_AGENTS: &[&str] = &[
    "PostmanRuntime/7.43.0",
    "PostmanAPI/2.71.0 node",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "okta-scim/2.0; tenant=\"acme\"",
];
const ADDRESSES: &[&str] =
    &["192.0.2.44", "198.51.100.7", "203.0.113.250", "2001:db8::8a2e:370:7334", "::ffff:192.0.2.9"];
const LOGINS: &[&str] = &[
    "user.login_password_success",
    "user.login_google_success",
    "user.login_sso_success",
    "user.authenticate_third_party_app",
];
const ROLES: &[&str] = &["user", "admin", "community-manager", "super-admin", "billing"];

/// A member of the team: `data.actor` or `data.user` without the closing brace, and its id.
fn person(random: &mut Random) -> (String, String, u64) {
    let number = random.below(60);
    // The same number is the same person, whatever was drawn before.
    let mut random = Random::new(number, "person", 0);
    let name = format!("{} {}", random.pick(FIRST_NAMES), random.pick(LAST_NAMES));
    let id = 10_000_000 + number * 1_234_567;
    let mut text = format!("{{\"name\":{}", quote(&name));
    if !random.chance(0.1) {
        text += &format!(",\"username\":\"member-{number}\"");
    }
    if !random.chance(0.2) {
        text += &format!(",\"email\":\"member.{number}@example.com\"");
    }
    text += &format!(",\"id\":{id}");
    (text, name, id)
}

fn regular(random: &mut Random, bytes: Option<usize>) -> Template {
    let (action, display) = if random.chance(0.5) {
        let action = random.pick(LOGINS);
        ACTIONS.iter().find(|(name, _)| *name == action).copied().unwrap_or((action, "Signed in"))
    } else if random.chance(0.1) {
        (random.pick(UNLISTED), "Something new")
    } else if random.chance(0.1) {
        ("team.update_user_roles", "User roles updated (several users)")
    } else {
        random.pick(ACTIONS)
    };
    let login = LOGINS.contains(&action);
    let system = !login && (action.starts_with("admin.") || random.chance(0.1));
    let (actor, actor_name, actor_id) = if system {
        let id = random.pick(&[2, 18]);
        let text = format!("{{\"name\":\"Postman Internal System\",\"id\":{id}");
        (text, "Postman Internal System".to_owned(), id)
    } else {
        person(random)
    };
    // A service's events have no address: the greater part of the real ones.
    let address = if random.chance(0.6) { "null".to_owned() } else { quote(random.pick(ADDRESSES)) };
    let agent = if random.chance(0.3) { "null".to_owned() } else { quote(random.pick(USER_AGENTS)) };
    let message = match action {
        // The vendor leaves its own template unexpanded here.
        "user.authenticate_third_party_app" => {
            format!("{actor_name} signed into Slack via Postman (${{data.variables.orgId}})")
        }
        _ if random.chance(0.05) => {
            format!("{display}: {actor_name}\n\tsecond line\u{2028}third \u{0}\u{7f}")
        }
        _ => format!("{display}: {actor_name}."),
    };
    let mut message = quote(&message);
    if random.chance(0.1) {
        // Escapes that nobody needs and JSON allows.
        message = message.replace("i", "\\u0069").replace("/", "\\/");
    }
    let user = match random.below(10) {
        _ if login => format!(",\"user\":{}}}", actor),
        0..4 => String::new(),
        _ => format!(",\"user\":{}}}", person(random).0),
    };
    let variables = variables(action, random);
    let text = |padding: &str| {
        format!(
            "{{\"id\":{ID},\"ip\":{address},\"userAgent\":{agent},\"action\":\"{action}\",\"timestamp\":\"{TIME}\",\
             \"message\":{}{EDIT}{padding}\",\"data\":{{\"actor\":{actor},\"active\":{ACTIVE}}}{user},\
             \"team\":{{\"name\":\"Test-Team\",\"id\":1234}}{variables}}}}}",
            &message[..message.len() - 1],
        )
    };
    let plain = Template::new(&text(""), action, actor_id);
    let mut shown = Vec::new();
    plain.render(Fill { id: 100_000_000, second: 0, edits: 0, active: true }, &mut shown);
    match bytes {
        Some(bytes) if bytes > shown.len() => {
            let padding: String =
                " lorem ipsum dolor sit amet".chars().cycle().take(bytes - shown.len()).collect();
            Template::new(&text(&padding), action, actor_id)
        }
        _ => plain,
    }
}

fn variables(action: &str, random: &mut Random) -> String {
    let id = random.below(100_000);
    let value = if action.contains("user_roles") || action.contains("update_roles") {
        let users = users(2 + id % 3, random);
        // A JSON text inside a string today, an object in the vendor's older examples.
        format!("{{\"users\":{}}}", if random.chance(0.8) { quote(&users) } else { users })
    } else if action.contains("apikey") || action.contains("scimkey") {
        format!("{{\"apiKey\":\"{id:05x}*****\"}}")
    } else if action == "user.authenticate_third_party_app" {
        format!("{{\"appName\":\"Slack\",\"orgId\":\"T{id:06}\"}}")
    } else if action.contains("group") {
        format!("{{\"group\":{{\"id\":{id},\"name\":\"Platform {id}\"}},\"roles\":\"admin\"}}")
    } else if action.contains("domain") {
        format!("{{\"domain\":\"team{id}.example.com\"}}")
    } else if action.contains("customauth") {
        format!("{{\"id\":{id},\"name\":\"Okta SAML\"}}")
    } else if action.contains("add_member") {
        "{\"roles\":\"user\"}".to_owned()
    } else {
        ["", "{}", "{\"source\":\"web\",\"count\":3.50,\"nested\":{\"a\":[1,null,true]}}"][id as usize % 3]
            .to_owned()
    };
    if value.is_empty() { value } else { format!(",\"variables\":{value}") }
}

/// `{"10000001":["user","admin"],…}`
fn users(count: u64, random: &mut Random) -> String {
    let users: Vec<_> = (0..count)
        .map(|number| format!("\"{}\":[\"user\",\"{}\"]", 10_000_001 + number * 7, random.pick(ROLES)))
        .collect();
    format!("{{{}}}", users.join(","))
}

/// Records that are valid JSON and break somebody's expectation all the same.
fn odd_ones(random: &mut Random) -> Vec<Template> {
    let tail = "\"data\":{\"actor\":{\"name\":\"Taylor Lee\",\"id\":12345678,\"active\":true},\"team\":{\"id\":1234}}";
    let head = format!("\"id\":{ID},\"ip\":null,\"timestamp\":\"{TIME}\"");
    let action = "\"action\":\"user.logout\"";
    let crowd = users(300, random);
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let texts = [
        // No action; no id; an id of null.
        format!("{{{head},\"note\":\"no action field\"}}"),
        format!("{{{action},\"timestamp\":\"{TIME}\",\"message\":\"no id, {ID}\",{tail}}}"),
        format!("{{\"id\":null,{action},\"timestamp\":\"{TIME}\",\"message\":\"id null, {ID}\",{tail}}}"),
        // Times that cannot be read, are absent, null, or numbers.
        format!("{{\"id\":{ID},{action},\"timestamp\":\"yesterday\",{tail}}}"),
        format!("{{\"id\":{ID},{action},\"timestamp\":null,{tail}}}"),
        format!("{{\"id\":{ID},{action},{tail}}}"),
        format!("{{\"id\":{ID},{action},\"timestamp\":1795165523120,{tail}}}"),
        // The same key twice; numbers as strings; a lone surrogate; control characters as escapes.
        format!("{{{head},{action},\"action\":\"user.apikey_create\",\"ip\":\"192.0.2.1\",{tail}}}"),
        format!(
            "{{\"id\":\"{ID}\",{action},\"timestamp\":\"{TIME}\",\"data\":{{\"actor\":{{\"id\":\"12345678\",\"active\":\"true\"}},\"team\":{{\"id\":\"1234\"}}}}}}"
        ),
        format!("{{{head},{action},\"message\":\"lone \\ud83d surrogate, \\udc00\",{tail}}}"),
        format!("{{{head},{action},\"message\":\"\\u0000\\u001b[31m\\r\\n<134>1 - - - forged\",{tail}}}"),
        // Parts of another type; deep nesting; white space and line breaks between tokens; an odd address.
        format!("{{{head},{action},\"data\":\"gone\"}}"),
        format!(
            "{{{head},{action},\"data\":{{\"actor\":null,\"user\":[],\"team\":7,\"variables\":{deep}}}}}"
        ),
        format!("{{\n  {head},\r\n\t{action} ,\n  {tail}\n}}"),
        format!(
            "{{\"id\":{ID},\"ip\":\"192.0.2.1, 10.0.0.1:8080\",\"timestamp\":\"{TIME}\",{action},{tail}}}"
        ),
        format!("{{\"id\":{ID},\"ip\":\"unknown\",\"timestamp\":\"{TIME}\",\"action\":\"\",{tail}}}"),
        // Fans out to 300 users; not an object at all.
        format!(
            "{{{head},\"action\":\"team.update_user_roles\",\"data\":{{\"actor\":{{\"name\":\"Taylor Lee\",\"id\":12345678}},\"variables\":{{\"users\":{crowd}}}}}}}"
        ),
        format!("\"record {ID} was withheld\""),
    ];
    texts.iter().map(|text| Template::new(text, "user.logout", 12_345_678)).collect()
}

/// A JSON string.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            c if c < ' ' => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn shown(template: &Template) -> String {
        let mut out = Vec::new();
        template.render(Fill { id: 554_891_778, second: 1_795_165_523, edits: 0, active: true }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn regular_records_have_every_trait_of_the_real_ones() {
        let templates = Templates::new(7, None);
        let records: Vec<Value> = templates.all[..templates.odd]
            .iter()
            .map(|template| serde_json::from_str(&shown(template)).unwrap())
            .collect();
        let some = |what: &str, is: &dyn Fn(&Value) -> bool| {
            let share = records.iter().filter(|record| is(record)).count() as f64 / records.len() as f64;
            assert!(share > 0.0 && share < 1.0, "{what}: {share}");
        };
        some("null ip", &|r| r["ip"].is_null());
        some("IPv6", &|r| r["ip"].as_str().is_some_and(|ip| ip.contains("::")));
        some("null userAgent", &|r| r["userAgent"].is_null());
        some("no user", &|r| r["data"].get("user").is_none());
        some("no variables", &|r| r["data"].get("variables").is_none());
        some("no email", &|r| r["data"]["actor"].get("email").is_none());
        some("system actor", &|r| r["data"]["actor"]["id"] == 2);
        some("users as text", &|r| r["data"]["variables"]["users"].is_string());
        some("users as object", &|r| r["data"]["variables"]["users"].is_object());
        some("unexpanded", &|r| r["message"].as_str().is_some_and(|m| m.contains("${data.")));
        some("unlisted action", &|r| !ACTIONS.iter().any(|(name, _)| r["action"] == *name));
        some("not ASCII", &|r| !r["message"].as_str().is_some_and(str::is_ascii));
        for record in &records {
            assert_eq!(record["id"], 554_891_778);
            assert_eq!(record["timestamp"], "2026-11-20T09:05:23.000Z");
        }
    }

    #[test]
    fn a_size_pads_and_never_cuts() {
        let templates = Templates::new(7, Some(588));
        let sizes: Vec<_> =
            templates.all[..templates.odd].iter().map(|template| shown(template).len()).collect();
        assert!(sizes.iter().all(|size| (588..1000).contains(size)));
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((588..610).contains(&mean), "{mean}");
    }

    #[test]
    fn odd_records_are_valid_json_by_grammar() {
        for template in &Templates::new(7, None).all[REGULAR..] {
            // As a borrowed text, because a lone surrogate has no value and yet is allowed by the grammar.
            serde_json::from_str::<&serde_json::value::RawValue>(&shown(template)).unwrap();
        }
    }
}
