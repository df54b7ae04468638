// How numbers and arrays read. Text only: nothing from the data is ever taken as markup.

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) if (v !== undefined && v !== null) element.setAttribute(k, v);
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

function number(v, digits) {
  if (typeof v === "boolean") return v ? "True" : "False";
  if (typeof v === "string" || (Number.isInteger(v) && Math.abs(v) < 1e9)) return String(v);
  const rounded = Number(v.toPrecision(digits || 5));
  return Math.abs(rounded) < 1e9 && Math.abs(rounded) >= 1e-4 ? String(rounded) : rounded.toExponential();
}

const shape = (array) => "(" + array.s.join(", ") + (array.s.length === 1 ? ",)" : ")");
const kind = (array) => `${shape(array)} ${array.d}`;

// Smallest, largest and mean of the finite numbers; what Python counted where the array is not here as a whole.
function summary(array) {
  if (array.lo !== undefined) return array;
  const finite = (array.v || []).map(Number).filter(Number.isFinite);
  const bad = (array.v || []).length - finite.length;
  if (!finite.length) return { bad };
  return { lo: Math.min(...finite), hi: Math.max(...finite), mean: finite.reduce((a, b) => a + b, 0) / finite.length, bad };
}

const trouble = (bad) => (bad ? `${bad} not finite` : "");

const lost = (array) => Boolean(summary(array).bad);

// Three digits, but all those before the point of a number below a million.
const short = (v) => number(v, typeof v === "number" && Math.abs(v) < 1e6 ? Math.max(3, Math.ceil(Math.log10(Math.abs(v) + 1))) : 3);

// One line: small arrays in full, large ones as range and mean.
function preview(array, room) {
  const size = array.s.reduce((a, b) => a * b, 1);
  if (!size) return "empty";
  if (array.v && size === 1) return number(array.v[0]);
  if (array.v && size <= 4) {
    const text = "[" + array.v.map((v) => (room ? short(v) : number(v))).join(", ") + "]";
    if (!room || text.length <= room) return text;
  }
  const s = summary(array);
  if (s.lo === undefined) return `no finite number in ${size}`;
  if (s.lo === s.hi) return `all ${number(s.lo)}${s.bad ? `, ${trouble(s.bad)}` : ""}`;
  if (room) return `${short(s.lo)} … ${short(s.hi)}${s.bad ? " ⚠" : ""}`;
  return `${number(s.lo)} … ${number(s.hi)}, mean ${number(s.mean)}${s.bad ? `, ${trouble(s.bad)}` : ""}`;
}

const WIDE = 8;

// The whole array as tables, or its range, mean and first elements where it is large.
function table(array) {
  const holder = make("div");
  if (!array.v) {
    const s = summary(array);
    const size = array.s.reduce((a, b) => a * b, 1);
    holder.append(make("p", {}, `${kind(array)}: ${size} elements, too many to list`));
    holder.append(make("p", {}, s.lo === undefined ? "no finite number" : `smallest ${number(s.lo, 6)}, largest ${number(s.hi, 6)}, mean ${number(s.mean, 6)}`));
    if (s.bad) holder.append(make("p", { class: "bad" }, `⚠ ${trouble(s.bad)}`));
    if (array.e) holder.append(make("p", {}, `begins: ${array.e.map((v) => number(v, 6)).join(", ")}, …`));
    return holder;
  }
  const exact = array.d.startsWith("int") || array.d.startsWith("uint");
  const cell = (v) => make("td", typeof v === "string" ? { class: "bad" } : {}, exact ? String(v) : number(v, 6));
  const vector = array.s.length === 1;  // in lines of eight
  const cols = vector ? Math.min(array.s[0], WIDE) : array.s.length ? array.s[array.s.length - 1] : 1;
  const rows = vector ? Math.ceil(array.s[0] / WIDE) : array.s.length ? array.s[array.s.length - 2] : 1;
  const plane = Math.max(vector ? array.s[0] : rows * cols, 1);
  for (let start = 0; start < array.v.length; start += plane) {
    const t = make("table", {});
    let where = "";
    for (let d = array.s.length - 3, rest = start / plane; d >= 0; d--) {
      where = `${rest % array.s[d]}, ${where}`;
      rest = Math.floor(rest / array.s[d]);
    }
    t.append(make("caption", {}, where ? `[${where}:, :] of ${kind(array)}` : kind(array)));
    const corner = array.s.length > 1 || rows > 1;
    if (array.s.length && cols > 1) {
      const head = make("tr", {}, corner ? make("td", { class: "corner" }) : null);
      for (let c = 0; c < cols; c++) head.append(make("th", { scope: "col" }, (vector && corner ? "+" : "") + c));
      t.append(head);
    }
    for (let r = 0; r < rows; r++) {
      const line = make("tr", {}, corner ? make("th", { scope: "row" }, String(vector ? r * WIDE : r)) : null);
      for (let c = 0; c < cols && start + r * cols + c < array.v.length; c++) line.append(cell(array.v[start + r * cols + c]));
      t.append(line);
    }
    holder.append(t);
  }
  if (!array.v.length) holder.append(make("p", {}, `${kind(array)}: empty`));
  return holder;
}
