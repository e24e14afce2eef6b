//! Events that a destination refused for good, kept until a person looks at them: one file a call of
//! [`keep`](pipeline::DeadLetters::keep), one letter a line, one JSON object a letter. `cat`, `grep` and `jq` read them.
//!
//! ```
//! use dead_letters::{Change, LetterFiles, LetterStore, Removal};
//! use pipeline::DeadLetters as _;
//! # use pipeline::{Letter, Origin, Schema, Timestamp, View};
//!
//! # let place = tempfile::tempdir()?;
//! # let dir = place.path().join("dead-letters");
//! # let (source, kind, dataset) = ("postman".into(), "postman".into(), "postman.audit".into());
//! # let origin = Origin { source, kind, dataset, labels: vec![] };
//! # let letter = Letter {
//! #     time: Timestamp::from_millis(0), origin: origin.into(), sink: "splunk".into(),
//! #     view: View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true }.into(),
//! #     event_id: 7, fan_out: 0, reason: "mapping".into(), detail: "field time".into(), attempts: 1,
//! #     sent: "{}".into(), record: None,
//! # };
//! // The running process only adds.
//! let store = LetterStore::open(&dir, 1 << 30)?;
//! store.keep(&[letter])?;
//! assert_eq!(store.count("splunk"), 1);
//!
//! // Everybody may read, at any time; one at a time may remove.
//! let mut removal = Removal::begin(&dir)?;
//! for kept in LetterFiles::in_dir(&dir).letters(None)? {
//!     let kept = kept?;
//!     println!("{}: {}", kept.id, kept.letter.detail);
//!     removal.settle([(kept.place(), Change::Remove)])?;
//! }
//! # assert_eq!(LetterFiles::in_dir(&dir).letters(None)?.count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who does what
//!
//! | | creates files | changes or deletes files | lock |
//! |---|---|---|---|
//! | [`LetterStore`] | yes | never | on its own temporary file, while it writes it |
//! | [`LetterFiles`] | no | no | none |
//! | [`Removal`] | a file's next version | yes | `removal.lock`: one at a time |
//!
//! A file appears under its name when it is whole and on the disk: written under a temporary name, flushed, renamed, and the
//! directory flushed. A file with fewer letters comes the same way, under its own name with a smaller count, before the one
//! that it replaces is deleted. So a crash leaves each letter in at least one whole file; of two versions the one with
//! fewer letters counts (`name`), and the next removal deletes the other.
//!
//! # Modules
//!
//! | module | holds |
//! |---|---|
//! | `store` | keeping letters within a size |
//! | `read` | reading them |
//! | `removal` | removing and changing them |
//! | `line` | a letter as a line of JSON: the format, with its version |
//! | `name` | what a file's name says |
//! | `listing` | which files there are, and which of them count |
//! | `usage` | how many letters and bytes that is |
//! | `temporary` | files that are being written, and those that a crash left |
//! | `directory` | creating and flushing the directory |

mod directory;
mod error;
mod id;
mod line;
mod listing;
mod name;
mod read;
mod removal;
mod store;
mod temporary;
mod usage;

pub use error::{LineError, ReadError, RemovalError};
pub use id::{LetterId, ParseLetterIdError};
pub use line::VERSION;
pub use read::{KeptLetter, LetterFiles, Letters, Place};
pub use removal::{Change, Removal, Settled};
pub use store::LetterStore;
