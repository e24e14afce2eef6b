//! A yardstick: what a small program written by hand with `serde_json` costs on this machine for a part of the job. It
//! takes each line apart into borrowed structs and writes one event of fixed class with the record's text in it: no
//! table of actions, no fan-out, no left-over fields, no ids, no care for records that do not fit.
//!
//! Figures of two machines cannot be compared; the ratio to this program on each of them can.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Bytes gathered for one write.
const BLOCK: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    id: u64,
    #[serde(borrow)]
    ip: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_agent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    actor: Option<User<'a>>,
    #[serde(borrow)]
    user: Option<User<'a>>,
    #[serde(borrow)]
    team: Option<Team<'a>>,
}

#[derive(Deserialize)]
struct User<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    username: Option<Cow<'a, str>>,
    #[serde(borrow)]
    email: Option<Cow<'a, str>>,
    id: Option<u64>,
}

#[derive(Deserialize)]
struct Team<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    id: Option<u64>,
}

#[derive(Serialize)]
struct Event<'a> {
    activity_id: u8,
    activity_name: &'a str,
    category_uid: u8,
    class_uid: u32,
    class_name: &'a str,
    type_uid: u32,
    severity_id: u8,
    status_id: u8,
    time: &'a str,
    message: &'a str,
    metadata: Metadata<'a>,
    actor: Option<Named<'a>>,
    user: Option<Named<'a>>,
    org: Option<Named<'a>>,
    src_endpoint: Option<&'a str>,
    http_request: Option<&'a str>,
    raw_data: &'a str,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'a str,
    product: &'a str,
    uid: u64,
    event_code: &'a str,
    original_time: &'a str,
}

#[derive(Serialize)]
struct Named<'a> {
    uid: Option<u64>,
    name: Option<&'a str>,
    full_name: Option<&'a str>,
    email_addr: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn user(user: &'a User<'_>) -> Self {
        Self {
            uid: user.id,
            name: user.username.as_deref(),
            full_name: user.name.as_deref(),
            email_addr: user.email.as_deref(),
        }
    }

    fn team(team: &'a Team<'_>) -> Self {
        Self { uid: team.id, name: team.name.as_deref(), full_name: None, email_addr: None }
    }
}

/// Records from the file, events to stdout.
pub(crate) fn run(input: &Path) -> io::Result<()> {
    let mut input = BufReader::with_capacity(BLOCK, File::open(input)?);
    let mut out = io::stdout().lock();
    let (mut line, mut events) = (String::new(), Vec::with_capacity(2 * BLOCK));
    while input.read_line(&mut line)? > 0 {
        let text = line.trim_ascii_end();
        let record: Record<'_> = serde_json::from_str(text)?;
        let event = Event {
            activity_id: 1,
            activity_name: "Create",
            category_uid: 3,
            class_uid: 3001,
            class_name: "Account Change",
            type_uid: 300_101,
            severity_id: 1,
            status_id: 1,
            time: &record.timestamp,
            message: &record.message,
            metadata: Metadata {
                version: "1.8.0",
                product: "Postman",
                uid: record.id,
                event_code: &record.action,
                original_time: &record.timestamp,
            },
            actor: record.data.actor.as_ref().map(Named::user),
            user: record.data.user.as_ref().map(Named::user),
            org: record.data.team.as_ref().map(Named::team),
            src_endpoint: record.ip.as_deref(),
            http_request: record.user_agent.as_deref(),
            raw_data: text,
        };
        serde_json::to_writer(&mut events, &event)?;
        events.push(b'\n');
        if events.len() >= BLOCK {
            out.write_all(&events)?;
            events.clear();
        }
        line.clear();
    }
    out.write_all(&events)
}
