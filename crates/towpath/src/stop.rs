//! Signals: the first asks for a drain, the second ends the process at once.

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A file that passes a size limit of the process raises SIGXFSZ, on Linux 25 (signal(7)).
const FILE_TOO_LARGE: SignalKind = SignalKind::from_raw(25);

/// Signals that come closer together are one wish: some tools signal a process and then its group.
const ONE_WISH: Duration = Duration::from_millis(500);

/// A token that the first SIGTERM or SIGINT cancels. A second one exits with status 1; nothing is lost by it.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    // Taken over, so that the write fails, its sink pauses and says why; by default the process would end.
    drop(signal(FILE_TOO_LARGE)?);
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            match first {
                None => {
                    tracing::info!(signal = name, "stopping: delivering what is under way");
                    first = Some(Instant::now());
                    token.cancel();
                }
                Some(first) if first.elapsed() < ONE_WISH => {}
                Some(_) => {
                    tracing::warn!(
                        signal = name,
                        "second signal: exiting at once; what was not saved is collected again"
                    );
                    std::process::exit(1);
                }
            }
        }
    });
    Ok(stop)
}
