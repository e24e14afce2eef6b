//! The real binary, as its users run it, against a simulated API on loopback.
//!
//! | module | proves |
//! |---|---|
//! | `kills` | SIGKILL at any moment: nothing lost, nothing invented, duplicates within one budget a kill |
//! | `stops` | SIGTERM: no loss, no duplicate, in time |
//! | `disk` | full and read-only disks, under sinks and under the data directory |
//! | `locked` | one data directory, one process |
//! | `secrets` | the key is in no log, error or file |
//! | `keys` | a wrong key pauses, and heals without a restart |
//! | `mapping` | labels, holes in the history, the API's list of actions |
//! | `network` | a destination over HTTP that does everything wrong in turn; probes, status, metrics, dead letters |
//! | `storm` | a destination that is busy, loses answers and dies among many events; by default Splunk's, real ones on demand |
//! | `once` | `run --once` and its exit status |
//! | `usage` | wrong usage and configuration |
//! | `store` | a damaged checkpoint store, a position of another host |
//! | `checkpoint` | `checkpoint list`, `show`, `set`, `reset` |
//! | `normalize` | every form of input, bad records, a reader that leaves |
//! | `guide` | `docs/adding-a-source.md`, done as it says |
//! | `recipes` | what becomes of a page of every recipe, and how one is told that does not fit |
//! | `demo` | `demo --exit` |
//! | `quiet` | no warning on a good day |
//!
//! `truth` and `delivered` compare what stands in the files with what the simulator has shown; `admin`, `api`, `binary`, `process`
//! and `workplace` are what the tests are set up with. `TOWPATH_E2E_SEED` repeats a run's chance.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and tells why")]

mod admin;
mod api;
mod binary;
mod chance;
mod delivered;
mod process;
mod receiver;
mod truth;
mod workplace;

mod checkpoint;
mod demo;
mod disk;
mod guide;
mod keys;
mod kills;
mod locked;
mod mapping;
mod network;
mod normalize;
mod once;
mod quiet;
mod recipes;
mod secrets;
mod stops;
mod store;
mod storm;
mod together;
mod usage;
