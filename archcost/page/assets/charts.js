// What one hovers over: memory through a step and the roofline, by Bokeh.

const ROLE_COLOURS = {
  "weights": "#0072b2", "gradients": "#56b4e9", "optimizer state": "#009e73", "buffers": "#8a8f98", "inputs": "#c9b400",
  "activations": "#e69f00", "temporaries": "#d55e00", "workspace": "#cc79a7", "kv cache": "#7a5195",
};
// Okabe and Ito's colours, which colour-blind readers tell apart; beside each stands its name.

function figure(options) {
  const plot = Bokeh.Plotting.figure({
    sizing_mode: "stretch_width", height: 320, toolbar_location: null, tools: "", min_border_left: 8, min_border_right: 14,
    background_fill_alpha: 0, border_fill_alpha: 0, outline_line_color: null, ...options,
  });
  const ink = colour("ink"), faint = colour("line");
  for (const axis of [...plot.xaxes, ...plot.yaxes]) {
    Object.assign(axis, {
      axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: faint, major_tick_line_color: faint,
      minor_tick_line_color: null, axis_label_text_font_style: "normal", axis_label_text_font_size: "12px", major_label_text_font_size: "12px",
    });
  }
  for (const grid of [...plot.xgrids, ...plot.ygrids]) grid.grid_line_color = faint;
  return plot;
}

// Nothing of an earlier drawing is left.
function show(plot, container, label) {
  container.replaceChildren();
  container.setAttribute("role", "img");
  container.setAttribute("aria-label", label);
  Bokeh.Plotting.show(plot, container);
}

function legend(after, entries) {
  const list = element("ul", { class: "key" }, ...entries.map(([name, style, text]) => {
    const mark = element("i", { class: style.class || null }, style.text || "");
    if (style.background) mark.style.background = style.background;
    return element("li", {}, mark, ` ${name}${text ? ` ${text}` : ""}`);
  }));
  const before = after.nextElementSibling;
  if (before && before.classList.contains("chart-key")) before.remove();
  list.classList.add("chart-key");
  after.after(list);
}

function summed(differences) {
  let sum = 0;
  return differences.map((each) => (sum += each));
}

// The first and the last moment are as wide as the others.
function edged(values) {
  return [values[0], ...values, values[values.length - 1]];
}

function memoryChart(container, memory) {
  const roles = Object.entries(memory.roles).map(([role, differences]) => [role, summed(differences)]);
  const number = memory.phase.length;
  const power = sizeUnit(memory.peak), worth = 1024 ** power;
  const total = new Array(number).fill(0);
  const data = { x: [...Array(number).keys()], phase: memory.phase, at: memory.name.map((place) => memory.names[place]) };
  const areas = { x: [-0.5, ...data.x, number - 0.5] };
  for (const [role, bytes] of roles) {
    const field = role.replace(/ /g, "_");
    data[`${field}_low`] = total.map((each) => each / worth);
    bytes.forEach((each, place) => { total[place] += each; });
    areas[`${field}_low`] = edged(data[`${field}_low`]);
    data[`${field}_high`] = total.map((each) => each / worth);
    areas[`${field}_high`] = edged(data[`${field}_high`]);
    data[`${field}_text`] = bytes.map((each) => size(each));
  }
  data.total = total.map((each) => size(each));
  data.top = total.map((each) => each / worth);
  const highest = Math.max(...total);
  const isNear = memory.capacity < 1.6 * highest;
  const top = (isNear ? Math.max(highest, memory.capacity) : highest) / worth;
  const plot = figure({ x_range: [-0.5, number - 0.5], y_range: [0, 1.25 * top], y_axis_label: KIB[power], x_axis_label: "moments of the step, in order" });
  plot.xaxes[0].major_label_text_font_size = "0px";
  plot.xaxes[0].major_tick_line_color = null;
  plot.xgrids[0].grid_line_color = null;
  const source = new Bokeh.ColumnDataSource({ data }), stacked = new Bokeh.ColumnDataSource({ data: areas });
  for (const [role] of roles) {
    const field = role.replace(/ /g, "_");
    plot.varea_step({ x: { field: "x" }, y1: { field: `${field}_low` }, y2: { field: `${field}_high` }, step_mode: "center", fill_color: ROLE_COLOURS[role], fill_alpha: 0.9, source: stacked });
  }
  const bars = plot.vbar({ x: { field: "x" }, bottom: 0, top: { field: "top" }, width: 1, fill_alpha: 0, line_alpha: 0, hover_line_alpha: 0.9, hover_line_color: colour("ink"), hover_fill_alpha: 0, source });
  const lines = roles.map(([role]) => [role, `@${role.replace(/ /g, "_")}_text`]);
  plot.add_tools(new Bokeh.HoverTool({ renderers: [bars], mode: "vline", point_policy: "follow_mouse", tooltips: [["", "@phase @at"], ["in all", "@total"], ...lines.reverse()] }));
  phaseMarks(plot, memory.phase, 1.25 * top);
  const at = total.indexOf(highest);
  plot.scatter({ x: [at], y: [highest / worth], marker: "inverted_triangle", size: 9, fill_color: colour("ink"), line_color: null });
  plot.add_layout(new Bokeh.Label({ x: at, y: highest / worth, text: `peak ${size(highest)}`, x_offset: at > number / 2 ? -8 : 8, y_offset: 4, text_align: at > number / 2 ? "right" : "left", text_color: colour("ink"), text_font_size: "12px" }));
  if (isNear) plot.add_layout(new Bokeh.Span({ location: memory.capacity / worth, dimension: "width", line_color: colour("bad"), line_dash: [6, 4], line_width: 1.5 }));
  const over = isNear ? `The dashed line is the ${size(memory.capacity)} of ${memory.hardware}.` : `${memory.hardware} has ${size(memory.capacity)}, above the chart.`;
  show(plot, container, `Memory through a step, stacked by role: it rises to ${size(highest)} at ${memory.at}. ${over} The table of what is alive at the peak follows.`);
  legend(container, roles.map(([role]) => [role, { background: ROLE_COLOURS[role] }]));
  container.parentNode.querySelector(".chart-key").append(element("li", { class: "over" }, over + (memory.folded ? " Layers are folded, each at its highest moment." : "")));
}

// Where forward ends, and backward.
function phaseMarks(plot, phases, top) {
  let start = 0;
  for (let place = 1; place <= phases.length; place += 1) {
    const isOne = (phases[start] === "recompute" ? "backward" : phases[start]) === (phases[place] === "recompute" ? "backward" : phases[place]);
    if (isOne) continue;
    const isWide = place - start > phases.length / 12;
    if (place < phases.length && isWide) plot.add_layout(new Bokeh.Span({ location: place - 0.5, dimension: "height", line_color: colour("soft"), line_width: 1 }));
    if (isWide) plot.add_layout(new Bokeh.Label({ x: start, y: top, text: phases[start] === "recompute" ? "backward" : phases[start], x_offset: 4, y_offset: -16, text_color: colour("soft"), text_font_size: "12px" }));
    start = place;
  }
}

const PARTS = [
  ["forward", "circle", "#0072b2", "●"], ["backward, input", "triangle", "#d55e00", "▲"], ["backward, weight", "square", "#009e73", "■"],
];

function roofChart(container, roofline) {
  const unit = roofline.rate && roofline.rate >= 1e12 ? [1e12, "TFLOP/s"] : [1e9, "GFLOP/s"];
  const points = roofline.points.map(([part, kind, flops, bytes, seconds, roof, names]) => ({ part, kind, roof, names, seconds, x: flops / bytes, y: flops / seconds / unit[0] }));
  const xs = points.map(({ x }) => x), ys = points.map(({ y }) => y);
  const ridge = roofline.rate ? roofline.rate / roofline.bandwidth : null;
  const left = Math.min(...xs, ridge || Infinity) / 2, right = Math.max(...xs, ridge || 0) * 2;
  const roofs = ridge ? { x: [left, ridge, right], y: [left * roofline.bandwidth, roofline.rate, roofline.rate] } : { x: [left, right], y: [left * roofline.bandwidth, right * roofline.bandwidth] };
  const ceiling = roofs.y.map((each) => each / unit[0]);
  const plot = figure({
    x_axis_type: "log", y_axis_type: "log", x_range: [left, right], y_range: [Math.min(...ys) / 2, Math.max(...ceiling, ...ys) * 2],
    x_axis_label: "FLOPs for each byte moved", y_axis_label: unit[1],
  });
  plot.line({ x: roofs.x, y: ceiling, line_color: colour("ink"), line_width: 1.5 });
  const scatters = [];
  for (const [part, marker, fill] of PARTS) {
    const own = points.filter((point) => point.part === part);
    if (!own.length) continue;
    const field = (name) => own.map((point) => point[name]);
    const data = { x: field("x"), y: field("y"), part: field("part"), kind: field("kind"), roof: field("roof"), layers: field("names"), took: own.map(({ seconds }) => duration(seconds)), ai: own.map(({ x }) => x.toPrecision(3)), rate: own.map(({ y }) => `${y.toPrecision(3)} ${unit[1]}`) };
    scatters.push(plot.scatter({ x: { field: "x" }, y: { field: "y" }, marker, size: 8, fill_color: fill, fill_alpha: 0.75, line_color: colour("page"), line_width: 0.5, source: new Bokeh.ColumnDataSource({ data }) }));
  }
  plot.add_tools(new Bokeh.HoverTool({ renderers: scatters, tooltips: [["", "@layers"], ["part", "@part"], ["class", "@kind"], ["FLOPs a byte", "@ai"], ["rate", "@rate"], ["takes", "@took"], ["waits for", "@roof"]] }));
  const bound = points.filter(({ x }) => ridge && x < ridge).length;
  const ridgeText = ridge ? ` left of the ridge at ${ridge.toPrecision(3)} FLOPs a byte memory is the limit, as for ${bound} of ${points.length} points;` : "";
  const told = `The roofs are the data sheet's ${(roofline.bandwidth / 1e9).toLocaleString("en-US")} GB/s${roofline.rate ? ` and ${(roofline.rate / 1e12).toPrecision(3)} TFLOP/s in ${roofline.dtype}` : ""} of ${roofline.hardware};${ridgeText} equal kernels are one point.`;
  show(plot, container, `Roofline. ${told}`);
  legend(container, PARTS.filter(([part]) => points.some((point) => point.part === part)).map(([part, , , sign]) => [part, { text: sign, class: `sign part-${part.replace(/\W+/g, "-")}` }]));
  container.parentNode.querySelector(".chart-key").append(element("li", { class: "over" }, told + (roofline.typical ? " Times are typical ones of such a data sheet, no forecast." : "")));
}
