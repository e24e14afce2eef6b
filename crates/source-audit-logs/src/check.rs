//! `check --connect`: one page, and what it shows in words.

use std::time::Duration;

use pipeline::{Next, SourceError, Timestamp};

use crate::page::Page;
use crate::source::AuditLogsSource;
use crate::verdict;

/// How far back the newest entries are looked for.
const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);

/// The same where the API keeps, or answers, less than that.
const SHORT_LOOK_BACK: Duration = Duration::from_secs(86_400);

/// The request is repeated when another credential was found, and when it is to be later.
const ATTEMPTS: usize = 4;

/// Records that are asked for: enough to show whether the description fits.
const FEW: usize = 10;

/// Clocks that differ by less need no mention.
const SAME_CLOCK: Duration = Duration::from_secs(120);

impl AuditLogsSource {
    /// Asks for a page and says what was seen.
    pub(crate) async fn prove(&mut self) -> Result<String, SourceError> {
        self.ask().await.map_err(verdict::of_check)
    }

    async fn ask(&mut self) -> Result<String, SourceError> {
        let mut look_back = LOOK_BACK;
        for _ in 0..ATTEMPTS {
            let now = self.account.time();
            let policy = &self.account.settings.policy;
            let longest =
                [policy.max_span.map(|span| span / 2), policy.retention].into_iter().flatten().min();
            let look_back_now = longest.map_or(look_back, |longest| look_back.min(longest));
            let since = now.minus(look_back_now);
            let request = poll::Request {
                kind: poll::position::Kind::Live,
                since: (policy.filter != poll::TimeFilter::None).then_some(since),
                until: matches!(policy.filter, poll::TimeFilter::Closed { .. }).then(|| {
                    now.plus(Duration::from_secs(if policy.granularity == poll::Granularity::Day {
                        86_400
                    } else {
                        1
                    }))
                }),
                cursor: None,
            };
            let size = self.api().page_size.as_ref().map_or(usize::MAX, |(_, size)| FEW.min(*size));
            let verdict = match self.fetch(&request, size).await {
                Err(verdict) => verdict,
                Ok(answer) => {
                    let server_time = answer.date;
                    match self.read(answer, &request, size) {
                        Ok(page) => return Ok(self.describe(&page, look_back_now, server_time, now)),
                        Err(verdict) => verdict,
                    }
                }
            };
            if verdict.failure == Some(poll::Failure::BeforeRetention) {
                look_back = SHORT_LOOK_BACK;
                continue;
            }
            match self.conclude(verdict)? {
                Next::Wait(wait) if wait.duration.is_zero() => {}
                Next::Wait(wait) => return Err(verdict::not_now(wait.duration)),
                Next::Page { .. } => break,
            }
        }
        Err(verdict::not_now(Duration::ZERO))
    }

    fn describe(
        &self,
        page: &Page,
        look_back: Duration,
        server_time: Option<Timestamp>,
        now: Timestamp,
    ) -> String {
        let mut words = format!("{} accepts the credential", http_client::origin(&self.account.settings.url));
        if let Some(path) = &self.api().tenant
            && let Some(tenant) = page.values(path).next()
        {
            words += &format!(" of {path} {tenant}");
        }
        let newest = page.identities.iter().filter_map(|(_, time)| *time).max();
        words += &match (page.records.len(), newest) {
            (0, _) => format!(
                "; the page is empty: if the log has entries of the last {} hours, check `records.path` and `time_filter`",
                look_back.as_secs() / 3600
            ),
            (count, None) => {
                format!("; the page has {count} records, of which no time can be read: check `time`")
            }
            (count, Some(time)) => format!(
                "; the page has {count} records, {} of them with an id, the newest of {time}",
                if self.api().id.is_empty() { "none".to_owned() } else { page.with_id.to_string() }
            ),
        };
        if let Some(remaining) = self.account.remaining() {
            words += &format!("; {remaining} requests are left for the moment");
        }
        let server_now = server_time.unwrap_or(now);
        let (ahead, behind) = (now.since(server_now), server_now.since(now));
        if ahead.max(behind) > SAME_CLOCK {
            let direction = if ahead > behind { "ahead of" } else { "behind" };
            let minutes = ahead.max(behind).as_secs() / 60;
            words +=
                &format!("; this machine's clock is {minutes} minutes {direction} the API's: correct it");
        }
        words
    }
}
