//! The workspace's own shape, the generated schema, the example configurations, and what commands say.

mod architecture;
mod budget;
mod check;
mod checkpoint;
mod config;
mod deploy;
mod mapping;
mod metrics;
mod recipes;
mod simulated;
mod start;
mod yaml;
