//! Nothing: what this package holds is `e2e/`, the tests of the `towpath` binary as its users run it.
//!
//! ```sh
//! cargo test -p e2e                                  # builds the binary with the tests' own profile first
//! TOWPATH_BIN=/usr/bin/towpath cargo test -p e2e     # tests that one
//! ```
