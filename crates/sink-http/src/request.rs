//! The requests that the sink makes.

use bytes::Bytes;
use http_client::header::{CONTENT_ENCODING, CONTENT_TYPE, Entry, HeaderMap, HeaderName, HeaderValue};
use http_client::{HttpError, Method, Request};
use pipeline::Timestamp;

use crate::config::HttpSettings;
use crate::secrets::Prepared;
use crate::signing;

/// Most bytes of an answer's body that are read, for its words.
const ANSWER_CAP: usize = 16 << 10;

/// One attempt at the delivery `id`, made `now`: what must stay the same at the next attempt is the id, what must not
/// is the time that is signed.
pub(crate) fn delivery(
    settings: &HttpSettings,
    credentials: &Prepared,
    id: &str,
    body: Bytes,
    now: Timestamp,
) -> Result<Request, HttpError> {
    let mut headers = credentials.headers.clone();
    let mut set = |name: HeaderName, value: &str| {
        let value = HeaderValue::from_str(value)
            .map_err(|_| HttpError::Setup { detail: format!("`{name}` has no fit value") })?;
        headers.insert(name, value);
        Ok(())
    };
    set(HeaderName::from_static("idempotency-key"), id)?;
    if let Some(coding) = settings.compression.content_encoding() {
        set(CONTENT_ENCODING, coding)?;
    }
    if !credentials.signing.is_empty() {
        let signature = signing::signature(&credentials.signing, id, now.second(), &body);
        set(HeaderName::from_static("webhook-id"), id)?;
        set(HeaderName::from_static("webhook-timestamp"), &now.second().to_string())?;
        set(HeaderName::from_static("webhook-signature"), &signature)?;
    }
    if let Entry::Vacant(vacant) = headers.entry(CONTENT_TYPE) {
        vacant.insert(HeaderValue::from_static(settings.body.content_type()));
    }
    Ok(Request { headers, body, ..bare(settings, settings.method.clone()) })
}

/// A question that delivers nothing, with the credentials but without an id, a signature or a body.
pub(crate) fn question(settings: &HttpSettings, credentials: &Prepared) -> Request {
    Request { headers: credentials.headers.clone(), ..bare(settings, Method::HEAD) }
}

fn bare(settings: &HttpSettings, method: Method) -> Request {
    Request {
        method,
        url: settings.url.clone(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        body_cap: ANSWER_CAP,
    }
}
