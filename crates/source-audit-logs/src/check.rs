//! `check --connect`: one page, and what it shows in words.

use std::time::Duration;

use pipeline::{SourceError, Timestamp};
use poll::Start;

use crate::page::Page;
use crate::source::AuditLogsSource;
use crate::verdict;

/// How far back the newest entries are looked for.
const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);

/// The same where the API keeps, or answers, less than that.
const SHORT_LOOK_BACK: Duration = Duration::from_secs(86_400);

/// The request is repeated when another credential was found, when the edges are to be written in another form, and when the lower
/// one is to be later.
const ATTEMPTS: usize = 4;

/// Records that are asked for: enough to show whether the description fits.
const FEW: usize = 10;

/// Clocks that differ by less need no mention.
const SAME_CLOCK: Duration = Duration::from_secs(120);

/// What one page has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Where it came from.
    pub origin: String,
    /// Whose log it is, if a record tells.
    pub tenant: Option<String>,
    /// How many records it has.
    pub records: usize,
    /// How many of them have an id.
    pub with_id: usize,
    /// The time of the newest one of which it can be read.
    pub newest: Option<Timestamp>,
    /// How far back it reaches.
    pub look_back: Duration,
    /// What else is worth knowing, as clauses that each begin with `; `: requests that are left, a start that is too early, a
    /// clock that is wrong.
    pub remarks: String,
}

impl AuditLogsSource {
    /// Asks for a page and says what was seen.
    pub(crate) async fn prove(&mut self) -> Result<String, SourceError> {
        let sight = self.look(LOOK_BACK, FEW).await?;
        let mut words = format!("{} accepts the credential", sight.origin);
        if let (Some(path), Some(tenant)) = (&self.api().tenant, &sight.tenant) {
            words += &format!(" of {path} {tenant}");
        }
        words += &match (sight.records, sight.newest) {
            (0, _) => format!(
                "; the page is empty: if the log has entries of the last {} hours, check `records.path` and `time_filter`",
                sight.look_back.as_secs() / 3600
            ),
            (count, None) => {
                format!("; the page has {count} records, of which no time can be read: check `time`")
            }
            (count, Some(time)) => format!(
                "; the page has {count} records, {} of them with an id, the newest of {time}",
                if self.api().id.is_empty() { "none".to_owned() } else { sight.with_id.to_string() }
            ),
        };
        Ok(words + &sight.remarks)
    }

    /// Asks for a page of so many of the newest records, none older than `back`, or than the API has.
    ///
    /// # Errors
    /// What [`pipeline::Source::next`] would say; what is most likely wrong with the configuration is a pause with its remedy.
    pub async fn look(&mut self, back: Duration, records: usize) -> Result<Sight, SourceError> {
        let looked = self.ask(back, records).await;
        looked.map_err(|error| verdict::of_check(error, self.api().page_size.is_some(), self.voice()))
    }

    async fn ask(&mut self, back: Duration, records: usize) -> Result<Sight, SourceError> {
        let mut look_back = back;
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
            let size = self.api().page_size.as_ref().map_or(usize::MAX, |(_, size)| records.min(*size));
            let verdict = match self.fetch(&request, size).await {
                Err(verdict) => verdict,
                Ok(answer) => {
                    let server_time = answer.date;
                    match self.read(answer, &request, size) {
                        Ok(page) => return Ok(self.sight(&page, look_back_now, server_time, now)),
                        Err(verdict) => verdict,
                    }
                }
            };
            if verdict.failure == Some(poll::Failure::BeforeRetention) {
                look_back = SHORT_LOOK_BACK;
                continue;
            }
            let wait = self.carry_out(verdict)?;
            if !wait.duration.is_zero() {
                return Err(verdict::not_now(wait.duration, self.voice()));
            }
        }
        Err(verdict::not_now(Duration::ZERO, self.voice()))
    }

    fn sight(
        &self,
        page: &Page,
        look_back: Duration,
        server_time: Option<Timestamp>,
        now: Timestamp,
    ) -> Sight {
        let tenant = self.api().tenant.as_ref().and_then(|path| page.values(path).next());
        Sight {
            origin: http_client::origin(&self.account.settings.url),
            tenant: tenant.map(std::borrow::Cow::into_owned),
            records: page.records.len(),
            with_id: page.with_id,
            newest: page.identities.iter().filter_map(|(_, time)| *time).max(),
            look_back,
            remarks: self.remarks(server_time.unwrap_or(now), now),
        }
    }

    fn remarks(&self, server_now: Timestamp, now: Timestamp) -> String {
        let (settings, api) = (&self.account.settings, self.voice().api);
        let mut words = String::new();
        if let Some(remaining) = self.account.remaining() {
            words += &format!("; {remaining} requests are left for the moment");
        }
        let start = match settings.start {
            Start::All | Start::Now => None,
            Start::Ago(age) => Some(server_now.minus(age)),
            Start::At(moment) => Some(moment),
        };
        let floor = settings.policy.retention.map(|retention| server_now.minus(retention));
        if let (Some(start), Some(floor)) = (start, floor)
            && start < floor
        {
            words +=
                &format!("; `start` is before what {api} keeps: collection begins at {floor} with a gap");
        }
        let (ahead, behind) = (now.since(server_now), server_now.since(now));
        if ahead.max(behind) > SAME_CLOCK {
            let direction = if ahead > behind { "ahead of" } else { "behind" };
            let minutes = ahead.max(behind).as_secs() / 60;
            words += &format!("; this machine's clock is {minutes} minutes {direction} {api}'s: correct it");
        }
        words
    }
}
