// The table of layers: folded by dotted names, searched, sorted, and the working of each number.

const COLUMNS = [
  { key: "name", head: "layer" },
  { key: "type", head: "type" },
  { key: "shape", head: "output shape" },
  { key: "parameters", head: "parameters", show: (row, value) => count(value), working: "parameters" },
  { key: "macs", head: "MACs", show: (row, value) => count(value, row.bound), working: "MACs" },
  { key: "forward", head: "FLOPs forward", show: (row, value) => count(value, row.bound), working: "FLOPs forward" },
  { key: "backward", head: "FLOPs backward", show: (row, value) => count(value, row.bound), working: "FLOPs backward" },
  { key: "bytes", head: "at the peak", show: (row, value) => (value ? size(value) : "0 B"), working: "bytes" },
  { key: "seconds", head: "time", show: (row, value) => (value ? duration(value) : ""), working: "seconds" },
];
const MOST_UNFOLDED = 40;
const MOST_PRINTED = 250;

// Rows as objects, with full names and the numbers of rows below them.
function readRows(table) {
  const columns = table.rows;
  const rows = columns.label.map((label, place) => {
    const row = { place, children: [], parent: null };
    for (const key of ["depth", "label", "layer"]) row[key] = columns[key][place];
    const numbers = table.numbers[columns.numbers[place]];
    table.keys.forEach((key, index) => { row[key] = numbers[index]; });
    return row;
  });
  const above = [];
  for (const row of rows) {
    row.parent = row.depth ? above[row.depth - 1] : null;
    row.name = [row.parent && row.parent.name, row.label].filter(Boolean).join(".");
    if (row.parent) row.parent.children.push(row);
    row.isOpen = false;
    above[row.depth] = row;
  }
  return rows;
}

class LayerTable {
  constructor(container, network) {
    this.table = network.layers;
    this.rows = readRows(this.table);
    this.leaves = this.rows.filter((row) => row.layer >= 0);
    this.byLayer = new Map(this.leaves.map((row) => [row.layer, row]));
    this.columns = COLUMNS.filter(({ key }) => !["bytes", "seconds"].includes(key) || this.table.total[key] !== null);
    this.sorted = null;
    this.query = "";
    this.isFlat = false;
    this.opened = new Map();
    this.unfoldSome();
    this.build(container, network.name);
    this.render();
  }

  // As many levels as a screen takes.
  unfoldSome() {
    const deepest = Math.max(0, ...this.rows.map((row) => row.depth));
    for (let depth = 0; depth < deepest; depth += 1) {
      if (this.rows.filter((row) => row.depth <= depth + 1).length > MOST_UNFOLDED) break;
      for (const row of this.rows) if (row.depth === depth) row.isOpen = true;
    }
  }

  // Where all layers are a few sheets, a print has them all.
  unfoldForPrint() {
    this.before = this.rows.map((row) => row.isOpen);
    if (this.leaves.length > MOST_PRINTED) return;
    for (const row of this.rows) row.isOpen = true;
    this.render();
  }

  foldAfterPrint() {
    this.rows.forEach((row, place) => { row.isOpen = this.before[place]; });
    this.render();
  }

  build(container, name) {
    this.search = element("input", {
      type: "search", placeholder: "name or type", "aria-label": `Search the layers of ${name}`, autocomplete: "off",
      on: { input: () => { this.query = this.search.value.trim().toLowerCase(); this.render(); } },
    });
    this.told = element("span", { class: "told", role: "status" });
    const unfold = (isOpen) => () => { for (const row of this.rows) row.isOpen = isOpen; this.isFlat = false; flat.checked = false; this.render(); };
    const flat = element("input", { type: "checkbox", on: { change: () => { this.isFlat = flat.checked; this.render(); } } });
    this.flat = flat;
    const groups = this.rows.length > this.leaves.length;
    const tools = element(
      "div", { class: "tools" },
      element("label", { class: "search" }, "Search ", this.search),
      groups ? element("button", { type: "button", on: { click: unfold(true) } }, "Unfold all") : null,
      groups ? element("button", { type: "button", on: { click: unfold(false) } }, "Fold all") : null,
      groups ? element("label", {}, flat, " without groups") : null,
      this.told,
    );
    this.heads = this.columns.map((column) => {
      const button = element("button", { type: "button", class: "sort", on: { click: () => this.sort(column.key) } }, column.head);
      return element("th", { scope: "col", class: column.show ? "number" : null, "aria-sort": "none" }, button);
    });
    this.body = element("tbody", { on: { click: (event) => this.clicked(event) } });
    const table = element(
      "table", { class: "layer-table" },
      element("caption", { class: "unseen" }, `Layers of ${name}`),
      element("thead", {}, element("tr", {}, ...this.heads)),
      this.body,
      element("tfoot", {}, ...this.footer()),
    );
    const hint = "A name or a number opens its working. FLOPs are those of contractions, 2 a MAC; backward is one step of training. " + this.table.note;
    const region = element("div", { class: "scroll tall", role: "region", "aria-label": `Layers of ${name}`, tabindex: 0 }, table);
    container.append(tools, region, element("p", { class: "note" }, hint));
  }

  footer() {
    const total = this.table.total;
    const rows = this.table.beside.map(([label, bytes, seconds]) => this.footRow(label, { bytes, seconds }));
    return [...rows, this.footRow("total", total)];
  }

  footRow(label, values) {
    const cells = this.columns.slice(1).map(({ key, show }) => {
      const known = show && values[key] !== undefined && (values[key] !== null || key !== "seconds");
      return element("td", { class: show ? "number" : null }, known ? show(values, values[key]) : "");
    });
    return element("tr", {}, element("th", { scope: "row" }, label), ...cells);
  }

  sort(key) {
    const numeric = this.columns.find((column) => column.key === key).show;
    const order = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
    if (!this.sorted || this.sorted.key !== key) this.sorted = { key, order: order[0] };
    else if (this.sorted.order === order[0]) this.sorted = { key, order: order[1] };
    else this.sorted = null;
    this.heads.forEach((head, place) => {
      const isKey = this.sorted && this.columns[place].key === this.sorted.key;
      head.setAttribute("aria-sort", isKey ? this.sorted.order : "none");
    });
    this.render();
  }

  inOrder(rows) {
    if (!this.sorted) return rows;
    const { key, order } = this.sorted;
    const sign = order === "ascending" ? 1 : -1;
    return [...rows].sort((a, b) => sign * byValue(a[key], b[key]) || a.place - b.place);
  }

  // Which rows are to be seen: what is searched for, all layers, or groups as far as they are unfolded.
  visible() {
    if (this.query) {
      return this.inOrder(this.leaves.filter((row) => `${row.name} ${row.type}`.toLowerCase().includes(this.query)));
    }
    if (this.isFlat) return this.inOrder(this.leaves);
    const seen = [];
    const walk = (rows) => {
      for (const row of this.inOrder(rows)) {
        seen.push(row);
        if (row.isOpen) walk(row.children);
      }
    };
    walk(this.rows.filter((row) => row.depth === 0));
    return seen;
  }

  render() {
    const rows = this.visible();
    const isFlat = Boolean(this.query) || this.isFlat;
    const made = document.createDocumentFragment();
    for (const row of rows) {
      made.append(this.row(row, isFlat));
      if (this.opened.has(row.layer) && row.layer >= 0) made.append(this.working(row));
    }
    this.body.replaceChildren(made);
    const layers = this.leaves.length;
    this.told.textContent = this.query ? `${count(rows.length)} of ${count(layers)} layers` : `${count(layers)} layers`;
  }

  row(row, isFlat) {
    const isGroup = row.layer < 0;
    const button = element(
      "button",
      { type: "button", class: isGroup ? "fold" : "open", "aria-expanded": String(isGroup ? row.isOpen : this.opened.has(row.layer)) },
      isFlat ? row.name : row.label || "(itself)",
    );
    const head = element("th", { scope: "row" }, button);
    if (!isFlat) head.style.setProperty("--depth", row.depth);
    const made = element("tr", { class: isGroup ? "group" : null, "data-place": row.place }, head);
    for (const { key, show } of this.columns.slice(1)) {
      const cell = element("td", show ? { class: "number", "data-key": key } : {}, show ? show(row, row[key]) : row[key]);
      made.append(cell);
    }
    return made;
  }

  clicked(event) {
    const line = event.target.closest("tr[data-place]");
    if (!line) return;
    const row = this.rows[Number(line.dataset.place)];
    const cell = event.target.closest("td[data-key]");
    if (!cell && !event.target.closest("button")) return;
    if (row.layer < 0) row.isOpen = !row.isOpen;
    else if (this.opened.has(row.layer) && (!cell || this.opened.get(row.layer) === cell.dataset.key)) this.opened.delete(row.layer);
    else this.opened.set(row.layer, cell ? cell.dataset.key : "");
    this.render();
    this.focus(row);
  }

  focus(row) {
    const button = this.body.querySelector(`tr[data-place="${row.place}"] button`);
    if (button) button.focus({ preventScroll: true });
  }

  // Unfold what a layer is in, open its working and go there.
  reveal(layer, key = "") {
    const row = this.byLayer.get(layer);
    this.search.value = this.query = "";
    for (let above = row.parent; above; above = above.parent) above.isOpen = true;
    this.opened.set(layer, key);
    this.render();
    this.focus(row);
    this.body.querySelector(`tr[data-place="${row.place}"]`).scrollIntoView({ block: "center" });
  }

  working(row) {
    const { layers, lines, lists, inputs, tensors, kernels } = this.table;
    const [lineList, inputList, tensorList, kernelList] = layers.map((column) => column[row.layer]);
    const key = this.opened.get(row.layer);
    const chosen = (this.columns.find((column) => column.key === key) || {}).working;
    const reads = inputs[inputList].map(([where, port]) => (typeof where === "number" ? this.byLayer.get(row.layer - where).name : where) + port);
    const told = lists[lineList].map((place) => {
      const [quantity, text, note] = lines[place];
      const isChosen = chosen && quantity.startsWith(chosen);
      return element(
        "tr", { class: isChosen ? "chosen" : null },
        element("th", { scope: "row" }, quantity), element("td", {}, text, note ? element("small", {}, ` ${note}`) : null),
      );
    });
    const held = lists[tensorList].map((place) => tensors[place]);
    const runs = lists[kernelList].map((place) => kernels[place]);
    const formulas = element("table", {}, element("tbody", {}, ...told));
    const alive = held.length ? smallTable("alive at the peak", ["tensor", "shape", "size", "role"], held.map(([what, shape, bytes, role]) => [what, shape, size(bytes), role]), chosen === "bytes") : null;
    const kernelRows = runs.map(([part, kind, flops, bytes, launches, seconds, roof]) => [part, kind, count(flops), count(bytes), count(launches), duration(seconds), roof]);
    const taken = runs.length ? smallTable("runs in a step", ["part", "class", "FLOPs", "bytes moved", "launches", "seconds", "waits for"], kernelRows, chosen === "seconds") : null;
    const order = { bytes: [alive, formulas, taken], seconds: [taken, formulas, alive] }[chosen] || [formulas, alive, taken];
    const inside = element(
      "div", { class: "working" }, element("p", {}, element("strong", {}, row.name), ` (${row.type}) reads ${reads.join(", ")}`), ...order,
    );
    return element("tr", { class: "explained" }, element("td", { colspan: this.columns.length }, inside));
  }
}

function smallTable(title, heads, rows, isChosen) {
  return element(
    "table", { class: isChosen ? "chosen" : null },
    element("caption", {}, title),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", { class: /^[\d.,]+( (B|[KMGT]iB|[mun]?s))?$/.test(cell) ? "number" : null }, cell))))),
  );
}

// Numbers by size, text by its letters; what is not known comes first, as the least.
function byValue(a, b) {
  if (a === null || b === null || a === undefined || b === undefined) return (a === null || a === undefined ? -1 : 0) + (b === null || b === undefined ? 1 : 0);
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (/^-?\d+$/.test(a) && /^-?\d+$/.test(b)) return Number(a) - Number(b);
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
