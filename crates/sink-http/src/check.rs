//! `check --connect`: is the endpoint there, and does it accept the credentials?

use http_client::delivery::{Class, Refusal, as_found, class};
use pipeline::SinkError;

use crate::{HttpSink, KEYS, request};

impl HttpSink {
    /// Asks with `HEAD`, which delivers nothing (RFC 9110, 9.3.2). Many endpoints answer it with 404, 405 or worse
    /// although they take deliveries, so only what is sure counts: no connection, no trust, no right, no more endpoint.
    pub(crate) async fn prove(&self) -> Result<(), SinkError> {
        let credentials = self.credentials.current();
        let question = request::question(&self.settings, &credentials);
        let answer = self.client.deliver(&question).await.map_err(|error| as_found(error, &KEYS))?;
        let status = answer.status.as_u16();
        let refusal = || Refusal::read(&self.settings.url, &answer, &credentials.hidden).into();
        match class(status, &KEYS) {
            Class::Paused { reason, remedy } if matches!(status, 401 | 403 | 407 | 410 | 511) => {
                Err(SinkError::Paused { reason, remedy, source: refusal() })
            }
            // What stands in front of the endpoint does not reach it.
            Class::Again if matches!(status, 502..=504 | 520..=530) => {
                Err(SinkError::Transient { retry_after: None, source: refusal() })
            }
            _ => Ok(()),
        }
    }
}
