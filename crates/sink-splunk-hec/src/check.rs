//! `check --connect`: is the collector there, and does it accept the token?

use http_client::Method;
use http_client::delivery::as_found;
use pipeline::SinkError;

use crate::SplunkHecSink;
use crate::answer::{self, KEYS, NotTaken, Said};
use crate::code::NO_DATA;

impl SplunkHecSink {
    /// Asks how the collector is, then shows it the token without an event. Whether the token may write to `index` shows
    /// with the first event.
    pub(crate) async fn prove(&self) -> Result<(), SinkError> {
        let credentials = self.credentials.current();
        let url = &self.settings.health_url;
        let question = self.request(Method::GET, url, &credentials);
        let answer = self.client.deliver(&question).await.map_err(|error| as_found(error, &KEYS))?;
        // Load balancers are often asked not to pass this on.
        if !matches!(answer.status.as_u16(), 404 | 405)
            && let Err(NotTaken::Failed(error, _)) = answer::consequence(url, &answer, 0, &credentials, &KEYS)
        {
            return Err(error);
        }
        match self.settings.acknowledged_within {
            Some(_) => self.open_channel().await.map(drop),
            None => self.show_token().await,
        }
    }

    /// A request without events has a code of its own, which comes after the token was judged.
    async fn show_token(&self) -> Result<(), SinkError> {
        let credentials = self.credentials.current();
        let url = &self.settings.event_url;
        let question = self.request(Method::POST, url, &credentials);
        let answer = self.client.deliver(&question).await.map_err(|error| as_found(error, &KEYS))?;
        if Said::read(&answer).is_some_and(|said| said.code == Some(NO_DATA)) {
            return Ok(());
        }
        match answer::consequence(url, &answer, 0, &credentials, &KEYS) {
            // Others that speak the protocol may find fault with a body that is no JSON.
            Ok(_) | Err(NotTaken::Event(..) | NotTaken::Failed(SinkError::Rejected { .. }, _)) => Ok(()),
            Err(NotTaken::Channel(source)) => Err(SinkError::Transient { retry_after: None, source }),
            Err(NotTaken::Failed(error, _)) => Err(error),
        }
    }
}
