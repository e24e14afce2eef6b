//! `towpath simulate`

mod recipe;

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::Context as _;

use crate::cli::{SimulateArgs, SourceType};
use crate::commands::run::block_on;
use crate::failure::Failure;
use crate::stop;

pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let listen = args.port.map_or(args.listen, |port| SocketAddr::from(([127, 0, 0, 1], port)));
    if let Some(name) = &args.recipe {
        return recipe::run(name, listen, args);
    }
    let SourceType::Postman = args.source;
    let faults = args.faults.parse::<simulator::Faults>().map_err(Failure::usage)?;
    let knobs = faults.describe();
    let options =
        simulator::Options { listen, events: args.events, rate: args.rate, faults, seed: args.seed };
    block_on(async {
        let stop = stop::on_signal().context("listen for signals")?;
        let api = simulator::run(options).await.with_context(|| cannot_listen(listen))?;
        for knob in knobs {
            tracing::debug!(setting = knob.setting, meaning = knob.meaning, "{}", knob.name);
        }
        let mut out = std::io::stdout();
        writeln!(out, "{}\n{}", api.url(), api.key())?;
        out.flush()?;
        stop.cancelled().await;
        api.shutdown().await;
        Ok(())
    })
}

fn cannot_listen(listen: SocketAddr) -> String {
    format!("cannot listen on {listen}; take another address, or port 0 for any free one")
}
