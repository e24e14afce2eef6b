//! Reads the configuration file: YAML with positions, then `${…}` inside of values, then a check of the whole tree against
//! its schema, then each connector's own struct. Whatever is wrong is told at once, with file, line and column, the line
//! itself, and what would be right; secrets are never shown. Knows no connector type: the binary passes a list of them.
//!
//! ```text
//! text ── yaml ──▶ tree ── interpolate ──▶ tree ── check, rules ──▶ Config ── Block::read ──▶ a connector's struct
//!                                                        └──▶ Report ◀── Block::diagnostic ◀── its validate
//! ```
//!
//! - [`parse`]: the text of a file → [`Config`], with an example;
//! - [`ConnectorType`]: a type of source or sink, with the schema of its keys;
//! - [`Block`]: the keys of one source or sink, read by its connector;
//! - [`Report`], [`Diagnostic`]: what is wrong;
//! - [`Recipe`]: what is known of an API, shipped or in a file;
//! - [`schema`]: the JSON Schema of the whole, for editors;
//! - [`locate`], [`read_file`]: where the file is. Relative paths inside of it count from the working directory, but for those of
//!   recipes, which count from the file itself.
//!
//! A connector's struct is made of plain structs, lists, maps with text as keys, and enums in serde's usual form (a word, or
//! a block of one key). Flattened structs and enums without a tag lose the places of their values, and a secret in them the
//! file that it came from.

mod block;
mod check;
mod connector;
mod diagnostic;
mod document;
mod draft;
mod environment;
mod files;
mod finding;
mod interpolate;
mod load;
mod locate;
mod model;
mod node;
mod read;
mod recipe;
mod rules;
mod schema;
mod yaml;

pub use block::Block;
pub use connector::{ConnectorType, Role, SinkTraits};
pub use diagnostic::{Diagnostic, Report, Severity, Snippet};
pub use environment::{Environment, ProcessEnvironment};
pub use load::{Config, MAX_FILE, Sink, Source, parse};
pub use locate::{NotFound, USUAL_PLACES, VARIABLE, locate, read_file};
pub use model::{Admin, Batch, DeadLetters, EventSchema, Limits, Listen, ListenError, OcsfVersion, Retry};
pub use recipe::{About, Fact, Recipe, RecipeError, Shipped};
pub use schema::schema;
