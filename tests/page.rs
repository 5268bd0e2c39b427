//! The page of a report in a real browser: sorting, searching, folding and following links by mouse and keyboard, on a
//! model of 8,000 nodes with hostile names.
//!
//! Chromium is driven over a pipe (the DevTools protocol, messages end with a zero byte), so that events are those of a
//! mouse and a keyboard. Where no browser is found the test says so and ends.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use prost::Message;
use serde_json::{Value, json};

const BLOCKS: usize = 1000;
/// Conv, Relu and six more in each block.
const NODES: usize = BLOCKS * 8;
/// A name that would end the script that holds it, and begin another.
const HOSTILE: &str =
    "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">&amp;'\"";

struct Browser {
    process: Child,
    input: ChildStdin,
    answers: Receiver<Vec<u8>>,
    messages: u64,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn executable() -> Option<String> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let names = ["google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome"];
    let mut paths = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    paths.find(|path| path.is_file()).map(|path| path.display().to_string())
}

impl Browser {
    /// A browser that shows this page and has run its script.
    fn open(executable: &str, page: &Path, profile: &Path) -> Browser {
        // The browser reads commands from descriptor 3 and answers on 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null", executable])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--remote-debugging-pipe", "--window-size=1400,900"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, mut output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while output.read_until(0, &mut bytes).is_ok_and(|count| count > 0) {
                bytes.pop();
                let _ = sender.send(std::mem::take(&mut bytes));
            }
        });
        let mut browser = Browser { process, input, answers, messages: 0, session: String::new() };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.ask("Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_string();
        browser.ask("Runtime.enable", json!({}));
        browser.ask("Page.navigate", json!({"url": format!("file://{}", page.display())}));
        browser.until("document.readyState === 'complete' && location.protocol === 'file:'");
        browser
    }

    /// The answer to a command.
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.messages += 1;
        let mut message = json!({"id": self.messages, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.input.write_all(message.to_string().as_bytes()).unwrap();
        self.input.write_all(&[0]).unwrap();
        self.input.flush().unwrap();
        loop {
            // A browser that hangs is not to hang the test.
            let bytes = self.answers.recv_timeout(Duration::from_secs(120)).unwrap();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            assert_ne!(answer["method"], "Runtime.exceptionThrown", "{answer}");
            if answer["id"] == self.messages {
                assert_eq!(answer.get("error"), None, "{method}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression of JavaScript.
    fn value(&mut self, expression: &str) -> Value {
        let answer = self
            .ask("Runtime.evaluate", json!({"expression": expression, "returnByValue": true, "awaitPromise": true}));
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Lets the page draw until the expression holds.
    fn until(&mut self, expression: &str) {
        for _ in 0..3000 {
            if self.value(expression) == true {
                return;
            }
            self.value("new Promise((done) => setTimeout(done, 10))");
        }
        panic!("it never came: {expression}");
    }

    /// Presses the mouse on the first element that the selector finds.
    fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const found = document.querySelector({}); found.scrollIntoView({{block: 'center'}}); \
             const box = found.getClientRects()[0]; return [box.x + Math.min(box.width / 2, 20), box.y + box.height / 2]; }})()",
            json!(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", event);
        }
    }

    fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    fn write(&mut self, text: &str) {
        self.ask("Input.insertText", json!({"text": text}));
    }
}

/// Convolutions of rising width, each followed by seven activations, in a tree of modules.
fn model() -> lwstat::onnx::ModelProto {
    let mut model = common::model("in x f32[1,4,16,16]; out y");
    let graph = model.graph.as_mut().unwrap();
    let (mut last, mut channels) = ("x".to_string(), 4);
    for block in 0..BLOCKS {
        let (width, scope) = (4 + block % 29, format!("/stage{}/block{block}", block / 100));
        graph.initializer.push(common::stored(&format!("w{block}"), &format!("f32[{width},{channels},1,1]")));
        for place in 0..8 {
            let last_of_all = block + 1 == BLOCKS && place == 7;
            let next = if last_of_all { "y".to_string() } else { format!("t{block}_{place}") };
            let mut node = match place {
                0 => common::node(&format!("Conv {last} w{block} -> {next}")),
                _ => common::node(&format!("Relu {last} -> {next}")),
            };
            node.name = match (block, place) {
                (500, 3) => format!("{scope}/{HOSTILE}"),
                // A module within a module within a module.
                (0, 4..) => format!("{scope}/part/{}{place}", node.op_type),
                _ => format!("{scope}/{}{place}", node.op_type),
            };
            graph.node.push(node);
            last = next;
        }
        channels = width;
    }
    model
}

fn page(folder: &Path) -> std::path::PathBuf {
    let (path, page) = (folder.join("many.onnx"), folder.join("many.html"));
    std::fs::write(&path, model().encode_to_vec()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
    let output = command.arg(&path).args(["--format", "html", "--output"]).arg(&page).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    page
}

/// Without a browser: the page has its two scripts and no more, and the embedded JSON gives every name back.
#[test]
fn hostile_names_are_text_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(page(folder.path())).unwrap();
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img"));
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let names: Vec<&str> = data["nodes"].as_array().unwrap().iter().map(|node| node[0].as_str().unwrap()).collect();
    assert_eq!(names.len(), NODES);
    assert_eq!(names.iter().filter(|name| name.ends_with(HOSTILE)).count(), 1);
}

/// A page asks nothing of the network: the only address in it is the name of SVG's namespace.
#[test]
fn pages_need_no_network() {
    let root = env!("CARGO_MANIFEST_DIR");
    for arguments in [
        &["graphs/ghostnet_1.0.onnx", "--memory", "--device", "rp2040"][..],
        &["compare", "graphs", "fixtures/wild"],
        &["lint", "graphs/ghostnet_1.0.onnx"],
        &["verify", "graphs/mobilenet_v2_1.0.onnx"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
        let output = command.args(arguments).args(["--format", "html"]).current_dir(root).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let page = String::from_utf8(output.stdout).unwrap().replace("http://www.w3.org/2000/svg", "");
        for loaded in [" src=", "<link", "@import", "url(", "http:", "https:"] {
            let where_from =
                page.find(loaded).map(|at| page[at.saturating_sub(60)..].chars().take(160).collect::<String>());
            assert_eq!(where_from, None, "{arguments:?}");
        }
    }
}

#[test]
fn the_page_of_a_large_model_works() {
    let Some(executable) = executable() else {
        eprintln!("SKIPPED the_page_of_a_large_model_works: no chromium is installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let mut browser = Browser::open(&executable, &page, &folder.path().join("profile"));
    let of_browser = &mut browser;

    // Hostile names are text, and what is not seen is not there.
    assert_eq!(of_browser.value("document.title"), "many");
    assert_eq!(of_browser.value("document.querySelectorAll('script').length"), 2);
    assert_eq!(of_browser.value("document.images.length"), 0);
    assert_eq!(of_browser.value("data.nodes.length"), NODES);
    let rows = of_browser.value("document.querySelectorAll('#nodes tbody tr').length").as_u64().unwrap();
    assert!((10..200).contains(&rows), "{rows} rows for what is seen");
    assert_eq!(of_browser.value("document.getElementById('found').value"), format!("{NODES} of {NODES} nodes"));
    let opened = of_browser.value("Math.round(performance.getEntriesByType('navigation')[0].domComplete)");
    let timed = |action: &str| {
        format!(
            "(() => {{ const from = performance.now(); {action}; return Math.round(performance.now() - from); }})()"
        )
    };
    let sorted = of_browser.value(&timed("document.querySelector('#nodes thead th:nth-child(3) button').click()"));
    let filter = "search.value = 'relu'; search.dispatchEvent(new Event('input'))";
    let searched = of_browser.value(&timed(&format!("const search = document.getElementById('search'); {filter}")));
    of_browser.value(&filter.replace("search.", "document.getElementById('search').").replace("relu", ""));
    eprintln!("{NODES} nodes: complete after {opened} ms, sorted in {sorted} ms, searched in {searched} ms");

    sorting(of_browser);
    searching(of_browser);
    folding(of_browser);
    following(of_browser);
}

/// A comparison is searched and sorted, too: what is not found is hidden, and sorting brings nothing back.
#[test]
fn the_page_of_a_comparison_works() {
    let Some(executable) = executable() else {
        eprintln!("SKIPPED the_page_of_a_comparison_works: no chromium is installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("models.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
    command.args(["compare", "graphs", "--device", "rp2040", "--totals", "--format", "html", "--output"]).arg(&page);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let browser = &mut Browser::open(&executable, &page, &folder.path().join("profile"));
    let found = |count: &str| format!("document.getElementById('found').value === '{count} of 17'");
    assert_eq!(browser.value(&found("17")), true);
    assert_eq!(browser.value("document.querySelectorAll('svg.chart').length"), 2);
    browser.click("#filter");
    browser.write("v2 shuffle");
    browser.until(&found("4"));
    let shown = "[...document.querySelectorAll('tbody tr')].filter((row) => row.getClientRects().length)\
                 .map((row) => row.cells[0].textContent).join()";
    let sizes = ["0.5", "1.0", "1.5", "2.0"].map(|size| format!("shufflenet_v2_{size}"));
    assert_eq!(browser.value(shown), sizes.join(","));
    browser.click("thead th:nth-child(3) button");
    browser.until("document.querySelector('thead th:nth-child(3)').getAttribute('aria-sort') === 'descending'");
    let reversed: Vec<String> = sizes.iter().rev().cloned().collect();
    assert_eq!(browser.value(shown), reversed.join(","));
    browser.value("document.getElementById('filter').select()");
    browser.press("Delete", 46);
    browser.until(&found("17"));
}

/// A header sorts by its column, the greatest first, then the least; it says so to screen readers.
fn sorting(browser: &mut Browser) {
    let header = "#nodes thead th:nth-child(5)";
    let state = format!("document.querySelector('{header}').getAttribute('aria-sort')");
    let places =
        "[...document.querySelectorAll('#nodes tbody tr[data-place]')].map((row) => data.nodes[row.dataset.place][4])";
    for (name, sign) in [("descending", -1), ("ascending", 1)] {
        browser.click(&format!("{header} button"));
        browser.until(&format!("{state} === '{name}'"));
        let sorted = format!("{places}.every((value, at, all) => at === 0 || {sign} * (all[at - 1] - value) <= 0)");
        assert_eq!(browser.value(&sorted), true, "{name}");
        let ends =
            format!("{places}[0] === (({sign} < 0) ? Math.max : Math.min)(...data.nodes.map((node) => node[4]))");
        assert_eq!(browser.value(&ends), true, "{name}");
    }
    // By the keyboard, too, and a table that is written out.
    browser.value("document.querySelector('#nodes thead th button').focus()");
    browser.ask(
        "Input.dispatchKeyEvent",
        json!({"type": "keyDown", "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}),
    );
    browser.ask(
        "Input.dispatchKeyEvent",
        json!({"type": "keyUp", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}),
    );
    browser.until("document.querySelector('#nodes thead th').getAttribute('aria-sort') === 'ascending'");
    assert_eq!(browser.value(&state), "none");
    let first = "document.querySelector('#operators-heading ~ div tbody th').textContent";
    browser.click("#operators-heading ~ div thead th:nth-child(2) button");
    browser.until(&format!("{first} === 'Relu'"));
    browser.click("#operators-heading ~ div thead th:nth-child(2) button");
    browser.until(&format!("{first} === 'Conv 1×1'"));
}

/// What is written in the search box is what rows must hold, in any order.
fn searching(browser: &mut Browser) {
    browser.click("#search");
    browser.write("conv stage7");
    browser.until("document.getElementById('found').value.startsWith('100 of')");
    let all = "[...document.querySelectorAll('#nodes tbody tr[data-place]')].every((row) => row.textContent.includes('stage7'))";
    assert_eq!(browser.value(all), true);
    assert_eq!(browser.value("document.getElementById('nodes').getAttribute('aria-rowcount')"), "101");
    browser.value("document.getElementById('search').select()");
    browser.write("</script>");
    browser.until("document.getElementById('found').value.startsWith('1 of')");
    let text = browser.value("document.querySelector('#nodes tbody th').textContent");
    assert!(text.as_str().unwrap().contains(HOSTILE), "{text}");
    browser.value("document.getElementById('search').select()");
    browser.write("no such node");
    browser.until("document.getElementById('found').value.startsWith('0 of')");
    browser.value("document.getElementById('search').select()");
    browser.press("Delete", 46);
    browser.until(&format!("document.getElementById('found').value.startsWith('{NODES} of')"));
    // Rows appear as they are scrolled to.
    browser.value("document.getElementById('scroll').scrollTop = 1e9");
    browser.until(&format!("!!document.querySelector('#nodes tbody tr[aria-rowindex=\"{}\"]')", NODES + 1));
}

/// A module opens and closes by mouse and by arrow keys.
fn folding(browser: &mut Browser) {
    let rows = "document.querySelectorAll('#modules tbody tr').length";
    let open =
        |state: bool| format!("document.querySelector('#modules .fold').getAttribute('aria-expanded') === '{state}'");
    assert_eq!(browser.value(rows), 10);
    browser.click("#modules .fold");
    browser.until(&open(true));
    assert_eq!(browser.value(rows), 110);
    browser.press("ArrowLeft", 37);
    browser.until(&open(false));
    assert_eq!(browser.value(rows), 10);
    browser.press("ArrowRight", 39);
    browser.until(&open(true));
    assert_eq!(browser.value(rows), 110);
    browser.click("#modules .fold");
    browser.until(&open(false));
    browser.press("ArrowDown", 40);
    browser.until("document.activeElement === document.querySelectorAll('#modules .fold')[1]");
    // From within an open module, left leads to it.
    browser.press("ArrowUp", 38);
    browser.press("ArrowRight", 39);
    browser.until(&open(true));
    browser.press("ArrowDown", 40);
    browser.until("document.activeElement === document.querySelectorAll('#modules .fold')[1]");
    browser.press("ArrowLeft", 37);
    browser.until("document.activeElement === document.querySelectorAll('#modules .fold')[0]");
}

/// A finding's link leads to its node, whatever is searched for.
fn following(browser: &mut Browser) {
    browser.click("#search");
    browser.write("no such node");
    browser.until("document.getElementById('found').value.startsWith('0 of')");
    browser.click("#findings-heading ~ div a");
    browser.until("/^#node=\\d+$/.test(location.hash) && document.activeElement.className === 'target'");
    let same = "data.nodes[document.activeElement.dataset.place][0] === document.querySelector('#findings-heading ~ div a').textContent";
    assert_eq!(browser.value(same), true);
    assert_eq!(browser.value("document.title"), "many");
}
