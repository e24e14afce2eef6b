//! What sinks do to bytes on their way out: compression, and the forms in which syslog carries events.
//!
//! ```
//! use bytes::Bytes;
//! use encode::Compression;
//!
//! let lines = [Bytes::from_static(b"{\"a\":1}\n"), Bytes::from_static(b"{\"a\":2}\n")];
//! let body = Compression::Zstd.body(&lines)?;
//! assert_eq!(Compression::Zstd.content_encoding(), Some("zstd"));
//! assert_eq!(zstd::decode_all(&body[..])?, b"{\"a\":1}\n{\"a\":2}\n");
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod cef;
mod compression;
mod cut;
mod framing;
mod runs;
pub mod syslog;

pub use compression::Compression;
pub use cut::Escapes;
pub use framing::Framing;
