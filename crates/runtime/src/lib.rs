//! Everything that lies between a source and its sinks, once for all connectors: bounded channels, the byte budget,
//! batching, retry, acknowledgement, checkpoints, drain.
//!
//! ```text
//! collector ─ page ─▶ encoder ─ chunk: one parcel a sink ─▶ sink task ─ Write ─▶ Sink
//!     │                  │ track                               │ done
//!     │ pending ids      ▼                                     ▼
//!     └────────────▶ SeenInRun ◀── saved ids ── Saver ◀── safe ── Tracker
//! ```
//!
//! The life of a record: a source's page makes its id *pending*; a `chunk` takes budget, is encoded once per view and
//! tracked; each sink's `parcel` carries the duty to deliver it; when all sinks are done with it and with everything
//! before it, it is *safe*; the saver writes position and ids in one transaction; only then is its budget free again.
//! Whatever goes wrong in between drops an ack, and the stream goes back to its saved position.
//!
//! [`Engine`] runs a [`Pipeline`] and drains it at the end; [`Status`] shows it meanwhile.

mod backoff;
mod batcher;
mod budget;
mod chunk;
mod closing;
mod delivery;
mod engine;
mod hand_out;
mod parcel;
mod refusals;
mod saver;
mod seen;
mod sink_task;
mod status;
mod stream;
mod tracker;

pub use backoff::{Backoff, Retry};
pub use batcher::BatchLimits;
pub use chunk::Encoder;
pub use closing::close;
pub use engine::{Engine, Limits, Pipeline, RunError, Until};
pub use sink_task::SinkSpec;
pub use status::{Ledger, SinkMode, SinkNow, SinkState, SourceMode, SourceNow, SourceState, Status};
pub use stream::{MakeSource, StreamError, StreamSpec};
