//! Incremental collection from an audit-log API as a pure state machine: no I/O, no clock, no randomness.
//!
//! A [`Collector`] says what to fetch next and is told what came back; a source does the fetching:
//!
//! ```
//! use pipeline::{Seen, Timestamp};
//! use poll::{Collector, Identity, Onward, Page, Policy, Start, Step};
//!
//! let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
//! let identity = Identity { source: "postman".into(), host: "api.example".into() };
//! let mut collector = Collector::open(Policy::default(), identity, Start::Now, None, now).unwrap();
//! let Step::Fetch(request) = collector.step(now) else { panic!("the live tail is due at once") };
//! assert_eq!((request.cursor, request.until), (None, None));
//! let page = Page { records: &[], next: Onward::End, server_time: Some(now) };
//! let taken = collector.page(&page, &[], now);
//! assert!(taken.deliver.is_empty());
//! let Step::Wait(wait) = collector.step(now) else { panic!("nothing to do until the next poll") };
//! assert!(wait.caught_up);
//! ```
//!
//! # How it collects
//! A [`walk`](position::Walk) reads one window of time page by page, with frozen filters, and closes only by an explicit
//! end. There are three kinds, and they take turns page by page, so that none stops another:
//! - **live**: from a little before the newest known moment to the present, every `poll_interval`;
//! - **sweep**: the same, but deeper and without an early stop, because events arrive late;
//! - **history**: closed windows, oldest first, of what lies before the first live walk.
//!
//! An API that lists in the order of arrival, and whose cursors live for ever, needs none of that: **follow** is one walk
//! without an end, which rests where there is nothing more yet ([`Resume::Cursor`]).
//!
//! A live walk that proves too long gives its past to history and goes on at the present. Every page yields a new
//! [position](position::Position); a record is delivered if it was not before, whatever its time.

mod collector;
mod cursor;
mod edges;
mod floor;
pub mod identity;
pub mod outline;
mod policy;
pub mod position;

pub use collector::{
    Collector, CollectorStatus, Failure, HeldStart, Onward, OpenError, Page, Request, Step, Taken,
};
pub use cursor::Cursor;
pub use pipeline::{ParsePathError, Path};
pub use policy::{Granularity, Order, Policy, Resume, Start, TimeFilter};
pub use position::Identity;
