//! `lwstat annotate`: a copy of a model with shapes and costs in it, and node data for Model Explorer.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use lwstat::annotate::{NodeData, annotate, node_data};
use lwstat::render::number::plural;
use lwstat::{Error, Result, cost, summary};

use super::shared::{FixedArgs, emit, emit_with, folder, is_standard, keep_apart, note, open};

#[derive(Args)]
pub(crate) struct AnnotateArgs {
    /// Model file, or - for standard input
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Write the model with shapes in value_info and costs in metadata_props to this file, or - for standard output; weights
    /// are copied as they are
    #[arg(short, long, value_name = "FILE", required_unless_present = "node_data")]
    pub(crate) output: Option<PathBuf>,
    /// Write node data for Model Explorer to this file, or - for standard output
    #[arg(long, value_name = "FILE.json")]
    pub(crate) node_data: Option<PathBuf>,
    /// The metric of the node data (see lwstat metrics) [default: macs]
    #[arg(long, value_name = "KEY")]
    pub(crate) metric: Option<String>,
}

pub(crate) fn run(args: &AnnotateArgs) -> Result<bool> {
    if args.metric.is_some() && args.node_data.is_none() {
        return Err(Error::new("--metric says which counts are the node data: give --node-data FILE.json"));
    }
    let metric = args.metric.as_deref().unwrap_or("macs");
    let metric = cost::index_of(metric).ok_or_else(|| summary::unknown_metric(metric))?;
    if args.output.as_deref().is_some_and(is_standard) && std::io::stdout().is_terminal() {
        return Err(Error::new(
            "a model is nothing to read on a terminal: give -o FILE, or send standard output elsewhere",
        ));
    }
    let written: Vec<&Path> = args.output.iter().chain(&args.node_data).map(PathBuf::as_path).collect();
    keep_apart(&written, [&args.model])?;
    // What the copy says holds for the sizes that it declares: none are fixed.
    let model = open(&args.model, &FixedArgs::default())?;
    let stored = model.proto.graph.iter().flat_map(|graph| &graph.initializer);
    let external = stored.flat_map(|tensor| &tensor.external_data).filter(|entry| entry.key == "location");
    let external: Vec<PathBuf> = external.map(|entry| folder(&args.model).join(&entry.value)).collect();
    keep_apart(&written, &external)?;
    let report = model.report(&lwstat::Bindings::default())?;
    if let Some(path) = &args.output {
        let write = |file: &mut dyn Write| {
            let mut file = BufWriter::new(file);
            annotate(&model, &report, &mut file)?;
            file.flush().map_err(|error| Error::new(lwstat::model::sentence(&error)))
        };
        emit_with(&write, path)?;
        let real = |path: &Path| path.canonicalize().ok().and_then(|path| path.parent().map(PathBuf::from));
        if !external.is_empty() && real(path) != real(&args.model) {
            note(&format!("{}: its external data lies beside the original: copy it, too", path.display()));
        }
    }
    if let Some(path) = &args.node_data {
        let data = node_data(&model, &report, metric);
        emit(&format!("{:#}\n", data.json), Some(path))?;
        missing(&data).iter().for_each(|text| note(&format!("{}: {text}", path.display())));
    }
    Ok(true)
}

/// Why nodes have no number in node data.
fn missing(data: &NodeData) -> Vec<String> {
    let start = if data.shown == 0 { "it has no numbers" } else { "some nodes have no number" };
    let mut reasons = Vec::new();
    if data.formulas > 0 {
        let dims: Vec<&str> = data.dims.iter().take(3).map(|dim| &**dim).collect();
        let more = if data.dims.len() > dims.len() { ", …" } else { "" };
        let (nodes, dims) = (plural(data.formulas, "node"), dims.join(", "));
        let way_on = "fix sizes where the model is exported";
        reasons.push(format!("{start}: the count of {nodes} is a formula ({dims}{more}): {way_on}"));
    }
    if data.unknown > 0 {
        reasons.push(format!("{start}: the count of {} is unknown", plural(data.unknown, "node")));
    }
    if data.shown == 0 && reasons.is_empty() {
        reasons.push(format!("{start}: the metric is 0 for every node"));
    }
    reasons
}
