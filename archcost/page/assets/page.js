// The page: what is drawn where, the theme, what a print has open, and tables that sort.

const data = JSON.parse(document.getElementById("data").textContent);
const drawn = [];
const waiting = [];
const tables = [];

function start() {
  for (const article of document.querySelectorAll("article[data-network]")) {
    const network = data.networks[Number(article.dataset.network)];
    waiting.push(() => new Controls(article.querySelector(".live"), data.live, network.name));
    waiting.push(() => {
      const table = new LayerTable(article.querySelector(".layers"), network);
      tables.push(table);
      new Shares(article.querySelector(".shares"), table);
    });
    waiting.push(() => later(article.querySelector(".chart.memory"), network.memory, memoryChart));
    waiting.push(() => later(article.querySelector(".chart.roofline"), network.roofline, roofChart));
  }
  const compared = document.querySelector(".compared");
  if (compared) compareNetworks(compared, data.networks);
  for (const table of document.querySelectorAll("table.sorts")) makeSortable(table);
}

// One thing after the other, so that the page answers meanwhile; a print waits for nothing.
function work(isUrgent) {
  do {
    const next = waiting.shift();
    if (next) next();
  } while (isUrgent && waiting.length);
  if (waiting.length) setTimeout(work, 0);
  else root.dataset.ready = "yes";
}

// A chart that is drawn again when the theme is another.
function later(container, values, draw) {
  if (!container) return;
  if (!values) {
    container.remove();
    return;
  }
  drawn.push(() => draw(container, values));
  draw(container, values);
}

function drawCharts() {
  for (const draw of drawn) draw();
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const given = [...table.tBodies[0].rows];
  heads.forEach((head, column) => {
    head.setAttribute("aria-sort", "none");
    head.querySelector("button").addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const next = { none: "descending", descending: "ascending", ascending: "none" }[before];
      for (const each of heads) each.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const key = (row) => { const cell = row.cells[column]; return cell.dataset.key === undefined ? cell.textContent || null : Number(cell.dataset.key); };
      const rows = next === "none" ? given : [...given].sort((a, b) => sign * byValue(key(a), key(b)));
      table.tBodies[0].append(...rows);
    });
  });
}

// Dark or light

const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const toggle = document.getElementById("theme");
let theme = prefersDark.matches ? "dark" : "light";

function setTheme(name) {
  root.dataset.theme = name;
  toggle.textContent = name === "dark" ? "Light" : "Dark";
  toggle.setAttribute("aria-label", `Show the page ${name === "dark" ? "light" : "dark"}`);
  drawCharts();
}

toggle.addEventListener("click", () => { theme = theme === "dark" ? "light" : "dark"; setTheme(theme); });
prefersDark.addEventListener("change", (event) => { theme = event.matches ? "dark" : "light"; setTheme(theme); });

// A print has open what was folded, and copies of the charts, which Bokeh would draw anew too late.

let closed = [];
addEventListener("beforeprint", () => {
  if (waiting.length) work(true);
  closed = [...document.querySelectorAll("details:not([open], .more)")];
  for (const each of closed) each.open = true;
  for (const table of tables) table.unfoldForPrint();
  for (const chart of document.querySelectorAll(".chart")) copyForPrint(chart);
  root.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
  for (const table of tables) table.foldAfterPrint();
  for (const copy of document.querySelectorAll(".printed")) copy.remove();
  root.dataset.theme = theme;
});

function copyForPrint(chart) {
  const { left, top, width, height } = chart.getBoundingClientRect();
  const scale = devicePixelRatio;
  const copy = element("canvas", { class: "printed", width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = copy.getContext("2d");
  context.fillStyle = colour("page");
  context.fillRect(0, 0, copy.width, copy.height);
  for (const canvas of canvases(chart)) {
    const box = canvas.getBoundingClientRect();
    if (canvas.width && box.width) context.drawImage(canvas, (box.left - left) * scale, (box.top - top) * scale, box.width * scale, box.height * scale);
  }
  chart.append(copy);
}

function canvases(node) {
  if (node instanceof HTMLCanvasElement) return node.classList.contains("printed") ? [] : [node];
  return [...(node.shadowRoot ? node.shadowRoot.children : []), ...node.children].flatMap(canvases);
}

setTheme(theme);
start();
work();
