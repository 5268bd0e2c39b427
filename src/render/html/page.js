"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

function element(name, text, properties) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, properties);
}

// Four significant digits and a prefix; formulas as they are.
function quantity(value, unit) {
  if (value === null || value === undefined) return "—";
  if (typeof value === "string") return unit === "bytes" ? value + " B" : value;
  if (unit === "ms") return duration(value);
  const base = unit === "bytes" ? 1024 : 1000;
  const prefixes = unit === "bytes" ? ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] : ["", "k", "M", "G", "T", "P"];
  let step = 0;
  while (Math.abs(value) >= base - (step ? 0.05 : 0) && step + 1 < prefixes.length) {
    value /= base;
    step += 1;
  }
  const size = Math.abs(value);
  const decimals = step === 0 ? 0 : size < 9.9995 ? 3 : size < 99.995 ? 2 : 1;
  return (value.toFixed(decimals) + " " + prefixes[step]).trim();
}

// Four significant digits.
function duration(ms) {
  const [value, unit] = ms >= 1000 ? [ms / 1000, "s"] : ms >= 1 || ms === 0 ? [ms, "ms"] : [ms * 1000, "µs"];
  const decimals = value === 0 ? 0 : Math.min(3, Math.max(0, 3 - Math.floor(Math.log10(value))));
  return value.toFixed(decimals) + " " + unit;
}

const collator = new Intl.Collator("en", { numeric: true });

// Numbers by size, words by the alphabet, what is neither last whichever way.
function order(a, b, sign) {
  const rank = (value) => (typeof value === "number" ? 0 : value === null || value === "" ? 2 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "number") return sign * (a - b);
  return a === null ? 0 : sign * collator.compare(String(a), String(b));
}

// A header was pressed: numbers begin with the greatest, words with the first.
function press(header, numeric) {
  const now = header.getAttribute("aria-sort");
  const first = numeric ? "descending" : "ascending";
  const next = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
  for (const other of header.parentNode.children) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", next);
  return next === "ascending" ? 1 : -1;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    header.firstChild.addEventListener("click", () => {
      const body = table.tBodies[0];
      const key = (row) => {
        const cell = row.cells[column];
        return "rank" in cell.dataset ? Number(cell.dataset.rank) : cell.classList.contains("number") ? null : cell.textContent;
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      const sign = press(header, rows.some(([value]) => typeof value === "number"));
      rows.sort((a, b) => order(a[0], b[0], sign));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// Every word must stand somewhere in the row.
function matches(words, text) {
  return words.every((word) => text.includes(word));
}

function wordsOf(input) {
  return input.value.toLowerCase().split(/\s+/).filter(Boolean);
}

const filter = document.getElementById("filter");
if (filter) {
  const rows = [...document.querySelector("table.sortable").tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const show = () => {
    const words = wordsOf(filter);
    rows.forEach((row, at) => (row.hidden = !matches(words, texts[at])));
    document.getElementById("found").value = rows.filter((row) => !row.hidden).length + " of " + rows.length;
  };
  filter.addEventListener("input", show);
  show();
}

if (data) {
  nodes();
  modules();
}

// The table of all nodes: only the rows that are seen exist.
function nodes() {
  // Of a row; larger text makes it more.
  let height = 28;
  const scroll = document.getElementById("scroll");
  const table = document.getElementById("nodes");
  const search = document.getElementById("search");
  const body = table.tBodies[0];
  const columns = data.columns;
  const haystacks = data.nodes.map((node) => node.slice(0, 4).join("\n").toLowerCase());
  const inOrder = data.nodes.map((_, place) => place);
  let shown = inOrder;
  let sorted = inOrder;
  let target = -1;
  let drawn = "";
  const group = element("colgroup");
  columns.forEach((column, at) => {
    const width = column.unit !== "text" ? "7rem" : ["24%", "12rem", "17%", "12rem"][at];
    const made = element("col");
    made.style.width = width;
    group.append(made);
    const header = element("th", undefined, { scope: "col", className: column.unit === "text" ? "" : "number" });
    header.setAttribute("aria-sort", "none");
    const button = element("button", column.title, { type: "button" });
    button.addEventListener("click", () => {
      const sign = press(header, column.unit !== "text");
      sorted = [...inOrder].sort((a, b) => order(data.nodes[a][at], data.nodes[b][at], sign) || a - b);
      filter();
    });
    header.append(button);
    table.tHead.rows[0].append(header);
  });
  table.prepend(group);

  function row(place, at) {
    const made = element("tr", undefined, { tabIndex: -1 });
    made.dataset.place = place;
    made.setAttribute("aria-rowindex", at + 2);
    if (place === target) made.className = "target";
    data.nodes[place].forEach((value, column) => {
      const { unit } = columns[column];
      const cell = element(column === 0 ? "th" : "td", unit === "text" ? value : quantity(value, unit));
      if (column === 0) cell.scope = "row";
      if (unit !== "text") cell.className = "number";
      cell.title = String(value ?? "unknown");
      made.append(cell);
    });
    return made;
  }

  function space(rows) {
    const made = element("tr", undefined, { className: "space" });
    made.setAttribute("aria-hidden", "true");
    const cell = element("td", undefined, { colSpan: columns.length });
    cell.style.height = rows * height + "px";
    made.append(cell);
    return made;
  }

  function draw() {
    const first = Math.max(0, Math.floor(scroll.scrollTop / height) - 10);
    const last = Math.min(shown.length, first + Math.ceil(scroll.clientHeight / height) + 20);
    const now = first + " " + last;
    if (now === drawn) return;
    drawn = now;
    const rows = [];
    if (first > 0) rows.push(space(first));
    for (let at = first; at < last; at += 1) rows.push(row(shown[at], at));
    if (last < shown.length) rows.push(space(shown.length - last));
    const focused = body.contains(document.activeElement);
    const place = focused && document.activeElement.dataset.place;
    body.replaceChildren(...rows);
    if (focused) (body.querySelector('[data-place="' + place + '"]') || scroll).focus({ preventScroll: true });
    const seen = body.querySelector("tr[data-place]");
    const real = seen ? seen.getBoundingClientRect().height : height;
    if (Math.abs(real - height) >= 1) {
      height = real;
      redraw();
    }
  }

  function redraw() {
    drawn = "";
    draw();
  }

  function filter() {
    const words = wordsOf(search);
    shown = words.length ? sorted.filter((place) => matches(words, haystacks[place])) : sorted;
    table.setAttribute("aria-rowcount", shown.length + 1);
    document.getElementById("found").value = shown.length + " of " + inOrder.length + " nodes";
    scroll.scrollTop = 0;
    redraw();
  }

  function follow() {
    const place = /^#node=(\d+)$/.exec(location.hash);
    if (!place || !(Number(place[1]) < inOrder.length)) return;
    target = Number(place[1]);
    search.value = "";
    filter();
    scroll.scrollTop = shown.indexOf(target) * height - scroll.clientHeight / 3;
    redraw();
    scroll.scrollIntoView({ block: "center" });
    const row = body.querySelector('[data-place="' + target + '"]');
    if (row) row.focus({ preventScroll: true });
  }

  search.addEventListener("input", filter);
  scroll.addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", draw);
  addEventListener("hashchange", follow);
  // A second click on the same link changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest('a[href^="#node="]');
    if (link && link.hash === location.hash) follow();
  });
  filter();
  follow();
}

// The module tree: rows of a module's modules are made when it is opened.
function modules() {
  const MANY = 500;
  const table = document.getElementById("modules");
  const body = table.tBodies[0];
  const head = table.tHead.rows[0];
  ["Module", "Nodes", ...data.metrics.map((metric) => metric.title)].forEach((title, at) => {
    head.append(element("th", title, { scope: "col", className: at ? "number" : "" }));
  });
  const children = (parent) => {
    const found = [];
    const level = parent < 0 ? 0 : data.modules[parent][0] + 1;
    for (let at = parent + 1; at < data.modules.length && data.modules[at][0] >= level; at += 1) {
      if (data.modules[at][0] === level) found.push(at);
    }
    return found;
  };
  const hasChildren = (at) => at + 1 < data.modules.length && data.modules[at + 1][0] > data.modules[at][0];

  function row(at) {
    const [level, label, count, unknown, ...counts] = data.modules[at];
    const made = element("tr");
    made.dataset.level = level;
    const name = element("th", undefined, { scope: "row" });
    name.style.setProperty("--level", level);
    if (hasChildren(at)) {
      const button = element("button", label, { type: "button", className: "fold" });
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => toggle(made, at, button));
      button.addEventListener("keydown", (event) => keys(event, made, button));
      name.append(button);
    } else {
      name.append(element("span", label, { className: "leaf" }));
    }
    made.append(name, element("td", String(count), { className: "number" }));
    counts.forEach((value, index) => {
      // Of what is unknown, the sum is the least.
      const text = (unknown ? "≥ " : "") + quantity(value, data.metrics[index].unit);
      const cell = element("td", text, { className: "number" });
      const whole = data.totals[index];
      if (typeof value === "number" && typeof whole === "number" && whole > 0) {
        cell.append(element("span", ((100 * value) / whole).toFixed(1) + " %", { className: "part" }));
      }
      made.append(cell);
    });
    return made;
  }

  function rows(list, level) {
    const made = list.slice(0, MANY).map(row);
    if (list.length > MANY) {
      const more = element("tr");
      more.dataset.level = level;
      const cell = element("td", undefined, { colSpan: 2 + data.metrics.length });
      const button = element("button", "Show more: " + (list.length - MANY) + " left", { type: "button", className: "more" });
      button.addEventListener("click", () => more.replaceWith(...rows(list.slice(MANY), level)));
      cell.append(button);
      more.append(cell);
      made.push(more);
    }
    return made;
  }

  function toggle(made, at, button) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    const level = data.modules[at][0];
    if (!open) {
      made.after(...rows(children(at), level + 1));
      return;
    }
    while (made.nextElementSibling && Number(made.nextElementSibling.dataset.level) > level) {
      made.nextElementSibling.remove();
    }
  }

  function keys(event, made, button) {
    const open = button.getAttribute("aria-expanded") === "true";
    if ((event.key === "ArrowRight" && !open) || (event.key === "ArrowLeft" && open)) button.click();
    else if (event.key === "ArrowLeft") {
      const level = Number(made.dataset.level);
      let outer = made.previousElementSibling;
      while (outer && Number(outer.dataset.level) >= level) outer = outer.previousElementSibling;
      if (outer) outer.querySelector(".fold").focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const all = [...body.querySelectorAll(".fold")];
      const next = all[all.indexOf(button) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) next.focus();
    } else return;
    event.preventDefault();
  }

  body.append(...rows(children(-1), 0));
}
