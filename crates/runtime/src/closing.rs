//! The end of the sinks.

use std::sync::Arc;
use std::time::Duration;

use pipeline::Sink;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How long destinations may take to end what is open between us.
const LONGEST: Duration = Duration::from_secs(2);

/// Lets sinks, by their names, end what they hold open, all at once: for at most 2 s, and `within`. Comes after the last
/// write of each; everything is settled by then, so that nothing depends on it.
pub async fn close(sinks: Vec<(Box<str>, Arc<dyn Sink>)>, within: Duration) {
    let deadline = Instant::now() + within.min(LONGEST);
    let mut closing = JoinSet::new();
    for (name, sink) in sinks {
        closing.spawn(async move {
            if timeout_at(deadline, sink.close()).await.is_err() {
                tracing::info!(sink = &*name, "destination does not end its connections in time");
            }
        });
    }
    while let Some(ended) = closing.join_next().await {
        if let Err(panic) = ended {
            tracing::error!(error = %panic, "close of a sink ended by a defect");
        }
    }
}
