// Where the cost is: a treemap of groups and their layers beside bars of the largest, of one quantity at a time.

const QUANTITIES = [
  { key: "parameters", name: "parameters", show: count },
  { key: "flops", name: "FLOPs", show: count },
  { key: "bytes", name: "memory at the peak", show: (value) => size(value) },
  { key: "seconds", name: "time", show: duration },
];
const FAMILIES = [
  ["convolution", /conv/],
  ["linear", /linear|bilinear|embedding|expert/],
  ["attention and products", /attention|matmul|einsum|product|softmax|bmm/],
  ["normalization", /norm/],
  ["pooling and shape", /pool|flatten|reshape|view|permute|transpose|concat|split|pad|upsample|interpolate|slice|select/],
];
const OTHER = FAMILIES.length;
const MOST_BARS = 8;

function family(type) {
  const found = FAMILIES.findIndex(([, pattern]) => pattern.test(type));
  return found < 0 ? OTHER : found;
}

class Shares {
  constructor(container, layers) {
    this.layers = layers;
    this.quantities = QUANTITIES.filter(({ key }) => layers.leaves.some((row) => Number(row[key]) > 0));
    this.chosen = this.quantities.find(({ key }) => key === "flops") || this.quantities[0];
    if (!this.chosen) {
      container.append(element("p", { class: "note" }, "No layer has weights, operations or tensors."));
      return;
    }
    const name = `share-${Shares.made++}`;
    const choices = this.quantities.map((quantity) => {
      const radio = element("input", { type: "radio", name, value: quantity.key, on: { change: () => { this.chosen = quantity; this.render(); } } });
      radio.checked = quantity === this.chosen;
      return element("label", {}, radio, ` ${quantity.name}`);
    });
    this.map = element("div", { class: "treemap", role: "img" });
    this.key = element("ul", { class: "key" });
    this.bars = element("div", { class: "bars" });
    container.append(
      element("fieldset", { class: "choice" }, element("legend", {}, "Share of"), ...choices),
      element("div", { class: "two" }, element("figure", {}, this.map, this.key), this.bars),
    );
    new ResizeObserver(([entry]) => { this.box = entry.contentRect; this.draw(); }).observe(this.map);
    this.render();
  }

  value(row) { return Number(row[this.chosen.key]) || 0; }

  render() {
    this.total = this.layers.rows.filter((row) => row.depth === 0).reduce((sum, row) => sum + this.value(row), 0);
    this.draw();
    this.list();
  }

  draw() {
    if (!this.box || !this.box.width) return;
    const { width, height } = this.box;
    const made = [];
    const top = this.layers.rows.filter((row) => row.depth === 0);
    this.place(top, { x: 0, y: 0, width, height }, made);
    this.map.replaceChildren(...made);
    const largest = [...top].sort((a, b) => this.value(b) - this.value(a)).slice(0, 3);
    const told = largest.map((row) => `${row.name} ${percent(this.value(row), this.total)}`).join(", ");
    this.map.setAttribute("aria-label", `Treemap of ${this.chosen.name}: the largest parts are ${told}. The table beside it has the largest layers.`);
    const families = [...new Set(this.layers.leaves.filter((row) => this.value(row)).map((row) => family(row.type)))].sort();
    this.key.replaceChildren(...families.map((each) => element("li", {}, element("i", { class: `family-${each}` }), ` ${each === OTHER ? "other" : FAMILIES[each][0]}`)));
  }

  place(rows, box, made) {
    const known = rows.filter((row) => this.value(row) > 0).sort((a, b) => this.value(b) - this.value(a));
    for (const { row, x, y, width, height } of squarified(known, (each) => this.value(each), box)) {
      if (width < 1.5 || height < 1.5) continue;
      const title = `${row.name}: ${this.chosen.show(row[this.chosen.key])}, ${percent(this.value(row), this.total)}`;
      const isGroup = row.layer < 0;
      const shown = height > 15 && width > 34 ? element("span", {}, row.label || row.name) : null;
      const cell = element("div", { class: isGroup ? "cell group" : `cell family-${family(row.type)}`, title }, shown);
      const across = 100 / this.box.width;
      Object.assign(cell.style, { left: `${x * across}%`, top: `${y}px`, width: `${width * across}%`, height: `${height}px` });
      if (!isGroup) cell.addEventListener("click", () => this.layers.reveal(row.layer, this.chosen.key));
      made.push(cell);
      const head = height > 40 && width > 40 ? 16 : 0;
      if (isGroup) this.place(row.children, { x: x + 2, y: y + head + (head ? 0 : 2), width: width - 4, height: height - head - (head ? 2 : 4) }, made);
    }
  }

  list() {
    const place = { parameters: 2, flops: 3, bytes: 4, seconds: 5 }[this.chosen.key];
    const types = this.layers.table.types.map((each) => ({ name: each[0], type: each[0], number: each[1], value: each[place] }));
    const layers = this.layers.leaves.map((row) => ({ name: row.name, type: row.type, value: row[this.chosen.key], row }));
    this.bars.replaceChildren(this.largest("type of layer", types, 6), this.largest("layer", layers, MOST_BARS));
  }

  // The largest as bars, each with its number and its share.
  largest(what, all, most) {
    const ordered = all.filter(({ value }) => Number(value) > 0).sort((a, b) => Number(b.value) - Number(a.value));
    const shown = ordered.slice(0, most);
    const rows = shown.map(({ name, type, number, value, row }) => {
      const bar = element("span", { class: `bar-fill family-${family(type)}` });
      bar.style.width = `${(100 * Number(value)) / Number(ordered[0].value)}%`;
      const told = row ? element("button", { type: "button", class: "open", on: { click: () => this.layers.reveal(row.layer, this.chosen.key) } }, name) : `${count(number)} ${name}`;
      return element(
        "tr", {},
        element("th", { scope: "row" }, told),
        element("td", { class: "fill", "aria-hidden": "true" }, bar),
        element("td", { class: "number" }, this.chosen.show(value)),
        element("td", { class: "number" }, percent(Number(value), this.total)),
      );
    });
    const rest = ordered.length - shown.length;
    const plural = what === "layer" ? "layers" : "types of layers";
    const heads = [what, "", this.chosen.name, "share"].map((head, place) => element("th", { scope: "col", class: place > 1 ? "number" : null }, head));
    const caption = element("caption", { class: rest ? null : "unseen" }, rest ? `The ${most} largest of ${count(ordered.length)} ${plural} that have any` : `By ${what}`);
    return element("table", {}, caption, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
  }
}
Shares.made = 0;

// Networks side by side: of each quantity a bar for each of them.
function compareNetworks(container, networks) {
  const quantities = [
    ["parameters", (value) => count(value)], ["macs", (value, total) => count(value, total.bound)], ["bytes", (value) => size(value)], ["step", duration],
  ];
  const names = { parameters: "parameters", macs: "MACs forward", bytes: "memory at the peak", step: "time of a step" };
  for (const [key, show] of quantities) {
    const totals = networks.map(({ layers }) => layers.total);
    const most = Math.max(...totals.map((total) => Number(total[key]) || 0));
    if (!most) continue;
    const rows = networks.map(({ name }, place) => {
      const bar = element("span", { class: "bar-fill" });
      bar.style.width = `${(100 * (Number(totals[place][key]) || 0)) / most}%`;
      return element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: "fill", "aria-hidden": "true" }, bar), element("td", { class: "number" }, show(totals[place][key], totals[place])));
    });
    container.append(element("table", {}, element("caption", {}, names[key]), element("tbody", {}, ...rows)));
  }
}

// Rectangles of given areas, each about as wide as high (Bruls, Huizing and van Wijk 2000).
function squarified(rows, valueOf, box) {
  const placed = [];
  let { x, y, width, height } = box;
  let left = rows.reduce((sum, row) => sum + valueOf(row), 0);
  let start = 0;
  while (start < rows.length && width > 0 && height > 0) {
    const scale = (width * height) / left;
    const side = Math.min(width, height);
    let end = start, sum = 0, worst = Infinity;
    while (end < rows.length) {
      const next = sum + valueOf(rows[end]);
      const thick = (next * scale) / side;
      const first = (valueOf(rows[start]) * scale) / thick, last = (valueOf(rows[end]) * scale) / thick;
      const ratio = Math.max(thick / last, last / thick, thick / first, first / thick);
      if (ratio > worst) break;
      worst = ratio; sum = next; end += 1;
    }
    const thick = (sum * scale) / side;
    let along = 0;
    for (const row of rows.slice(start, end)) {
      const length = (valueOf(row) * scale) / thick;
      placed.push(width >= height ? { row, x, y: y + along, width: thick, height: length } : { row, x: x + along, y, width: length, height: thick });
      along += length;
    }
    if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
    left -= sum; start = end;
  }
  return placed;
}
