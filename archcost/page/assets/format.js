// Numbers as text, as archcost/units.py writes them, and elements whose text is never taken for HTML.

const KIB = ["B", "KiB", "MiB", "GiB", "TiB"];

// `138,357,544`; null is not known. What is too large for a number of this language arrives as text.
function count(value, isLower) {
  if (value === null || value === undefined) return "?";
  const digits = typeof value === "string" ? BigInt(value) : value;
  return (isLower ? ">= " : "") + digits.toLocaleString("en-US");
}

function sizeUnit(bytes) {
  let power = 0;
  while (power < 4 && Math.abs(bytes) >= 1024 ** (power + 1)) power += 1;
  return power;
}

// `4.23 GiB`, to two decimals; of bytes none.
function size(bytes, power = sizeUnit(bytes)) {
  if (bytes === null) return "?";
  if (power === 0) return `${bytes.toLocaleString("en-US")} B`;
  const amount = bytes / 1024 ** power;
  return `${amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })} ${KIB[power]}`;
}

// `12.3 ms`: three digits in the largest unit of which there is one at least.
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "?";
  const units = [[1, "s"], [1e-3, "ms"], [1e-6, "us"], [1e-9, "ns"]];
  const [worth, unit] = units.find(([each]) => seconds >= each) || units[3];
  return `${Number((seconds / worth).toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 3 })} ${unit}`;
}

function percent(part, whole) {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "";
}

// An element with attributes and children. Strings become text.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// What a script reads of a style.
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
