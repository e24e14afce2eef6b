//! Delivers events as lines, one JSON object each, to a file or to standard output.
//!
//! A write is acknowledged when its lines are on the disk. A line is whole or absent, whatever happens: what a failed or
//! abandoned write left is taken back before the next one, what a crash left when the file is next opened. `README.md`
//! has the guarantees in full.
//!
//! ```
//! use pipeline::{Sink, Write};
//! use sink_file::{FileConfig, FileSink};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = FileConfig { path: "./out/events.ndjson".into(), rotate: Default::default() };
//! let sink = FileSink::new(config.validate().expect("a good path"));
//! sink.open().await?; // or let the first write do it
//! sink.write(&Write::default()).await?;
//! # Ok(())
//! # }
//! ```

mod appender;
mod config;
mod failure;
mod handle;
mod place;
mod rotation;
mod stream;
mod tail;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pipeline::{BoxError, Outcome, Sink, SinkError, Write};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

use crate::appender::Appender;
use crate::config::Target;
pub use crate::config::{FileConfig, FileSettings, RotateConfig};
use crate::failure::Failure;
use crate::stream::Stream;

/// The sink. Writes to it take turns.
pub struct FileSink {
    settings: FileSettings,
    output: Arc<Mutex<Output>>,
}

enum Output {
    File(Appender),
    StandardOutput(Option<Stream>),
}

impl FileSink {
    /// A sink that has not touched the disk yet: [`Sink::open`] or the first write does.
    pub fn new(settings: FileSettings) -> Self {
        let output = match &settings.target {
            Target::StandardOutput => Output::StandardOutput(None),
            Target::File { path, rotation } => Output::File(Appender::new(path, *rotation)),
        };
        Self { settings, output: Arc::new(Mutex::new(output)) }
    }

    /// Does blocking work with the output, away from the I/O threads. The lock travels with the work and comes back with
    /// its result: when this future is dropped, the work still ends before the next one begins, and nobody has heard of
    /// its success.
    async fn work(
        &self,
        work: impl FnOnce(&mut Output) -> Result<(), Failure> + Send + 'static,
    ) -> Result<OwnedMutexGuard<Output>, Failure> {
        let mut output = Arc::clone(&self.output).lock_owned().await;
        let task = spawn_blocking(move || {
            let result = work(&mut output);
            (output, result)
        });
        let (output, result) = task.await.map_err(Failure::Task)?;
        result.map(|()| output)
    }
}

#[async_trait]
impl Sink for FileSink {
    /// Could the file be written? Creates nothing, and does not disturb a process that is writing it.
    async fn check(&self) -> Result<(), BoxError> {
        let Target::File { path, rotation } = self.settings.target.clone() else { return Ok(()) };
        let checked = spawn_blocking(move || place::check(&path, rotation)).await?;
        // As a `SinkError` it brings its remedy.
        checked.map_err(|failure| SinkError::from(failure).into())
    }

    /// Creates and locks the file and cuts off what a crash left of its last line, so that readers of the file need not wait
    /// for the first event.
    async fn open(&self) -> Result<(), SinkError> {
        self.work(Output::prepare).await?;
        Ok(())
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        if events.is_empty() {
            return Ok(Outcome::default());
        }
        let lines: Vec<Bytes> = events.lines().collect();
        let mut output = self.work(move |output| output.append(&lines)).await?;
        // Nothing is awaited from here on, so whoever polls this future hears of the success.
        output.acknowledge();
        Ok(Outcome::default())
    }
}

impl Output {
    fn prepare(&mut self) -> Result<(), Failure> {
        match self {
            Self::File(appender) => appender.prepare(),
            Self::StandardOutput(_) => Ok(()),
        }
    }

    fn append(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        match self {
            Self::File(appender) => appender.append(lines),
            Self::StandardOutput(Some(stream)) => stream.append(lines),
            Self::StandardOutput(none) => none.insert(Stream::standard_output()?).append(lines),
        }
    }

    fn acknowledge(&mut self) {
        if let Self::File(appender) = self {
            appender.acknowledge();
        }
    }
}
