//! One stream of audit records: [`PostmanSource`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{Next, Position, Progress, SeenIds, Source, SourceError, SourceStatus};
use source_audit_logs::{AuditLogsSource, Sight};

use crate::actions::Account;

/// Collects Postman's team audit log: `GET /audit/logs`, newest first.
pub struct PostmanSource {
    name: Box<str>,
    log: AuditLogsSource,
    account: Arc<Account>,
    /// A page was handed out: now there is time for the list of actions.
    handed_out: bool,
}

impl PostmanSource {
    /// A stream with the name that it has in the configuration; to be opened.
    pub fn new(name: &str, account: Arc<Account>) -> Self {
        let log = AuditLogsSource::new(name, account.log.clone());
        Self { name: name.into(), log, account, handed_out: false }
    }
}

#[async_trait]
impl Source for PostmanSource {
    async fn open(
        &mut self,
        resume: Option<Position>,
        seen: Arc<dyn SeenIds>,
    ) -> Result<Progress, SourceError> {
        let progress = self.log.open(resume, seen).await?;
        self.handed_out = false;
        Ok(progress)
    }

    async fn next(&mut self) -> Result<Next, SourceError> {
        if self.handed_out {
            self.account.read_actions(&self.name).await;
        }
        let next = self.log.next().await;
        self.handed_out |= matches!(next, Ok(Next::Page { .. }));
        next
    }

    fn status(&self) -> SourceStatus {
        self.log.status()
    }

    /// One smallest request, and what it shows.
    async fn check(&mut self) -> Result<String, SourceError> {
        Ok(words(&self.log.look(LOOK_BACK, 1).await?))
    }
}

/// How far back the newest entry is looked for: over a large team's whole log Postman takes too long.
const LOOK_BACK: Duration = Duration::from_secs(30 * 86_400);

fn words(seen: &Sight) -> String {
    let mut words = format!("{} accepts the key", seen.origin);
    if let Some(team) = &seen.tenant {
        words += &format!(" of team {team}");
    }
    words += &match (seen.records, seen.newest) {
        (0, _) => format!(
            "; the log has no entry of the last {} days yet: do something that is logged, such as making an API key, and check \
             again in a few minutes, as entries appear late",
            seen.look_back.as_secs() / 86_400
        ),
        (_, None) => "; the newest entry has no time that can be read".to_owned(),
        (_, Some(time)) => {
            format!("; the newest entry is of {time}: entries may appear a few minutes after the action")
        }
    };
    words + &seen.remarks
}
