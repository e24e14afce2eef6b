//! A page as the client gets it.

use serde_json::{Map, Value, json};

use super::http::Reply;
use super::manner::{CursorFrom, Paging, Parameter};
use super::path::{encoded, set};
use super::service::Service;
use super::wanted::Wanted;

impl Service {
    /// The page with these elements, and what leads on in the API's own way.
    pub(super) fn rendered(
        &self,
        texts: &[String],
        next: Option<String>,
        more: bool,
        wanted: &Wanted,
    ) -> Reply {
        let manner = &self.manner;
        let mut reply = Reply::json(200, String::new());
        let mut members = Map::new();
        members.extend(self.more.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))));
        let url = next.as_ref().map(|next| self.next_url(next, wanted));
        match &manner.paging {
            Paging::Cursor { from: CursorFrom::Member(member), .. } => {
                set(&mut members, member, next.map_or(Value::Null, Value::from));
            }
            Paging::Cursor { from: CursorFrom::Header(name), .. } => {
                reply.headers.extend(next.map(|next| (name.clone(), next)));
            }
            Paging::Link { rel } => {
                let links =
                    url.map(|url| format!("<{}>; rel=\"first\", <{url}>; rel=\"{rel}\"", self.origin));
                reply.headers.extend(links.map(|links| ("link".to_owned(), links)));
            }
            Paging::NextUrl { member } => set(&mut members, member, url.map_or(Value::Null, Value::from)),
            Paging::Page { member: Some(member), .. } => {
                let next = next.and_then(|next| next.parse::<u64>().ok());
                set(&mut members, member, next.map_or(Value::Null, Value::from));
            }
            _ => {}
        }
        if let Some(member) = &manner.more {
            set(&mut members, member, more.into());
        }
        reply.body = if manner.lines {
            texts.join("\n").into_bytes()
        } else if manner.list.is_empty() {
            format!("[{}]", texts.join(",")).into_bytes()
        } else if texts.is_empty() && manner.absent_when_empty {
            Value::Object(members).to_string().into_bytes()
        } else {
            // The texts stand in the page as they are, byte for byte.
            set(&mut members, &manner.list, json!("THE-LIST"));
            let list = format!("[{}]", texts.join(","));
            Value::Object(members).to_string().replacen("\"THE-LIST\"", &list, 1).into_bytes()
        };
        reply
    }

    /// The URL of the next page: what was asked for, without the credential.
    fn next_url(&self, next: &str, wanted: &Wanted) -> String {
        let onward = "after";
        let is_secret = |name: &str| {
            self.manner.credentials.iter().any(
                |credential| matches!(credential, super::Credential::Query { name: own, .. } if own == name),
            )
        };
        let mut query: Vec<String> = wanted
            .parameters
            .iter()
            .filter_map(|(parameter, value)| match parameter {
                Parameter::Query(name) if name != onward && !is_secret(name) => {
                    Some(format!("{}={}", encoded(name), encoded(value)))
                }
                _ => None,
            })
            .collect();
        query.sort();
        query.push(format!("{onward}={}", encoded(next)));
        format!("{}{}?{}", self.origin, self.manner.path, query.join("&"))
    }
}
