//! What makes a page doubtful: a description that does not fit it, paging that leads nowhere, and no room for what it may hide.

use std::collections::HashSet;

use pipeline::RecordId;
use poll::{Failure, Onward};

use super::AuditLogsSource;
use crate::page::Page;
use crate::verdict::{self, Then, Verdict};

/// A page of fewer records says nothing about whether `id` and `time` are described rightly.
const TELLING: usize = 3;

impl AuditLogsSource {
    /// What is hardly described rightly, as long as no page has shown otherwise.
    pub(super) fn doubt(&self, page: &Page) -> Option<String> {
        let count = page.records.len();
        if count < TELLING {
            return None;
        }
        let listed = |paths: &[poll::Path]| {
            paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
        };
        let api = self.api();
        if !self.proven.id && !api.id.is_empty() {
            let names = listed(&api.id);
            if page.with_id == 0 {
                return Some(format!(
                    "`id` is {names}, but none of the {count} records of a page has that; `content` is for records without ids"
                ));
            }
            let ids: HashSet<u64> = page.identities.iter().map(|(id, _)| id.native).collect();
            let contents: HashSet<u64> = page.identities.iter().map(|(id, _)| id.content).collect();
            if page.with_id == count && ids.len() == 1 && contents.len() > 1 {
                return Some(format!(
                    "`id` is {names}, but all {count} records of a page have the same there"
                ));
            }
        }
        if !self.proven.time && page.identities.iter().all(|(_, time)| time.is_none()) {
            let names = listed(&api.time);
            return Some(format!(
                "`time` is {names}, but of none of the {count} records of a page a time can be read there"
            ));
        }
        None
    }

    /// A page with the very records of the one that led to it, and that leads on: the API does not heed what it is sent.
    pub(super) fn same_again(
        &self,
        page: &Page,
        request: &poll::Request,
        ids: &[RecordId],
    ) -> Option<Verdict> {
        let last = self.last.as_ref()?;
        let goes_on = matches!(page.onward(), Onward::Next(_));
        if !goes_on || ids.is_empty() || request.cursor.as_ref() != Some(&last.cursor) || last.ids != ids {
            return None;
        }
        let voice = self.voice();
        let sent = if voice.names_keys {
            format!("what `{}` sends it", self.api().paging.key())
        } else {
            "its own cursor".to_owned()
        };
        let error = format!(
            "the next page is the same as the one before it: {} does not heed {sent}; its window is read again",
            voice.api
        );
        Some(Verdict {
            failure: Some(Failure::CursorUnknown),
            server_time: None,
            then: Then::Fail(verdict::transient(error)),
        })
    }

    /// How many records the API shows at once, where as many as it has may be asked for. Where the API does not answer that, it
    /// is not known: none.
    pub(super) async fn most_at_once(&self, size: usize) -> Result<usize, Verdict> {
        let Some(open) = &self.open else { return Ok(0) };
        let widest = open.collector.widest(self.account.time());
        let answer = match self.fetch(&widest, size).await {
            Ok(answer) => answer,
            Err(Verdict { failure: Some(Failure::BeforeRetention | Failure::TimedOut), .. })
            | Err(Verdict { then: Then::OtherForm(_), .. }) => return Ok(0),
            // It says nothing of the walk.
            Err(verdict) => return Err(Verdict { failure: None, ..verdict }),
        };
        let page =
            self.read(answer, &widest, size).map_err(|verdict| Verdict { failure: None, ..verdict })?;
        Ok(page.records.len())
    }
}
