//! SARIF 2.1.0: results for code scanning, each at its file and node.

use serde_json::{Value, json};

use super::super::Style;
use super::{known, line, paragraph};
use crate::check::findings::{Finding, Level, Outcome, Rule};

pub(super) fn outcome(outcome: &Outcome, _: &Style) -> String {
    let rule = |rule: &Rule| json!({"id": rule.id(), "shortDescription": {"text": rule.text()}});
    let result = |(finding, fingerprint): (&Finding, String)| result(outcome, finding, &fingerprint);
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "lwstat",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Rule::ALL.iter().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": known(outcome).into_iter().map(result).collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

fn result(outcome: &Outcome, finding: &Finding, fingerprint: &str) -> Value {
    let level = match finding.level {
        Level::Warn => "warning",
        Level::Fail | Level::Error => "error",
    };
    let mut location = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&outcome.place.from_root(&finding.file))},
        "region": {"startLine": line(finding)},
    }});
    if !finding.node.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": finding.node, "kind": "node"}]);
    }
    json!({
        "ruleId": finding.rule.id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": level,
        "message": {"text": paragraph(finding)},
        "locations": [location],
        "partialFingerprints": {"lwstat/v1": fingerprint},
    })
}

/// A path as a URI reference: all but what is plain is encoded, an absolute one is of the scheme `file`.
fn uri(path: &str) -> String {
    let path = if cfg!(windows) { path.replace('\\', "/") } else { path.to_string() };
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            byte => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}
