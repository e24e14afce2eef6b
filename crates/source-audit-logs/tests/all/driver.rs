//! What sources are driven with.

use async_trait::async_trait;
use pipeline::{RecordId, Seen, SeenIds, StoreError};
use serde_json::Value;

/// Knows nothing.
pub(crate) struct Nothing;

#[async_trait]
impl SeenIds for Nothing {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        Ok(vec![Seen::New; ids.len()])
    }
}

/// Puts a value at a dotted path.
pub(crate) fn set(config: &mut Value, path: &str, value: Value) {
    let mut place = config;
    for name in path.split('.') {
        place = &mut place[name];
    }
    *place = value;
}
