//! The documentation against the program: console samples run, generated tables are those that the program prints.

#![allow(clippy::unwrap_used)]

#[test]
fn console_samples_run_as_written() {
    trycmd::TestCases::new()
        .case("README.md")
        .case("docs/ci.md")
        .case("docs/compare.md")
        .case("tests/cmd/*.trycmd")
        .env("COLUMNS", "100")
        .env("GITHUB_ACTIONS", "false")
        .run();
}

/// What stands between `<!-- lwstat ARGUMENTS -->` and `<!-- end -->` on a page is what that command prints.
/// `TRYCMD=overwrite` writes it there, and the schema into its file.
#[test]
fn what_pages_say_that_the_program_prints_it_prints() {
    let overwrite = std::env::var("TRYCMD").is_ok_and(|mode| mode == "overwrite");
    let root = env!("CARGO_MANIFEST_DIR");
    let mut wrong = Vec::new();
    let mut hold = |path: &str, old: &str, new: &str| match (old == new, overwrite) {
        (true, _) => {}
        (false, true) => std::fs::write(path, new).unwrap(),
        (false, false) => wrong.push(format!("{path}: run TRYCMD=overwrite cargo test --test docs")),
    };
    for entry in std::fs::read_dir(format!("{root}/docs")).unwrap() {
        let path = entry.unwrap().path().display().to_string();
        if std::path::Path::new(&path).is_dir() {
            continue;
        }
        let page = std::fs::read_to_string(&path).unwrap();
        for (name, of) in [("report", "report"), ("lwstat", "config"), ("check", "check")] {
            if path.ends_with(&format!("/{name}.schema.json")) {
                hold(&path, &page, &lwstat(&["schema", of]));
            }
        }
        let (mut new, mut rest) = (String::new(), &page[..]);
        while let Some((before, after)) = rest.split_once("<!-- lwstat ") {
            let (arguments, after) = after.split_once(" -->").unwrap();
            let (_, after) =
                after.split_once("<!-- end -->").unwrap_or_else(|| panic!("{path}: {arguments} has no end"));
            let printed = lwstat(&arguments.split_whitespace().collect::<Vec<_>>());
            new += &format!("{before}<!-- lwstat {arguments} -->\n{printed}<!-- end -->");
            rest = after;
        }
        hold(&path, &page, &(new + rest));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What `<!-- chart lwstat ARGUMENTS --chart FILE -->` on a page names is the chart that this command writes.
/// `TRYCMD=overwrite` writes it there.
#[test]
fn the_charts_of_pages_are_those_that_the_program_draws() {
    let overwrite = std::env::var("TRYCMD").is_ok_and(|mode| mode == "overwrite");
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = tempfile::tempdir().unwrap();
    let mut held = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(format!("{root}/docs")).unwrap() {
        let Ok(page) = std::fs::read_to_string(entry.unwrap().path()) else { continue };
        for after in page.split("<!-- chart lwstat ").skip(1) {
            let (arguments, _) = after.split_once(" -->").unwrap();
            let (arguments, file) = arguments.split_once(" --chart ").unwrap();
            let (file, rest) = file.split_once(' ').unwrap_or((file, ""));
            let drawn = folder.path().join("chart.svg").display().to_string();
            let mut arguments: Vec<&str> = arguments.split_whitespace().chain(rest.split_whitespace()).collect();
            arguments.extend(["--chart", &drawn]);
            lwstat(&arguments);
            let new = std::fs::read_to_string(&drawn).unwrap();
            if overwrite {
                std::fs::write(format!("{root}/{file}"), &new).unwrap();
            }
            let old = std::fs::read_to_string(format!("{root}/{file}")).unwrap_or_default();
            assert!(old == new, "{file}: run TRYCMD=overwrite cargo test --test docs");
            held.insert(file.rsplit('/').next().unwrap().to_string());
        }
    }
    let files = std::fs::read_dir(format!("{root}/docs/charts")).unwrap();
    let files: std::collections::BTreeSet<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, held, "every file in docs/charts is drawn by a command that a page names");
}

/// What the program prints for these arguments.
fn lwstat(arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lwstat"));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "lwstat {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn guidelines_are_documented_by_their_rules() {
    let page = std::fs::read_to_string(format!("{}/docs/guidelines.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for rule in lwstat::guidelines::RULES {
        let section = format!("## {} {}\n\n{}\n", rule.id, rule.title, rule.rule);
        assert!(page.contains(&section), "docs/guidelines.md needs the section\n{section}");
    }
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
            // The paper's experiments are graphs that are built, not read.
            let built = name.ends_with("/experiments.rs");
            if text.contains(&format!("\"{}\"", op.name)) && !inlined && !formula && !built {
                strays.push(format!("{name} names the operator {}", op.name));
            }
        }
        if name.contains("/ops/") && (text.contains("crate::graph") || text.contains("crate::cost")) {
            strays.push(format!("{name} looks beyond its call"));
        }
        let results = ["columns.rs", "diff/", "summary.rs", "src/check/"].iter().any(|part| name.contains(part));
        let late = results || name.contains("/render/") || name.ends_with("verify.rs");
        if late && text.contains("crate::graph") {
            strays.push(format!("{name} sees a graph"));
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}
