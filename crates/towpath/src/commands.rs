//! One module a command.

pub(crate) mod check;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod normalize;
pub(crate) mod recipes;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod simulate;
