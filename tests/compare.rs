//! Comparisons: one set of numbers in every format, hostile names, broken files, order, ratios, the user's figures.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use lwstat::columns::{self, Bound, Column, Number};
use lwstat::compare::{Compared, Comparison, Question, columns_for, compare, sources};
use lwstat::render::number::misleads;
use lwstat::render::{COMPARISONS, Style};
use lwstat::summary::{By, View};
use lwstat::user_figures::UserFigures;
use lwstat::{Bindings, Dim, Error, Model, Result};
use serde_json::Value;

fn path(path: &str) -> PathBuf {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR")).into()
}

fn keys(keys: &str) -> Vec<String> {
    keys.split(' ').filter(|key| !key.is_empty()).map(str::to_string).collect()
}

fn compared(paths: &[&str], columns: &str, bindings: &Bindings, given: Option<&UserFigures>) -> Result<Comparison> {
    let paths: Vec<PathBuf> = paths.iter().map(|of| path(of)).collect();
    let question = Question {
        columns: columns_for(&keys(columns), given)?,
        bindings,
        device: None,
        measure: None,
        given,
        open: &|path| Model::open(path),
        done: &|| (),
    };
    compare(&sources(&paths), question)
}

fn plain(paths: &[&str], columns: &str) -> Comparison {
    compared(paths, columns, &Bindings::default(), None).unwrap()
}

fn render(format: &str, comparison: &Comparison, exact: bool) -> String {
    let view = View { by: By::Op, depth: 0, sort: None, top: None };
    let style = Style { view, width: 10_000, color: false, exact, plan: false, figures: None, charts: &[] };
    let (_, render) = COMPARISONS.iter().find(|(name, _)| *name == format).unwrap();
    render(comparison, &style)
}

fn csv(comparison: &Comparison) -> Vec<Vec<String>> {
    let text = render("csv", comparison, true);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_string).collect()).collect()
}

fn json(comparison: &Comparison) -> Value {
    serde_json::from_str(&render("json", comparison, true)).unwrap()
}

fn names(comparison: &Comparison) -> Vec<&str> {
    comparison.models.iter().map(|model| &*model.name).collect()
}

#[test]
fn every_format_has_the_same_numbers() {
    let columns = "nodes macs flops params weight_bytes peak_activation_bytes best_bytes official_macs top1";
    let comparison = plain(&["graphs", "fixtures/wild/bert_4l.dynamo.onnx"], columns);
    let (csv, json) = (csv(&comparison), json(&comparison));
    let plain_text = |text: String| text.replace(['\u{a0}', '*', '~'], " ").replace("\\,", "");
    let tables: Vec<(&str, String)> =
        ["text", "md", "latex"].map(|format| (format, plain_text(render(format, &comparison, true)))).to_vec();
    for (at, model) in comparison.models.iter().enumerate() {
        let object = &json["models"][at];
        for (index, column) in comparison.columns.iter().enumerate() {
            let field = &csv[at + 1][index + 2];
            let value = match &object[&column.key] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            assert_eq!(*field, value, "{} {}", model.name, column.key);
            let Some(Number::Count { count, .. }) = model.entry(index) else { continue };
            let Some(count) = count.as_int() else { continue };
            let shown = lwstat::render::number::grouped(count).replace('\u{a0}', " ");
            for (format, text) in &tables {
                let label = model.name.replace('_', if *format == "latex" { "\\_" } else { "_" });
                let line = text.lines().find(|line| line.trim_start_matches("| ").starts_with(&label)).unwrap();
                assert!(line.contains(&shown), "{format} {} {}: {shown} is not in {line}", model.name, column.key);
            }
        }
    }
}

#[test]
fn entries_are_those_of_the_report() {
    let metrics: Vec<&str> = lwstat::cost::METRICS.iter().map(|metric| metric.key).collect();
    let comparison = plain(&["graphs/ghostnet_1.0.onnx"], &metrics.join(" "));
    let report = Model::open(path("graphs/ghostnet_1.0.onnx")).unwrap().report(&Bindings::default()).unwrap();
    for (index, key) in metrics.iter().enumerate() {
        let entry = comparison.models[0].entry(index).and_then(Number::dim);
        assert_eq!(entry.as_ref(), report.totals.counts.get(key), "{key}");
    }
}

/// A comparison without any file.
fn made(columns: Vec<Column>, rows: Vec<(&str, Result<Vec<Option<Number>>>)>) -> Comparison {
    let model = |(name, entries): (&str, Result<_>)| Compared {
        path: name.to_string(),
        name: name.to_string(),
        entries,
        latency_error: None,
    };
    Comparison { columns, models: rows.into_iter().map(model).collect(), reference: None, with_totals: false }
}

fn count(count: i64) -> Option<Number> {
    Some(Number::Count { count: Dim::from(count), bound: Bound::Exact })
}

const HOSTILE: &[&str] = &[
    "a,b",
    "say \"hi\"",
    "two\nlines",
    "cr\rlf\r\n",
    "&",
    "100%",
    "a_b",
    "a|b|c",
    "\x1b[31mred",
    "\\command{x}",
    "$x$",
    "#1",
    "~",
    "^",
    "{",
    "}",
    "`code`",
    "**bold**",
    "<script>",
    "[link](x)",
    "--",
    "=1+1",
    "",
    "é漢",
    "\u{0}",
    "\\\\",
    "exe\u{202e}.png",
    "\u{2066}isolated\u{2069}\u{200b}\u{feff}",
    "a\u{2028}b",
];

/// The name without what makes it look like another.
fn seen(name: &str) -> String {
    name.replace(misleads, "\u{fffd}")
}

fn hostile() -> Comparison {
    let word = Column::new("input", "Input", columns::Unit::Word, columns::Better::Neither, "", |_| None);
    let other = columns::Unit::Other("%_&".to_string());
    let given = Column::new("a,\"b\"_c", "Title & 100 %", other, columns::Better::Higher, "", |_| None);
    let row = |name: &&'static str| {
        let entries = vec![Some(Number::Word(name.to_string())), Some(Number::from(name.len() as f64))];
        (*name, Ok(entries))
    };
    let mut rows: Vec<_> = HOSTILE.iter().map(row).collect();
    rows.extend(HOSTILE.iter().map(|name| ("broken", Err(Error::new(*name)))));
    made(vec![word, given], rows)
}

#[test]
fn csv_gives_hostile_names_back() {
    let rows = csv(&hostile());
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert_eq!(rows[0][3], "a,\"b\"_c");
    for (name, row) in HOSTILE.iter().zip(&rows[1..]) {
        assert!(row[..3].iter().all(|field| *field == seen(name)), "{row:?}");
    }
}

#[test]
fn json_gives_hostile_names_back() {
    let json = json(&hostile());
    for (at, name) in HOSTILE.iter().enumerate() {
        assert_eq!(json["models"][at]["name"], **name);
        assert_eq!(json["models"][at]["input"], **name);
    }
}

/// What is special in LaTeX and stands by itself, and how many cells the line has.
fn specials(line: &str) -> (Vec<char>, usize) {
    let (mut found, mut cells, mut depth) = (Vec::new(), 1, 0i32);
    let line = line.strip_suffix(" \\\\").unwrap();
    let mut letters = line.chars().peekable();
    let mut math = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('&' | '%' | '$' | '#' | '_' | '{' | '}') => {}
                Some(next) if next.is_ascii_alphabetic() => {
                    while letters.next_if(char::is_ascii_alphabetic).is_some() {}
                }
                _ => found.push('\\'),
            },
            '&' => cells += 1,
            '$' => math = !math,
            '{' => depth += 1,
            '}' => depth -= 1,
            '^' if math => {}
            '%' | '#' | '_' | '^' | '~' | '|' | '<' | '>' | '"' => found.push(letter),
            letter if letter.is_control() => found.push(letter),
            _ => {}
        }
        assert!(depth >= 0, "{line}");
    }
    assert!(depth == 0 && !math, "{line}");
    (found, cells)
}

#[test]
fn latex_has_no_special_left() {
    let text = render("latex", &hostile(), false);
    let rows: Vec<&str> = text.lines().filter(|line| line.ends_with("\\\\")).collect();
    assert_eq!(rows.len(), 1 + 2 * HOSTILE.len(), "a row is a line\n{text}");
    for row in rows {
        let (found, cells) = specials(row);
        assert!(found.is_empty(), "{found:?} in {row}");
        assert_eq!(cells, if row.contains("\\multicolumn{2}{l}{not read: ") { 2 } else { 3 }, "{row}");
    }
    let others: Vec<&str> = text.lines().filter(|line| !line.ends_with("\\\\")).collect();
    assert_eq!(
        others,
        [
            "% needs \\usepackage{booktabs}",
            "\\providecommand{\\lwstatother}[1]{\\ifdefined\\Umathchar#1\\else?\\fi}",
            "\\begin{tabular}{llr}",
            "\\toprule",
            "\\midrule",
            "\\bottomrule",
            "\\end{tabular}"
        ]
    );
}

#[test]
fn markdown_and_text_keep_a_row_a_line() {
    let comparison = hostile();
    let markdown = render("md", &comparison, false);
    let lines: Vec<&str> = markdown.lines().collect();
    assert_eq!(lines.len(), 2 + 2 * HOSTILE.len());
    assert!(lines.iter().all(|line| line.matches('|').count() == 4), "{markdown}");
    assert!(!markdown.contains("<script>") && !markdown.contains('$'), "{markdown}");
    let text = render("text", &comparison, false);
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()));
}

#[test]
fn no_name_looks_like_another_in_any_format_for_people() {
    for (format, _) in COMPARISONS.iter().filter(|(format, _)| *format != "json") {
        let text = render(format, &hostile(), false);
        assert!(!text.contains(misleads), "{format}");
    }
}

#[test]
fn a_broken_file_is_a_row_with_its_reason() {
    let files = ["graphs/squeezenet_1.1.onnx", "README.md", "nowhere.onnx", "graphs/none*.onnx", "src"];
    let comparison = plain(&files, "macs params");
    let reasons: Vec<Option<String>> =
        comparison.models.iter().map(|model| model.entries.as_ref().err().map(|error| error.reason.clone())).collect();
    assert_eq!(reasons[0], None);
    for (at, part) in [(1, "no ONNX model"), (2, "no such file"), (3, "no file matches"), (4, "no .onnx file")] {
        assert!(reasons[at].as_ref().is_some_and(|reason| reason.contains(part)), "{:?}", reasons[at]);
    }
    for (format, _) in COMPARISONS {
        let text = render(format, &comparison, false);
        assert!(text.contains("it is no ONNX model, or it is cut off"), "{format}: {text}");
    }
}

#[test]
fn models_stand_as_given_and_those_found_by_name() {
    let all = plain(&["graphs/squeezenet_1.1.onnx", "graphs"], "macs");
    let mut sorted: Vec<&str> = names(&all)[1..].to_vec();
    sorted.sort();
    assert_eq!(names(&all)[0], "squeezenet_1.1");
    assert_eq!(names(&all)[1..], sorted, "each file once");
    assert_eq!(names(&all).len(), 17);
    let pattern = plain(&["graphs/mobilenet_v2_*.onnx"], "macs");
    assert_eq!(names(&pattern), ["mobilenet_v2_0.5", "mobilenet_v2_1.0", "mobilenet_v2_1.4"]);
}

#[test]
fn a_file_is_one_row_however_its_path_is_spelled() {
    for (paths, rows) in [
        (&["graphs/squeezenet_1.1.onnx", "graphs/squeezenet_1.1.onnx"][..], 1),
        (&["graphs/squeezenet_1.1.onnx", "./graphs/squeezenet_1.1.onnx"], 1),
        (&["graphs/../graphs/squeezenet_1.1.onnx", "graphs/./squeezenet_1.1.onnx"], 1),
        (&["graphs/squeezenet_1.1.onnx", "graphs//squeezenet_1.?.onnx"], 2),
        (&["graphs/squeezenet_1.1.onnx", "docs/../graphs/squeezenet_1.1.on*"], 1),
        (&["graphs", "./graphs"], 17),
        (&["graphs/none.onnx", "./graphs/none.onnx"], 1),
        (&["graphs/squeezenet_1.1.onnx", "../graphs/squeezenet_1.1.onnx"], 2),
    ] {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let found = sources(&paths);
        assert_eq!(found.len(), rows, "{paths:?}: {found:?}");
        // It is shown as it is spelled first.
        assert!(rows > 1 || *found[0].as_ref().unwrap() == paths[0], "{found:?}");
    }
    let mut comparison = plain(&["graphs/squeezenet_1.1.onnx", "graphs/ghostnet_1.0.onnx"], "macs");
    comparison.relate(&path("docs/../graphs/./ghostnet_1.0.onnx").display().to_string()).unwrap();
    assert_eq!(comparison.reference, Some(1));
}

#[test]
fn sorting_puts_the_unknown_last_either_way() {
    let files = [
        "fixtures/wild/bert_4l.ts.onnx",
        "README.md",
        "graphs/ghostnet_1.0.onnx",
        "graphs/mobilenet_v3_small_1.0.onnx",
    ];
    for (greatest_first, order) in [
        (false, ["mobilenet_v3_small_1.0", "ghostnet_1.0", "bert_4l.ts", "README.md"]),
        (true, ["ghostnet_1.0", "mobilenet_v3_small_1.0", "bert_4l.ts", "README.md"]),
    ] {
        let mut comparison = plain(&files, "macs top1");
        comparison.sort(1, greatest_first);
        assert_eq!(names(&comparison), order);
    }
    // At 128 for each free dimension the transformer has more than both.
    let mut comparison = plain(&files, "macs");
    comparison.sort(0, true);
    assert_eq!(names(&comparison), ["bert_4l.ts", "ghostnet_1.0", "mobilenet_v3_small_1.0", "README.md"]);
}

#[test]
fn ratios_are_to_the_model_that_is_named() {
    let files = ["graphs/shufflenet_v2_0.5.onnx", "graphs/shufflenet_v2_1.0.onnx", "README.md"];
    let mut comparison = plain(&files, "macs input top1");
    comparison.relate("shufflenet_v2_1.0").unwrap();
    assert_eq!(comparison.ratio(0, 0), Some(40_476_448.0 / 145_814_296.0));
    assert_eq!(comparison.ratio(1, 0), Some(1.0));
    assert_eq!((comparison.ratio(0, 1), comparison.ratio(2, 0)), (None, None));
    comparison.sort(0, true);
    assert_eq!(comparison.reference, Some(0), "sorting keeps the reference");
    assert!(render("text", &comparison, false).contains("40.48 M ×0.28"));
    let by_path = path("graphs/shufflenet_v2_0.5.onnx").display().to_string();
    comparison.relate(&by_path).unwrap();
    assert_eq!(comparison.reference, Some(1));
    let error = comparison.relate("shufflenet_v2_1").unwrap_err().to_string();
    assert!(error.contains("did you mean \"shufflenet_v2_1.0\"?"), "{error}");
    assert!(comparison.relate("README.md").unwrap_err().to_string().contains("no ONNX model"));
}

#[test]
fn formulas_in_a_fixed_proportion_have_a_ratio_and_an_order() {
    let batch = Dim::symbol("batch");
    let formula = |factor: i64| Some(Number::Count { count: &batch * &Dim::from(factor), bound: Bound::Exact });
    let seq = Some(Number::Count { count: Dim::symbol("seq"), bound: Bound::Exact });
    let column = || columns::choose(&columns::all(), &keys("macs")).unwrap();
    let big = 4_000_000_000_000_000_000;
    let mut comparison =
        made(column(), vec![("a", Ok(vec![formula(6)])), ("b", Ok(vec![formula(4)])), ("c", Ok(vec![formula(big)]))]);
    comparison.relate("b").unwrap();
    assert_eq!([0, 1, 2].map(|at| comparison.ratio(at, 0)), [Some(1.5), Some(1.0), Some(1e18)]);
    assert_eq!(comparison.best(0), [false, true, false]);
    let mut other = made(column(), vec![("a", Ok(vec![formula(6)])), ("b", Ok(vec![seq]))]);
    other.relate("a").unwrap();
    assert_eq!(other.ratio(1, 0), None);
    assert_eq!(other.best(0), [false, false], "either may be the lesser");
}

#[test]
fn the_best_is_marked_where_there_is_one() {
    let at_least = Some(Number::Count { count: Dim::from(1i64), bound: Bound::AtLeast });
    let of = |key: &str, entries: Vec<Option<Number>>| {
        let column = columns::choose(&columns::all(), &keys(key)).unwrap();
        let rows = entries.into_iter().map(|entry| ("m", Ok(vec![entry]))).collect();
        made(column, rows).best(0)
    };
    let real = |real: f64| Some(Number::from(real));
    for (key, entries, best) in [
        ("macs", vec![count(3), count(2), None], vec![false, true, false]),
        ("macs", vec![count(2), count(2), count(5)], vec![true, true, false]),
        ("macs", vec![count(2), count(2)], vec![false, false]),
        ("macs", vec![count(2)], vec![false]),
        // More may be to come: it is no candidate.
        ("macs", vec![at_least, count(2), count(3)], vec![false, true, false]),
        ("top1", vec![real(70.0), real(71.5)], vec![false, true]),
        ("arithmetic_intensity", vec![real(70.0), real(71.5)], vec![false, false]),
    ] {
        assert_eq!(of(key, entries.clone()), best, "{key} {entries:?}");
    }
    let mut style = render("md", &plain(&["graphs/mobilenet_v2_*.onnx"], "macs top1"), false);
    style.retain(|letter| letter != '\n');
    assert!(style.contains("| **97.13 M** | 65.4 |") && style.contains("| 582.2 M | **74.7** |"), "{style}");
}

#[test]
fn sums_say_what_is_missing() {
    let mut comparison = plain(&["graphs/mobilenet_v2_*.onnx", "README.md"], "macs top1 input");
    comparison.with_totals = true;
    let entries = comparison.models[..3].iter().map(|model| model.entry(0).unwrap().dim().unwrap());
    let sum = entries.sum::<Dim>().as_int().unwrap();
    assert_eq!(comparison.sum(0).unwrap().dim(), Some(Dim::from(sum)));
    assert!(matches!(comparison.sum(0), Some(Number::Count { bound: Bound::AtLeast, .. })));
    assert_eq!((comparison.sum(1), comparison.sum(2)), (None, None));
    assert_eq!(json(&comparison)["totals"]["macs"], sum);
}

#[test]
fn every_format_says_which_sums_are_bounds() {
    let real = |real: f64| Ok(vec![Some(Number::from(real))]);
    let whole = |count: i64, bound: Bound| Ok(vec![Some(Number::Count { count: Dim::from(count), bound })]);
    let (exact, least, most) = (Bound::Exact, Bound::AtLeast, Bound::AtMost);
    let unknown = || Ok(vec![None]);
    let failed = || Err(Error::new("it is no model"));
    let given = "columns: {hours: {unit: h, sum: true}, own: {unit: ms, sum: true}}\nmodels: {m: {hours: 1, own: 1}}\n";
    let given = figures(given).unwrap();
    for (key, entries, shown, csv_bounds, least_keys, most_keys) in [
        ("macs", vec![whole(3, exact), whole(2, exact)], "5", ["", ""], None, None),
        ("macs", vec![whole(3, exact), unknown()], "≥ 3", ["macs", ""], Some("macs"), None),
        ("macs", vec![whole(3, exact), failed()], "≥ 3", ["macs", ""], Some("macs"), None),
        ("macs", vec![whole(3, least), whole(2, exact)], "≥ 5", ["macs", ""], Some("macs"), None),
        ("macs", vec![whole(3, most), whole(2, exact)], "≤ 5", ["", "macs"], None, Some("macs")),
        // Neither a lower nor an upper bound.
        ("macs", vec![whole(3, most), unknown()], "", ["", ""], None, None),
        ("macs", vec![failed(), unknown()], "", ["", ""], None, None),
        ("roofline_ms", vec![real(1.5), real(2.0)], "3.5", ["", ""], None, None),
        ("roofline_ms", vec![real(1.5), failed()], "≥ 1.5", ["roofline_ms", ""], Some("roofline_ms"), None),
        ("latency_ms", vec![real(1.5), unknown()], "≥ 1.5", ["latency_ms", ""], Some("latency_ms"), None),
        ("own", vec![real(1.5), unknown()], "≥ 1.5", ["own", ""], Some("own"), None),
        // What the user leaves out may be negative.
        ("hours", vec![real(1.5), unknown()], "", ["", ""], None, None),
    ] {
        let rows = entries.iter().cloned().map(|entries| ("m", entries)).collect();
        let mut comparison = made(columns_for(&keys(key), Some(&given)).unwrap(), rows);
        comparison.with_totals = true;
        let (csv, json) = (csv(&comparison), json(&comparison));
        let number = shown.trim_start_matches(['≥', '≤', ' ']);
        let total = ["", "(total)", number, csv_bounds[0], csv_bounds[1], ""];
        assert_eq!(csv.last().unwrap()[..], total, "{key} {entries:?}");
        let totals = &json["totals"];
        assert_eq!(totals.get(key).map(Value::to_string).unwrap_or_default(), number, "{key} {entries:?}");
        for (list, keys) in [("at_least", least_keys), ("at_most", most_keys)] {
            assert_eq!(totals.get(list), keys.map(|key| serde_json::json!([key])).as_ref(), "{key} {entries:?}");
        }
        let line = |format: &str| {
            let text = render(format, &comparison, true);
            text.lines().find(|line| line.contains("Total") && !line.contains("html")).unwrap_or_default().to_string()
        };
        assert_eq!(line("text").replace("Total", "").trim(), shown, "{entries:?}");
        assert_eq!(line("md").replace("| Total |", "").trim_end_matches('|').trim(), shown, "{entries:?}");
        assert!(line("html").contains(&format!("<td class=\"number\">{shown}</td>")), "{entries:?}");
    }
}

#[test]
fn every_format_has_the_same_sums() {
    let columns = "input nodes macs params file_bytes peak_activation_bytes arena_bytes arithmetic_intensity G4 top1";
    let mut comparison = plain(&["graphs/squeezenet_*.onnx", "graphs/ghostnet_1.0.onnx"], columns);
    comparison.with_totals = true;
    let (csv, json) = (csv(&comparison), json(&comparison));
    let total = csv.last().unwrap();
    assert_eq!(&total[..2], ["", "(total)"]);
    let row = |format: &str, start: &str| {
        let text = render(format, &comparison, true).replace("\u{a0}", " ").replace('~', " ");
        text.lines().find_map(|line| line.split_once(start)).map(|(_, rest)| rest.to_string()).unwrap()
    };
    let rows = [("text", "Total"), ("md", "| Total |"), ("latex", "Total &"), ("html", "<tfoot>")];
    let rows = rows.map(|(format, start)| (format, row(format, start)));
    for (at, column) in comparison.columns.iter().enumerate() {
        let entries = comparison.models.iter().map(|model| model.entry(at).and_then(Number::dim));
        // Peaks of models that run one after the other do not add up, nor do shares, ratios and words.
        let sum = entries.sum::<Option<Dim>>().and_then(|sum| sum.as_int()).filter(|_| column.sums);
        assert_eq!(sum.is_some(), ["nodes", "macs", "params", "file_bytes"].contains(&&*column.key), "{}", column.key);
        assert_eq!(total[at + 2], sum.map(|sum| sum.to_string()).unwrap_or_default(), "{}", column.key);
        assert_eq!(json["totals"].get(&column.key), sum.map(Value::from).as_ref(), "{}", column.key);
        let Some(sum) = sum else { continue };
        let shown = lwstat::render::number::grouped(sum).replace('\u{a0}', " ");
        rows.iter().for_each(|(format, row)| assert!(row.contains(&shown), "{format}: {shown} is not in {row}"));
    }
}

#[test]
fn why_a_latency_is_unknown_stands_in_the_row() {
    let files = ["graphs/squeezenet_1.1.onnx", "README.md"].map(path);
    let question = Question {
        columns: columns_for(&keys("macs latency_ms"), None).unwrap(),
        bindings: &Bindings::default(),
        device: None,
        measure: Some(&|_| Err(Error::new("it cannot | run").in_file("x.onnx"))),
        given: None,
        open: &|path| Model::open(path),
        done: &|| (),
    };
    let comparison = compare(&sources(&files), question).unwrap();
    let object = &json(&comparison)["models"];
    assert_eq!((&object[0]["latency_ms"], &object[0]["latency_error"]), (&Value::Null, &"it cannot | run".into()));
    assert_eq!(object[0]["macs"], 349_151_936);
    assert_eq!((object[1].get("latency_error"), object[1]["error"].is_string()), (None, true), "said once");
    let csv = csv(&comparison);
    assert_eq!(csv[0], ["path", "name", "macs", "latency_ms", "at_least", "at_most", "error"]);
    assert_eq!((csv[1][3].as_str(), csv[1][6].as_str()), ("", "not measured: it cannot | run"));
    for (format, line) in [
        ("text", "squeezenet_1.1.onnx: not measured: it cannot | run"),
        ("md", "squeezenet_1.1.onnx: not measured: it cannot &#124; run"),
    ] {
        assert!(render(format, &comparison, false).contains(line), "{format}");
    }
    let failures = comparison.failures();
    assert_eq!(failures.len(), 2);
    assert!(
        failures[0].1 == "not measured: it cannot | run" && failures[1].1.contains("no ONNX model"),
        "{failures:?}"
    );
}

#[test]
fn an_unknown_column_is_told_with_the_nearest() {
    for (word, nearest) in [("mac", "macs"), ("peak_activations", "peak_activation_bytes"), ("Params", "params")] {
        let error = columns_for(&[word.to_string()], None).err().unwrap().to_string();
        assert!(error.contains(&format!("did you mean \"{nearest}\"?")), "{error}");
    }
    let error = columns_for(&["zzz".to_string()], None).err().unwrap().to_string();
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn columns_have_keys_of_their_own() {
    let columns = columns::all();
    for (at, column) in columns.iter().enumerate() {
        assert!(
            columns[..at].iter().all(|other| other.key != column.key && other.title != column.title),
            "{}",
            column.key
        );
        assert!(!column.rule.is_empty(), "{}", column.key);
    }
    for key in columns::DEFAULT {
        assert!(columns.iter().any(|column| column.key == *key), "{key}");
    }
}

fn figures(text: &str) -> Result<UserFigures> {
    UserFigures::parse(text, "mine.yaml", &columns::all())
}

#[test]
fn the_users_figures_are_columns() {
    let given = figures(
        "columns:\n  hours: {title: Training, unit: h, better: lower}\nmodels:\n  mobilenet_v2_1.0: {top1_own: 91.25, hours: 1.5}\n  mobilenet_v2_0.5: {hours: 1, top1_own: null}\n",
    )
    .unwrap();
    let comparison =
        compared(&["graphs/mobilenet_v2_*.onnx"], "macs top1_own hours", &Bindings::default(), Some(&given)).unwrap();
    let json = json(&comparison);
    assert_eq!((&json["models"][1]["top1_own"], &json["models"][1]["hours"]), (&91.25.into(), &1.5.into()));
    assert_eq!((&json["models"][0]["top1_own"], &json["models"][2]["hours"]), (&Value::Null, &Value::Null));
    assert_eq!(comparison.best(2), [true, false, false]);
    assert!(render("md", &comparison, false).starts_with("| Model | MACs | top1_own | Training h |"));
    let default = columns_for(&[], Some(&given)).unwrap();
    let own: Vec<&str> = default.iter().rev().take(2).map(|column| &*column.key).collect();
    assert_eq!(own, ["top1_own", "hours"], "described ones first, then in the order of the file");
}

#[test]
fn mistakes_in_the_users_figures_are_told_with_their_line() {
    for (text, reason) in [
        ("models:\n  x: {macs: 3}\n", "line 2: \"macs\" is lwstat's own"),
        ("models:\n  x: {name: 3}\n", "line 2: \"name\" is lwstat's own"),
        ("models:\n  x:\n    a: .inf\n", "line 3: a of x is no finite number"),
        ("models:\n  x:\n    a: many\n", "line 3"),
        ("models:\n  x: {a: 1}\n  x: {a: 2}\n", "line 3"),
        (
            "columns:\n  houres: {unit: h}\nmodels:\n  x: {hours: 1}\n",
            "line 2: no model has a figure \"houres\" (did you mean \"hours\"?)",
        ),
        ("columns: {a: {bettr: lower}}\nmodels: {x: {a: 1}}\n", "line 1"),
        ("models: [1, 2]\n", "line 1"),
        ("", "line 1"),
    ] {
        let error = figures(text).err().unwrap_or_else(|| panic!("{text}")).to_string();
        assert!(error.starts_with("mine.yaml: ") && error.contains(reason), "{text}\n{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_of_figures_may_name_more_models_than_are_compared() {
    let near = "mine.yaml: line 3: no model that is compared is named \"net_05\" (did you mean \"net_0.5\"?)";
    for (file, notes) in [
        ("models:\n  net_1.0: {a: 1}\n", Ok(vec![])),
        ("models:\n  net_1.0: {a: 1}\n  net_05: {a: 1}\n", Ok(vec![near])),
        // What is near a name that has its figures is another model.
        (
            "models:\n  net_1.0: {a: 1}\n  net_0.5: {a: 1}\n  net_1.4: {a: 1}\n",
            Ok(vec!["mine.yaml: figures of models that are not compared: net_1.4"]),
        ),
        (
            "models:\n  net_1.0: {a: 1}\n  zebra: {a: 1}\n  quagga: {a: 1}\n",
            Ok(vec!["mine.yaml: figures of models that are not compared: zebra and 1 more"]),
        ),
        ("models:\n  zebra: {a: 1}\n  net_05: {a: 1}\n", Err(near)),
        ("models:\n  zebra: {a: 1}\n", Err("mine.yaml: line 2: none of the models of this file is compared")),
    ] {
        let found = figures(file).unwrap().check(&["net_0.5".to_string(), "net_1.0".to_string()]);
        let found = found.map_err(|error| error.to_string());
        let notes = notes.map(|notes| notes.iter().map(|note| note.to_string()).collect()).map_err(str::to_string);
        assert_eq!(found, notes, "{file}");
    }
}

#[test]
fn the_users_figures_have_sums_where_the_file_says_so() {
    let text = "columns: {hours: {unit: h, sum: true}}\nmodels:\n  mobilenet_v2_1.0: {hours: 1.5, fps: 30}\n  mobilenet_v2_0.5: {hours: 1, fps: 50}\n";
    let given = figures(text).unwrap();
    let files = ["graphs/mobilenet_v2_0.5.onnx", "graphs/mobilenet_v2_1.0.onnx"];
    let comparison = compared(&files, "hours fps", &Bindings::default(), Some(&given)).unwrap();
    assert_eq!([0, 1].map(|column| comparison.sum(column)), [Some(Number::from(2.5)), None]);
}

#[test]
fn a_fixed_dimension_needs_to_be_in_one_model_only() {
    let files = ["graphs/squeezenet_1.1.onnx", "fixtures/wild/bert_4l.ts.onnx"];
    let sizes = |name: &str| Bindings { sizes: [(name.to_string(), 2)].into_iter().collect(), ..Bindings::default() };
    let comparison = compared(&files, "macs input", &sizes("batch"), None).unwrap();
    assert_eq!(json(&comparison)["models"][1]["input"], "i64 2×seq");
    let error = compared(&files, "macs", &sizes("btch"), None).err().unwrap().to_string();
    assert!(error.contains("btch"), "{error}");
}

#[test]
fn published_figures_hold_for_their_input_alone() {
    let shape = [1i64, 3, 320, 320].map(Dim::from).to_vec();
    let bindings = Bindings { inputs: vec![("input".to_string(), shape)], ..Bindings::default() };
    let columns = "official_macs official_params top1 top5";
    let at_320 = compared(&["graphs/squeezenet_1.1.onnx"], columns, &bindings, None).unwrap();
    let at_224 = plain(&["graphs/squeezenet_1.1.onnx"], columns);
    assert!((0..4).all(|column| at_320.models[0].entry(column).is_none()));
    assert!((0..4).all(|column| at_224.models[0].entry(column).is_some()));
}
