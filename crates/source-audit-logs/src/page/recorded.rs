//! Answers that were recorded, taken apart as a source does.

use bytes::Bytes;
use http_client::delivery::Hidden;
use http_client::header::HeaderMap;
use http_client::{Answer, StatusCode};
use pipeline::{BoxError, RawRecord};
use poll::outline::scalar;

use super::onward::is_more;
use super::{Around, Reader};
use crate::api::{Api, CursorFrom, Paging};
use crate::config::AuditLogsSettings;
use crate::describe::FormatName;
use crate::refusal::Refusal;
use crate::vendor::Voice;

/// How recorded answers of an API are read. Nothing is asked for.
#[derive(Clone, Debug)]
pub struct Recorded {
    api: Api,
    reader: Reader,
}

/// A recorded page.
#[derive(Clone, Debug)]
pub struct RecordedPage {
    /// The whole answer.
    pub body: Bytes,
    /// The records, in the order of the page.
    pub records: Vec<RawRecord>,
    /// How many of them have an id where the description says; all of them where their content is their id.
    pub with_id: usize,
    /// Of how many a time can be read where the description says.
    pub with_time: usize,
    /// Whether it says that another page follows.
    pub leads: Leads,
}

/// What a recorded page says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// Another page follows, or what comes later begins there.
    On,
    /// It is the last one.
    Nowhere,
    /// Its body does not tell.
    Unsaid,
}

impl Recorded {
    /// For answers of the API that is described.
    pub fn new(settings: &AuditLogsSettings) -> Self {
        Self { api: settings.api.clone(), reader: Reader::new(&settings.api) }
    }

    /// Whether an answer has one record a line (`records.format: ndjson`), rather than being one JSON value.
    pub fn is_ndjson(&self) -> bool {
        self.api.format == FormatName::Ndjson
    }

    /// Key and value of the description for the place of a record's id and of its time, as `` `id` is `uuid` ``.
    pub fn places(&self) -> [String; 2] {
        let described = |key: &str, paths: &[poll::Path]| {
            let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
            format!("`{key}` is {}", paths.join(", "))
        };
        [described("id", &self.api.id), described("time", &self.api.time)]
    }

    /// The key by which the next page is found.
    pub fn paging(&self) -> &'static str {
        self.api.paging.key()
    }

    /// Takes the body of an answer apart. Bytes in it that are no UTF-8 are replaced by U+FFFD.
    ///
    /// # Errors
    /// It is an error of the API (`errors`), or the description does not fit it; that names the key.
    pub fn read(&self, body: Bytes) -> Result<RecordedPage, BoxError> {
        let body = match std::str::from_utf8(&body) {
            Ok(_) => body,
            Err(_) => String::from_utf8_lossy(&body).into_owned().into(),
        };
        let answer =
            Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: body.clone(), date: None };
        if let Some(refusal) = Refusal::read(&answer, &self.api.errors, &Hidden::default(), &Voice::DESCRIBED)
        {
            return Err(refusal.into());
        }
        let text = std::str::from_utf8(&body)?;
        let (page, around) = self.reader.split(&self.api, text)?;
        let records = page.records.iter().zip(&page.identities);
        Ok(RecordedPage {
            leads: self.leads(&around, page.records.is_empty())?,
            with_id: if self.api.id.is_empty() { page.records.len() } else { page.with_id },
            with_time: page.identities.iter().filter(|(_, time)| time.is_some()).count(),
            records: records.map(|(span, (id, _))| RawRecord { span: span.clone(), id: *id }).collect(),
            body,
        })
    }

    fn leads(&self, around: &Around<'_>, is_empty: bool) -> Result<Leads, BoxError> {
        let is_more = is_more(&self.api, around)?;
        let is_there = around.from.iter().flatten().any(|json| scalar(json).is_some_and(|t| !t.is_empty()));
        let in_body = match &self.api.paging {
            Paging::Cursor { from: CursorFrom::Body(_), .. }
            | Paging::NextUrl { .. }
            | Paging::Page { from: Some(_), .. } => true,
            Paging::None => return Ok(Leads::Nowhere),
            _ => false,
        };
        Ok(match is_more {
            Some(false) => Leads::Nowhere,
            Some(true) if in_body && !is_there => {
                let key = self.paging();
                let error = format!(
                    "`paging.more` says that another page follows, but `{key}` finds nothing that leads to it"
                );
                return Err(error.into());
            }
            Some(true) => Leads::On,
            None if !in_body => Leads::Unsaid,
            None if is_there && !(is_empty && self.api.follows) => Leads::On,
            None => Leads::Nowhere,
        })
    }
}
