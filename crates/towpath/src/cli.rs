//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pipeline::Timestamp;
use settings::HumanDuration;

/// Hauls SaaS audit trails to a SIEM: polls audit-log APIs, normalises every record to OCSF and ECS, and delivers it, losing
/// nothing on the way.
#[derive(Debug, Parser)]
#[command(name = "towpath", version, propagate_version = true, max_term_width = 110)]
#[command(after_help = "Start with `towpath demo`: the whole product, with nothing else installed.")]
pub(crate) struct Cli {
    /// Form of the log on stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace, optionally for single modules (`info,source_audit_logs=debug`).
    /// [default: info] [env: TOWPATH_LOG]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One object a line.
    Json,
}

impl From<LogFormat> for telemetry::logs::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the pipeline.
    Run(RunArgs),
    /// Validate the configuration and say what will run.
    Check(CheckArgs),
    /// Show the whole product at work against a simulated API that misbehaves like the real one.
    Demo(DemoArgs),
    /// Turn records from files or stdin into events on stdout.
    Normalize(NormalizeArgs),
    /// Serve a simulated audit-log API.
    Simulate(SimulateArgs),
    /// Look at and edit the saved positions; refused while another process holds the data directory.
    Checkpoint(CheckpointArgs),
    /// Look at events that a destination refused, deliver them again, or throw them away.
    DeadLetters(DeadLettersArgs),
    /// Print a JSON Schema, or an index template.
    Schema(SchemaArgs),
    /// Look at the recipes of `audit_logs`: what is known of an API, and from where.
    Recipes(RecipesArgs),
    /// Print shell completions.
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file [default: $TOWPATH_CONFIG, ./towpath.yaml, /etc/towpath/towpath.yaml]
    #[arg(long, short, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// End when everything that can be collected now is delivered and saved.
    #[arg(long)]
    pub(crate) once: bool,

    /// With --once: fail when that takes longer, e.g. 5m.
    #[arg(long, value_name = "DURATION", requires = "once")]
    pub(crate) timeout: Option<HumanDuration>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// Also prove each source's credentials and each sink.
    #[arg(long)]
    pub(crate) connect: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Stop after the first catch-up.
    #[arg(long)]
    pub(crate) exit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceType {
    /// Postman's team audit log.
    Postman,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// Open Cybersecurity Schema Framework.
    Ocsf,
    /// Elastic Common Schema.
    Ecs,
    /// The vendor's record on one line.
    Raw,
}

#[derive(Debug, Args)]
pub(crate) struct NormalizeArgs {
    /// Whose records they are: `postman`, or the name of a source in the configuration.
    #[arg(long, value_name = "NAME", required_unless_present = "recipe")]
    pub(crate) source: Option<String>,

    /// Whose answers they are: the API of a recipe, or of a file in the same form.
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["source", "config"])]
    pub(crate) recipe: Option<String>,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// The schema of the events.
    #[arg(long, value_enum, default_value_t = SchemaName::Ocsf)]
    pub(crate) schema: SchemaName,

    /// The OCSF version.
    #[arg(long, value_name = "VERSION", default_value = "1.8.0")]
    pub(crate) ocsf_version: String,

    /// Leave the vendor's record out of the events.
    #[arg(long)]
    pub(crate) no_raw: bool,

    /// The collection time to write instead of the present, e.g. 2026-11-20T10:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) collected_at: Option<Timestamp>,

    /// Of Postman NDJSON, a JSON array, or the API's own page objects; of a recipe or another source whole answers of the API, as
    /// `curl` saves them. `-` or nothing is stdin.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Whose API to simulate.
    #[arg(long, value_enum, value_name = "TYPE", default_value_t = SourceType::Postman)]
    pub(crate) source: SourceType,

    /// Simulate the API that this recipe of `audit_logs` describes; a name, or a file in the same form.
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["source", "faults"])]
    pub(crate) recipe: Option<String>,

    /// A hazard of docs/testing-collectors.md that the API shows; several may be named.
    #[arg(long = "hazard", value_name = "NAME", requires = "recipe")]
    pub(crate) hazards: Vec<String>,

    /// All hazards at once.
    #[arg(long, requires = "recipe", conflicts_with = "hazards")]
    pub(crate) hostile: bool,

    /// At the end, write the ids of all records that were shown there, one JSON object a line.
    #[arg(long, value_name = "FILE", requires = "recipe")]
    pub(crate) shown: Option<PathBuf>,

    /// Address to listen on; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// The same on this machine only.
    #[arg(long, value_name = "PORT", conflicts_with = "listen")]
    pub(crate) port: Option<u16>,

    /// Records that exist at the start.
    #[arg(long, visible_alias = "records", value_name = "N", default_value_t = 10_000)]
    pub(crate) events: usize,

    /// New records per second, e.g. `20/s`.
    #[arg(long, value_name = "N/s", default_value = "5/s", value_parser = rate)]
    pub(crate) rate: f64,

    /// How it misbehaves: none, default (like the real one on a bad day) or hostile.
    #[arg(long, value_name = "FAULTS", default_value = "default")]
    pub(crate) faults: String,

    /// What all chance comes from.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let rate: f64 = number.parse().map_err(|_| "write a rate such as `20/s`".to_owned())?;
    let sane = rate.is_finite() && (0.0..=1e6).contains(&rate);
    if sane { Ok(rate) } else { Err("write a rate between `0/s` and `1000000/s`".into()) }
}

#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    #[command(subcommand)]
    pub(crate) command: CheckpointCommand,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// One line a source: revision, remembered ids, position.
    List,
    /// The position of a source, as `set` takes it.
    Show {
        /// The source's name in the configuration.
        source: String,
    },
    /// Replace the position of a source; what was delivered stays remembered.
    Set {
        /// The source's name in the configuration.
        source: String,
        /// The position, as `show` prints it.
        json: String,
    },
    /// Forget position and delivered records of a source: it starts afresh, and delivers again what it finds.
    Reset {
        /// The source's name in the configuration.
        source: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    pub(crate) command: DeadLettersCommand,

    /// Only those of this sink.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) sink: Option<String>,

    /// JSON instead of text on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// One line a letter: what was refused, when, by whom and why.
    List,
    /// Everything about one letter: the refusal, the vendor's record, and the event that was sent.
    Show {
        /// The letter's id, or the start of it.
        id: String,
    },
    /// Deliver letters again, by today's mapping and configuration, and remove those that went through.
    Replay {
        #[command(flatten)]
        which: WhichLetters,

        /// How long to go on asking a sink that fails for the moment and takes nothing.
        #[arg(long, value_name = "DURATION", default_value = "5m")]
        timeout: HumanDuration,
    },
    /// Print all letters whole, one JSON object a line.
    Export,
    /// Throw letters away. They are delivered nowhere, and nothing asks back.
    Purge {
        #[command(flatten)]
        which: WhichLetters,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WhichLetters {
    /// Ids of letters, or the starts of them.
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// All letters; with --sink, all of that sink.
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RecipesArgs {
    #[command(subcommand)]
    pub(crate) command: RecipesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecipesCommand {
    /// One line each.
    List,
    /// What a recipe says, what is to be added to it, and where each of its keys is known from.
    Show {
        /// Its name, or a file in the same form.
        #[arg(value_name = "NAME|FILE")]
        name: String,
    },
    /// Run a recipe against a simulated API of its kind that shows every hazard of docs/testing-collectors.md: one verdict each.
    /// The API is made from the recipe, so that it tells what the recipe loses, and not whether the vendor's API is like it.
    Test(RecipesTestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RecipesTestArgs {
    /// Its name, or a file in the same form.
    #[arg(value_name = "NAME|FILE")]
    pub(crate) name: String,

    /// Only hazards with this in their name.
    #[arg(long, value_name = "SUBSTRING")]
    pub(crate) case: Option<String>,

    /// What all chance comes from.
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) seed: u64,

    /// One JSON object a hazard.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of what.
    #[arg(value_enum)]
    pub(crate) of: SchemaOf,

    /// With `elasticsearch`: the schema of the events.
    #[arg(long, value_enum, default_value_t = TemplateOf::Ecs)]
    pub(crate) schema: TemplateOf,

    /// With `elasticsearch`: the product.
    #[arg(long, value_enum, default_value_t = FlavorName::Elasticsearch)]
    pub(crate) flavor: FlavorName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TemplateOf {
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework.
    Ocsf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FlavorName {
    /// Elasticsearch 8 and later.
    Elasticsearch,
    /// OpenSearch.
    Opensearch,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchemaOf {
    /// The configuration file.
    Config,
    /// What `/status` of the admin server answers.
    Status,
    /// The index template for events in Elasticsearch or OpenSearch.
    Elasticsearch,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
