//! `check --connect`: is the endpoint there, and does it accept the credentials?

use http_client::HttpError;
use pipeline::SinkError;

use crate::failure;
use crate::policy::{self, Class};
use crate::{HttpSink, Refusal, request};

impl HttpSink {
    /// Asks with `HEAD`, which delivers nothing (RFC 9110, 9.3.2). Many endpoints answer it with 404, 405 or worse
    /// although they take deliveries, so only what is sure counts: no connection, no trust, no right, no more endpoint.
    pub(crate) async fn prove(&self) -> Result<(), SinkError> {
        let credentials = self.credentials.current();
        let question = request::question(&self.settings, &credentials);
        let answer = self.client.deliver(&question).await.map_err(as_found)?;
        let status = answer.status.as_u16();
        let refusal = || Refusal::read(&self.settings.url, &answer, &credentials).into();
        match policy::class(status) {
            Class::Paused { reason, remedy } if matches!(status, 401 | 403 | 407 | 410 | 511) => {
                Err(SinkError::Paused { reason, remedy: remedy.to_owned(), source: refusal() })
            }
            // What stands in front of the endpoint does not reach it.
            Class::Again if matches!(status, 502..=504 | 520..=530) => {
                Err(SinkError::Transient { retry_after: None, source: refusal() })
            }
            _ => Ok(()),
        }
    }
}

/// While it runs, Towpath tries again by itself after these failures. Whoever checks a configuration has most likely written
/// down a wrong address, and is told what to look at.
fn as_found(error: HttpError) -> SinkError {
    match error.suspicion() {
        Some(remedy) => SinkError::Paused { reason: error.kind(), remedy, source: error.into() },
        None => failure::of_http_error(error),
    }
}
