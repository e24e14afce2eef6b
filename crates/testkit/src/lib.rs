//! What tests and benchmarks of several crates check with; never part of the product.
//!
//! `schema` has the published schemas of OCSF and ECS, [`sink`] what every sink must do, [`store`] what every checkpoint
//! store must do, [`http`] a server to speak to and a proxy, [`tcp`] a proxy for what is not HTTP. What every source must do is
//! the crate `hazards`.
//!
//! ```
//! let errors = testkit::schema::check_ocsf("1.8.0", br#"{"class_uid": 3002}"#).unwrap_err();
//! assert!(errors[0].contains("metadata"), "{errors:?}");
//! ```

pub mod http;
pub mod schema;
pub mod sink;
pub mod store;
pub mod tcp;

use std::any::Any;
use std::error::Error;

/// An error and its causes in one line, as an operator sees them.
pub fn line(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The words of a panic.
fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("a panic without words").to_owned(),
    }
}
