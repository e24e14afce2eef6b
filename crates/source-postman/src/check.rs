//! `check --connect`: one smallest request, and what it shows in words.

use std::time::Duration;

use pipeline::{Next, SourceError, Timestamp};
use poll::Start;

use crate::config::RETENTION;
use crate::page::Page;
use crate::source::PostmanSource;
use crate::verdict;

/// How far back the newest entry is looked for: over a large team's whole log Postman takes too long.
const LOOK_BACK: Duration = Duration::from_secs(30 * 86_400);

/// The same where Postman keeps less than that.
const SHORT_LOOK_BACK: Duration = Duration::from_secs(2 * 86_400);

/// The request is repeated when another key was found, when `since` is to be written in the other form, and when it is to
/// be later.
const ATTEMPTS: usize = 4;

/// Clocks that differ by less need no mention.
const SAME_CLOCK: Duration = Duration::from_secs(120);

impl PostmanSource {
    /// Asks for one record and says what was seen.
    pub(crate) async fn prove(&mut self) -> Result<String, SourceError> {
        self.ask().await.map_err(verdict::of_check)
    }

    async fn ask(&mut self) -> Result<String, SourceError> {
        let mut look_back = LOOK_BACK;
        for _ in 0..ATTEMPTS {
            let now = self.account.time();
            let request = poll::Request {
                kind: poll::position::Kind::Live,
                since: Some(now.minus(look_back)),
                until: None,
                cursor: None,
            };
            let verdict = match self.fetch(&request, 1).await {
                Err(verdict) => verdict,
                Ok(answer) => {
                    let server_time = answer.date;
                    match Page::read(answer.body, &self.form) {
                        Ok(page) => return Ok(self.describe(&page, look_back, server_time, now)),
                        Err(error) => verdict::of_unreadable(error, server_time),
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
        let mut words = format!("{} accepts the key", http_client::origin(&self.account.settings.url));
        if let Some(team) = page.teams().next() {
            words += &format!(" of team {team}");
        }
        words += &match page.identities.first() {
            None => format!(
                "; the log has no entry of the last {} days yet: do something that is logged, such as making an API key, \
                 and check again in a few minutes, as entries appear late",
                look_back.as_secs() / 86_400
            ),
            Some((_, None)) => "; the newest entry has no time that can be read".to_owned(),
            Some((_, Some(time))) => {
                format!("; the newest entry is of {time}: entries may appear a few minutes after the action")
            }
        };
        if let Some(remaining) = self.account.remaining() {
            words += &format!("; {remaining} requests are left for the moment");
        }
        let server_now = server_time.unwrap_or(now);
        let floor = server_now.minus(RETENTION);
        let start = match self.account.settings.start {
            Start::All => floor,
            Start::Now => server_now,
            Start::Ago(age) => server_now.minus(age),
            Start::At(moment) => moment,
        };
        if start < floor {
            words +=
                &format!("; `start` is before what Postman keeps: collection begins at {floor} with a gap");
        }
        let (ahead, behind) = (now.since(server_now), server_now.since(now));
        if ahead.max(behind) > SAME_CLOCK {
            let direction = if ahead > behind { "ahead of" } else { "behind" };
            let minutes = ahead.max(behind).as_secs() / 60;
            words +=
                &format!("; this machine's clock is {minutes} minutes {direction} Postman's: correct it");
        }
        words
    }
}
