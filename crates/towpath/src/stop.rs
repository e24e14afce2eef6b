//! Signals: the first asks for a drain, the second ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGTERM or SIGINT cancels. A second one exits with status 1; nothing is lost by it.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tokio::spawn(async move {
        for second in [false, true] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if second {
                tracing::warn!(
                    signal = name,
                    "second signal: exiting at once; what was not saved is collected again"
                );
                std::process::exit(1);
            }
            tracing::info!(signal = name, "stopping: delivering what is under way");
            token.cancel();
        }
    });
    Ok(stop)
}
