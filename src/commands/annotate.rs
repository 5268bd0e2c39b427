//! `lwstat annotate`: a copy of a model with shapes and costs in it, and node data for Model Explorer.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use lwstat::annotate::{annotate, node_data};
use lwstat::{Error, Result, cost, summary};

use super::shared::{FixedArgs, emit, emit_with, open, same_file};

#[derive(Args)]
pub(crate) struct AnnotateArgs {
    /// Model file, or - for standard input
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Write the model with shapes in value_info and costs in metadata_props to this file; weights are copied as they are
    #[arg(short, long, value_name = "FILE", required_unless_present = "node_data")]
    pub(crate) output: Option<PathBuf>,
    /// Write node data for Model Explorer to this file
    #[arg(long, value_name = "FILE.json")]
    pub(crate) node_data: Option<PathBuf>,
    /// The metric of the node data (see lwstat metrics)
    #[arg(long, value_name = "KEY", default_value = "macs")]
    pub(crate) metric: String,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
}

pub(crate) fn run(args: &AnnotateArgs) -> Result<bool> {
    let metric = cost::index_of(&args.metric).ok_or_else(|| summary::unknown_metric(&args.metric))?;
    for output in args.output.iter().chain(&args.node_data) {
        if same_file(output, &args.model) {
            return Err(Error::new("the output would overwrite the input: give -o another file")
                .in_file(&output.display().to_string()));
        }
    }
    let model = open(&args.model, &args.fixed)?;
    let bindings = args.fixed.bindings()?;
    model.check_dims(&bindings)?;
    let report = model.report(&bindings)?;
    if let Some(path) = &args.output {
        let write = |file: &mut dyn Write| {
            let mut file = BufWriter::new(file);
            annotate(&model, &report, &mut file)?;
            file.flush().map_err(|error| Error::new(lwstat::model::sentence(&error)))
        };
        emit_with(&write, path)?;
    }
    if let Some(path) = &args.node_data {
        let name = model.proto.graph.as_ref().map(|graph| graph.name.as_str()).unwrap_or_default();
        emit(&format!("{:#}\n", node_data(&report, name, metric)), Some(path))?;
    }
    Ok(true)
}
