//! The documentation against the program: console samples run, generated tables are those that the program prints.

#[test]
fn console_samples_run_as_written() {
    trycmd::TestCases::new()
        .case("README.md")
        .case("docs/compare.md")
        .case("tests/cmd/*.trycmd")
        .env("COLUMNS", "100")
        .run();
}

#[test]
fn tables_in_the_documentation_are_the_programs() {
    let page = |name: &str| std::fs::read_to_string(format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let operators = lwstat::render::tables::operators();
    assert!(page("operators.md").ends_with(&operators), "docs/operators.md: paste what `lwstat ops` prints");
    let metrics = lwstat::render::tables::metrics();
    assert!(page("metrics.md").contains(&metrics), "docs/metrics.md: paste what `lwstat metrics` prints");
    let columns = lwstat::render::tables::columns();
    assert!(page("compare.md").contains(&columns), "docs/compare.md: paste what `lwstat columns` prints");
    for rule in lwstat::guidelines::RULES {
        let section = format!("## {} {}\n\n{}\n", rule.id, rule.title, rule.rule);
        assert!(page("guidelines.md").contains(&section), "docs/guidelines.md needs the section\n{section}");
    }
    let schema = format!("{:#}\n", lwstat::report::schema().to_value());
    assert_eq!(page("report.schema.json"), schema, "docs/report.schema.json: paste what `lwstat schema` prints");
}

/// The entry that docs/contributing.md shows stands in the source as it is shown.
#[test]
fn the_operator_of_the_contributors_page_exists() {
    let read = |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let page = read("docs/contributing.md");
    let shown = page.split("```text").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(squeezed(&read("src/ops/activation.rs")).contains(&squeezed(shown)), "{shown}");
}

#[test]
fn reports_follow_the_schema() {
    let schema = lwstat::report::schema().to_value();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for path in ["graphs/ghostnet_0.5.onnx", "fixtures/wild/bert_4l.ts.onnx", "fixtures/node-suite/test_loop11.onnx"] {
        let model = lwstat::Model::open(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let report = serde_json::to_value(model.report(&lwstat::Bindings::default()).unwrap()).unwrap();
        let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{path}: {errors:?}");
    }
}

/// The two tables are the only homes of what they hold (docs/architecture.md).
#[test]
fn operators_and_metrics_have_one_home() {
    let source = format!("{}/src", env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![std::path::PathBuf::from(source)];
    let mut strays = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.display().to_string().replace('\\', "/");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for op in lwstat::ops::all().filter(|op| op.domain.is_empty() && !name.contains("/ops/")) {
            // A function that hands an input through becomes an Identity; exporters write Min, Max and Mod in formulas.
            let inlined = op.name == "Identity" && name.ends_with("/graph.rs");
            let formula = name.contains("/dim/");
            if text.contains(&format!("\"{}\"", op.name)) && !inlined && !formula {
                strays.push(format!("{name} names the operator {}", op.name));
            }
        }
        if name.contains("/ops/") && (text.contains("crate::graph") || text.contains("crate::cost")) {
            strays.push(format!("{name} looks beyond its call"));
        }
        let results = ["columns.rs", "diff/", "summary.rs"].iter().any(|part| name.contains(part));
        let late = results || name.contains("/render/") || name.ends_with("verify.rs");
        if late && text.contains("crate::graph") {
            strays.push(format!("{name} sees a graph"));
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}
