//! Delivers events to an HTTP endpoint.
