// Another setting: what `archcost estimate` says of it, worked out by live.js from what the page carries along.

const WORDS = [
  ["hardware", "device"], ["mode", "mode"], ["precision", "precision"], ["optimizer", "optimizer"], ["recompute", "recompute"],
];
const MODES = { "train": "training", "infer": "inference", "infer-autograd": "inference, autograd on" };
const SIGNS = { "fits": "✓", "tight": "~", "does not fit": "✗" };

class Controls {
  constructor(container, payload, network) {
    this.payload = payload;
    this.network = payload.networks.find((each) => each.name === network);
    this.start = { ...payload.default, network };
    this.settings = { ...this.start };
    this.id = `live-${payload.networks.indexOf(this.network)}`;
    this.build(container);
    this.render();
  }

  build(container) {
    const { payload } = this;
    const options = {
      hardware: payload.hardware.map((each) => [each.name, `${each.name} (${size(each.capacity_bytes)})`]),
      mode: payload.modes.map((each) => [each, MODES[each] || each]),
      precision: payload.precisions.map((each) => [each, each]),
      optimizer: payload.optimizers.map((each) => [each, each]),
      recompute: payload.recompute.map((each) => [each, each]),
    };
    this.selects = {};
    const fields = WORDS.map(([key, name]) => {
      const select = element("select", { name: key, on: { change: () => this.set({ [key]: select.value }) } }, ...options[key].map(([value, text]) => element("option", { value }, text)));
      this.selects[key] = select;
      return this.field(name, select);
    });
    const { least, most } = this.network.batch;
    this.batch = element("input", { type: "number", name: "batch", min: least, max: most, step: 1, inputmode: "numeric", on: { input: () => this.set({ batch: Number(this.batch.value) }) } });
    const step = (name, told, change) => element("button", { type: "button", "aria-label": told, on: { click: () => this.set({ batch: Math.min(most, Math.max(least, change(this.settings.batch))) }) } }, name);
    const batch = element(
      "div", { class: "batch" },
      this.field("batch", this.batch),
      step("÷ 2", "Half the batch", (each) => Math.floor(each / 2)),
      step("× 2", "Twice the batch", (each) => each * 2),
      element("button", { type: "button", on: { click: () => this.largest() } }, "largest"),
      element("button", { type: "button", on: { click: () => this.set(this.start) } }, "reset"),
    );
    this.answer = element("div", { class: "live-answer", role: "status", "aria-live": "polite" });
    this.bar = element("div", { class: "live-bar" });
    this.curve = element("div", { class: "live-curve", role: "img" });
    this.others = element("div", {});
    this.folded = element("details", { class: "more", on: { toggle: () => this.devices() } }, element("summary", {}, "The same on each device of this page"), this.others);
    container.append(
      element("form", { class: "controls", on: { submit: (event) => event.preventDefault() } }, batch, ...fields),
      this.answer, element("div", { class: "two" }, element("div", {}, this.bar), this.curve), this.folded,
      element("p", { class: "note" }, "This panel alone follows the controls; the sections below are of the setting that the page was written for."),
    );
    new ResizeObserver(([entry]) => { this.width = entry.contentRect.width; this.draw(); }).observe(this.curve);
  }

  field(name, control) {
    control.id = `${this.id}-${control.name}`;
    return element("div", { class: "field" }, element("label", { for: control.id }, name), control);
  }

  set(changed) {
    this.settings = { ...this.settings, ...changed };
    this.render();
  }

  largest() {
    const { max_batch: safe } = archcostLive(this.payload, { ...this.settings, batch: this.network.batch.least });
    if (safe) this.set({ batch: safe });
  }

  render() {
    for (const [key] of WORDS) this.selects[key].value = this.settings[key];
    if (Number(this.batch.value) !== this.settings.batch) this.batch.value = this.settings.batch;
    const trains = this.settings.mode === "train";
    this.selects.optimizer.disabled = this.selects.recompute.disabled = !trains;
    const found = archcostLive(this.payload, this.settings);
    this.found = found;
    if (found.refused) {
      this.answer.replaceChildren(element("p", { class: "answer" }, `No answer: ${found.refused}.`));
      this.bar.replaceChildren();
      this.curve.hidden = true;
      this.others.replaceChildren();
      return;
    }
    this.curve.hidden = false;
    this.answer.replaceChildren(element("dl", { class: "figures" }, ...this.figures(found)));
    this.bars(found);
    this.draw();
    this.devices();
  }

  figures(found) {
    const least = this.network.unknown.length ? ">= " : "";
    const room = found.safe_bytes - found.needed_bytes;
    const spare = room >= 0 ? `${size(room)} to spare` : `${size(-room)} too much to be safe`;
    const tight = found.max_batch_tight > found.max_batch ? `tight up to ${count(found.max_batch_tight)}` : "";
    const verdict = element("span", { class: `verdict ${found.verdict.replace(/ /g, "-")}` }, `${SIGNS[found.verdict]} ${found.verdict}`);
    const shown = [
      [`on ${found.hardware}`, verdict, spare],
      ["memory at the peak", least + size(found.peak_bytes), `tensors, ${found.peak_at}`],
      ["largest batch", found.max_batch === null ? "not known" : found.max_batch ? count(found.max_batch) : "none", tight],
      ["time of a step", ...liveTime(found)],
    ];
    return shown.map(([name, value, below]) => element("div", {}, element("dt", {}, name), element("dd", {}, value, element("small", {}, below))));
  }

  // The bytes at the peak by role, as long as they take of the device's memory.
  bars(found) {
    const whole = Math.max(found.capacity_bytes, found.needed_bytes);
    const roles = Object.entries(found.by_role).filter(([, bytes]) => bytes > 0).map(([role, bytes]) => [role.replace(/_/g, " "), bytes]);
    const bar = element("div", { class: "bar of-memory", "aria-hidden": "true" }, ...roles.map(([role, bytes]) => {
      const part = element("span", { class: `role ${role.replace(/ /g, "-")}` });
      part.style.width = `${(100 * bytes) / whole}%`;
      return part;
    }));
    const safe = element("b", { class: "limit" });
    safe.style.left = `${(100 * found.safe_bytes) / whole}%`;
    const key = roles.map(([role, bytes]) => element("li", {}, element("i", { class: `role ${role.replace(/ /g, "-")}` }), ` ${role} ${size(bytes)}`));
    this.bar.replaceChildren(
      element("p", { class: "note" }, `Of ${size(found.capacity_bytes)}, ${size(found.safe_bytes)} are safe for tensors and workspaces (the mark); ${size(found.needed_bytes)} are needed.`),
      element("div", { class: "memory-bar" }, bar, safe), element("ul", { class: "key" }, ...key),
    );
  }

  // Bytes over the batch, up to twice the largest.
  draw() {
    const { found, width } = this;
    if (!width || !found || found.refused) return;
    const most = Math.min(this.network.batch.most, 2 * Math.max(found.max_batch || 0, found.batch, 4));
    const points = archcostCurve(this.payload, this.settings, most).filter((point) => !point.refused);
    if (points.length < 2) { this.curve.replaceChildren(); return; }
    this.curve.replaceChildren(curveDrawing(points, found, width, 170));
    const last = points[points.length - 1];
    this.curve.setAttribute("aria-label", `Bytes needed over the batch: from ${size(points[0].needed_bytes)} at ${points[0].batch} to ${size(last.needed_bytes)} at ${count(last.batch)}; ${size(found.safe_bytes)} are safe, which ${found.max_batch ? `batch ${count(found.max_batch)} still keeps` : "no batch keeps"}.`);
  }

  devices() {
    if (!this.folded.open || this.found.refused) { this.others.replaceChildren(); return; }
    const rows = archcostDevices(this.payload, this.settings).map((each) => each.refused
      ? [each.hardware, element("span", {}, each.refused), "", "", ""]
      : [each.hardware, element("span", { class: `verdict ${each.verdict.replace(/ /g, "-")}` }, `${SIGNS[each.verdict]} ${each.verdict}`), size(each.safe_bytes - each.needed_bytes), each.max_batch === null ? "?" : count(each.max_batch), liveTime(each)[0]]);
    const heads = ["device", "verdict", "spare", "largest batch", "time of a step"];
    const aligned = (place) => (place > 1 ? "number" : null);
    this.others.replaceChildren(element(
      "div", { class: "scroll tall", role: "region", tabindex: 0, "aria-label": "This setting on each device" },
      element("table", {}, element("caption", { class: "unseen" }, "This setting on each device"),
        element("thead", {}, element("tr", {}, ...heads.map((head, place) => element("th", { scope: "col", class: aligned(place) }, head)))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell, place) => element(place ? "td" : "th", { scope: place ? null : "row", class: aligned(place) }, cell)))))),
    ));
  }
}

// One number with its band, or bounds where there is none.
function liveTime(found) {
  if (found.band_seconds === null) return ["not known", (found.notes || []).join("; ")];
  const [low, high] = found.band_seconds;
  if (found.step_seconds === null) return [between(low, high), "bounds of the data sheet"];
  const rate = found.samples_per_second ? `${Number(found.samples_per_second.toPrecision(4)).toLocaleString("en-US")} samples a second` : "";
  const share = found.mfu ? `MFU ${(100 * found.mfu).toFixed(1)} %` : "";
  return [duration(found.step_seconds), [`${between(low, high)} nine times in ten`, rate, share, `${found.status}, ${found.engine}`].filter(Boolean).join("; ")];
}

// `3.95 to 8.55 ms`: the unit once where both have it.
function between(low, high) {
  const [first, last] = [duration(low), duration(high)];
  const [number, unit] = first.split(" ");
  return unit === last.split(" ")[1] ? `${number} to ${last}` : `${first} to ${last}`;
}

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function curveDrawing(points, found, width, height) {
  const left = 56, bottom = 34, top = 10, right = 12;
  const most = points[points.length - 1].batch;
  const highest = Math.max(...points.map((point) => point.needed_bytes), found.safe_bytes < 3 * found.needed_bytes ? found.safe_bytes : 0) * 1.05;
  const power = sizeUnit(highest);
  const x = (batch) => left + ((width - left - right) * batch) / most;
  const y = (bytes) => height - bottom - ((height - bottom - top) * bytes) / highest;
  const text = (content, at, more = {}) => shape("text", { ...at, ...more }, content);
  const parts = [
    shape("line", { x1: left, x2: width - right, y1: y(0), y2: y(0), class: "axis" }),
    shape("polyline", { points: points.map((point) => `${x(point.batch).toFixed(1)},${y(point.needed_bytes).toFixed(1)}`).join(" "), class: "curve" }),
    text(size(0, power).replace(/[\d.,]+/, "0"), { x: left - 6, y: y(0) + 4 }, { "text-anchor": "end" }),
    text(size(highest / 1.05, power), { x: 2, y: top + 6 }),
    text("batch", { x: (left + width - right) / 2, y: height - 4 }, { "text-anchor": "middle" }),
    text(count(most), { x: width - right, y: height - 18 }, { "text-anchor": "end" }),
    text("0", { x: left, y: height - 18 }, { "text-anchor": "middle" }),
  ];
  if (found.safe_bytes <= highest) {
    parts.push(shape("line", { x1: left, x2: width - right, y1: y(found.safe_bytes), y2: y(found.safe_bytes), class: "safe" }), text("safe", { x: left + 6, y: y(found.safe_bytes) - 4 }));
  }
  parts.push(shape("circle", { cx: x(found.batch), cy: y(found.needed_bytes), r: 4, class: "here" }));
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...parts);
}
