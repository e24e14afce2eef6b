//! `towpath completions`

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::failure::Failure;

pub(crate) fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    clap_complete::generate(args.shell, &mut Cli::command(), "towpath", &mut std::io::stdout());
    Ok(())
}
