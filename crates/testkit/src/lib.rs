//! What tests and benchmarks of several crates check with; never part of the product.
//!
//! `schema` has the published schemas of OCSF and ECS, [`sink`] what every sink must do.
//!
//! ```
//! let errors = testkit::schema::check_ocsf("1.8.0", br#"{"class_uid": 3002}"#).unwrap_err();
//! assert!(errors[0].contains("metadata"), "{errors:?}");
//! ```

pub mod schema;
pub mod sink;
