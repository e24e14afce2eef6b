//! The workspace's own shape, the generated schema, the example configurations, and commands on a directory of letters.

mod architecture;
mod config;
mod dead_letters;
