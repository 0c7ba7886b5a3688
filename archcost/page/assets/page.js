// The page: what is drawn where, the theme, what a print has open, and tables that sort.

const data = JSON.parse(document.getElementById("data").textContent);
const drawn = [];

function start() {
  for (const article of document.querySelectorAll("article[data-network]")) {
    const network = data.networks[Number(article.dataset.network)];
    new Controls(article.querySelector(".live"), data.live, network.name);
    const layers = new LayerTable(article.querySelector(".layers"), network);
    new Shares(article.querySelector(".shares"), layers);
    later(article.querySelector(".chart.memory"), network.memory, memoryChart);
    later(article.querySelector(".chart.roofline"), network.roofline, roofChart);
  }
  for (const table of document.querySelectorAll("table.sorts")) makeSortable(table);
}

// A chart that is drawn again when the theme is another.
function later(container, values, draw) {
  if (!container) return;
  if (!values) container.remove();
  else drawn.push(() => draw(container, values));
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

// A print is light, and has open what was folded.

let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const each of closed) each.open = true;
  setTheme("light");
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
  setTheme(theme);
});

start();
setTheme(theme);
root.dataset.ready = "yes";
