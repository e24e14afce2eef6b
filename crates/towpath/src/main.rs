//! The `towpath` command. What it offers is in `cli`; each command has a module of its own in `commands`; `connectors` is
//! the list of source and sink types, `assemble` puts a configuration together with them.

mod admin;
mod assemble;
mod cli;
mod commands;
mod connectors;
mod failure;
mod pretty;
mod progress;
mod records;
mod stop;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    keep_quiet_about_caught_panics();
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(failure) if failure.is_broken_pipe() => failure.exit_code(),
        Err(failure) => {
            // Where nobody reads stderr any more there is nobody to tell.
            drop(writeln!(std::io::stderr(), "{failure}"));
            failure.exit_code()
        }
    }
}

/// The database under the checkpoint store panics on a damaged file. The store catches that and says what to do, so the
/// panic's own words would only confuse.
fn keep_quiet_about_caught_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|place| place.file().contains("/redb-")) {
            usual(panic);
        }
    }));
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    let format = cli.log_format.into();
    telemetry::logs::init(format, cli.log_level.as_deref()).map_err(Failure::usage)?;
    match cli.command {
        Command::Run(args) => commands::run::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Normalize(args) => commands::normalize::run(&args),
        Command::Simulate(args) => commands::simulate::run(&args),
        Command::Checkpoint(args) => commands::checkpoint::run(&args),
        Command::DeadLetters(args) => commands::dead_letters::run(&args),
        Command::Schema(args) => commands::schema::run(&args),
        Command::Recipes(args) => commands::recipes::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    }
}
