//! Where each stream resumes from, and which records were delivered: one embedded, crash-safe store per data directory.
//!
//! ```
//! use checkpoint::FileStore;
//! use pipeline::{CheckpointStore, Position, RecordId, Revision, Save, SinkSet};
//!
//! # let dir = tempfile::tempdir()?;
//! # let data_dir = dir.path().join("data");
//! let store = FileStore::open(&data_dir)?;
//! let id = RecordId { second: 1_760_000_000, native: 1, content: 2 };
//! let save = Save {
//!     position: &Position::from_json(r#"{"cursor":17}"#)?,
//!     delivered: &[(id, SinkSet::ALL)],
//!     prune_before: i64::MIN,
//! };
//! assert_eq!(store.save("postman", save, Revision(0))?, Revision(1));
//! assert_eq!(store.delivered("postman", &[id])?, [vec![(2, SinkSet::ALL)]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What [`FileStore`] stands on, from the top down:
//!
//! | module | holds |
//! |---|---|
//! | `file_store` | the store as the pipeline sees it: compare-and-swap, and what a failed save leaves behind |
//! | `tables` | the tables and the transactions on them: rows of delivered ids, pruning, numbers of sinks |
//! | `database` | the open database: reopened after a failure, its panics and errors turned into ours |
//! | `pages` | the file: format version, and a checksum on every page |
//! | `directory` | the data directory: modes, and the lock that keeps a second process out |
//!
//! The database is redb, a copy-on-write B-tree: a save is one transaction, and after a crash the file still holds the
//! last one whole. Its cost follows the ids that a save brings, not those that are remembered.

mod database;
mod directory;
mod file_store;
mod pages;
#[cfg(test)]
mod simulation;
mod tables;

pub use file_store::FileStore;
