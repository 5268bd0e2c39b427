//! Which column orders models as another one does, in every format.

use serde_json::json;

use super::number::clean;
use super::{Formats, Style};
use crate::columns::Column;
use crate::correlation::Correlation;

/// What was found.
pub struct Correlated {
    /// The column that the others are held against.
    pub target: Column,
    /// The others, the one that orders the models best first.
    pub correlations: Vec<Correlation>,
    /// Models that could not be read or measured, and why.
    pub failed: Vec<(String, String)>,
}

/// The formats of correlations.
pub const CORRELATIONS: Formats<Correlated> = &[("text", text), ("md", markdown), ("csv", csv), ("json", json)];

fn text(correlated: &Correlated, style: &Style) -> String {
    let title = clean(&correlated.target.title);
    let mut rows = vec![["Column", "Models", "Rank", "Linear"].map(str::to_string).to_vec()];
    for one in &correlated.correlations {
        let [rank, line] = [one.spearman, one.pearson].map(number);
        rows.push(vec![clean(&one.title), one.models.to_string(), rank, line]);
    }
    let mut text = format!("What orders models as {title} does: Spearman's rank and Pearson's linear correlation\n\n");
    text += &super::text::layout(rows, style);
    for (path, reason) in &correlated.failed {
        text += &format!("  {}: {}\n", clean(path), clean(reason));
    }
    text
}

/// Three decimals, with a sign that people read.
fn number(correlation: f64) -> String {
    format!("{correlation:.3}").replace('-', "−")
}

fn markdown(correlated: &Correlated, _: &Style) -> String {
    let mut text = "| Column | Models | Rank | Linear |\n|:--|--:|--:|--:|\n".to_string();
    for one in &correlated.correlations {
        let [rank, line] = [one.spearman, one.pearson].map(number);
        text += &format!("| {} | {} | {rank} | {line} |\n", super::markdown::escape(&one.title), one.models);
    }
    for (path, reason) in &correlated.failed {
        text += &format!("\n{}: {}\n", super::markdown::escape(path), super::markdown::escape(reason));
    }
    text
}

fn csv(correlated: &Correlated, _: &Style) -> String {
    let mut text = super::csv::row(["column", "models", "spearman", "pearson"].map(str::to_string));
    for one in &correlated.correlations {
        let (rank, line) = (one.spearman.to_string(), one.pearson.to_string());
        text += &super::csv::row([one.key.clone(), one.models.to_string(), rank, line]);
    }
    text
}

fn json(correlated: &Correlated, _: &Style) -> String {
    let failed: Vec<_> = correlated.failed.iter().map(|(path, error)| json!({"path": path, "error": error})).collect();
    let object = json!({"with": correlated.target.key, "correlations": correlated.correlations, "failed": failed});
    format!("{object:#}\n")
}
