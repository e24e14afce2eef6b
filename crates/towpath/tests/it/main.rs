//! The workspace's own shape, the generated schema, and the example configurations.

mod architecture;
mod config;
