// The picture: boxes in boxes, drawn anew when one opens or closes; a step only changes marks and texts.

const SVG = "http://www.w3.org/2000/svg";
function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(attributes)) if (v !== undefined) element.setAttribute(k, v);
  element.append(...children);
  return element;
}

const ruler = document.createElement("canvas").getContext("2d");
function widthOf(text, font) {
  ruler.font = font;
  return ruler.measureText(text).width;
}
const FONTS = { label: "600 13px system-ui, sans-serif", dim: "12px system-ui, sans-serif", value: '11.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace' };
const LINE = 15, HEAD = 26, PAD = 14;
const cut = (text, n) => (text.length > n ? text.slice(0, n - 1) + "…" : text);
let scale = 1, size = { w: 0, h: 0 };

function linesOf(unit) {  // [class, text, from which step on it is known]
  const found = [];
  if (unit.closed !== undefined) {
    const box = boxes[unit.closed];
    found.push(["label", cut(titleOf(box), 30), 0]);
    found.push(["dim", unit.ops.length === 1 ? nameOf(unit.ops[0]) : `${unit.ops.length} operations`, 0]);
  } else {
    found.push(["label", cut(nameOf(Number(unit.id.slice(1))), 30), 0]);
    found.push(["dim", kind(arrays[nodes[Number(unit.id.slice(1))].v]), 0]);
  }
  const i = lead(unit), node = nodes[i];
  if (unit.closed !== undefined) found.push(["dim", kind(arrays[node.v]), 0]);
  found.push(["value", preview(arrays[node.v], 24), valueFrom(i)]);
  if (node.g !== undefined) found.push(["value", "∂ " + preview(arrays[node.g], 24), gradientFrom(i)]);
  if (node.g !== undefined && lost(arrays[node.g])) found.push(["alarm", "⚠ gradient not finite", gradientFrom(i)]);
  if (node.bad) found.push(["alarm", `⚠ ${node.bad}${node.culprit ? ", made here" : ""}`, valueFrom(i)]);
  return found;
}

// The node whose value stands for a unit: its last result.
const lead = (unit) => (unit.ops.length ? unit.ops[unit.ops.length - 1] : unit.leaves[0]);

function measure(unit) {
  unit.lines = linesOf(unit);
  const opens = unit.closed !== undefined || nodes[lead(unit)].opens !== undefined;
  const room = { label: opens ? 44 : unit.ops.length ? 26 : 0 };  // for the marks beside the title
  unit.w = Math.ceil(Math.max(56, ...unit.lines.map(([k, text]) => widthOf(text, FONTS[k] || FONTS.label) + (room[k] || 0)))) + 22;
  const labels = unit.closed === undefined && unit.args.length > 1 ? unit.args.map((a) => widthOf(a.arg.l, "10.5px system-ui, sans-serif") + 12) : [];
  unit.w = Math.max(unit.w, Math.ceil(Math.max(0, ...labels)) * (unit.args.length + 1));
  unit.h = unit.lines.length * LINE + 12;
}

// Lays out one container (an open box, or the page) and all within; links: {unit, arg} of edges that end inside.
function arrange() {
  const containers = new Map([[undefined, { items: new Set(), edges: [], ports: new Map() }]]);
  for (const b of open) if (around(b).every((x) => open.has(x))) containers.set(b, { box: b, items: new Set(), edges: [], ports: new Map() });
  for (const unit of view.units.values()) { measure(unit); containers.get(unit.inside).items.add(unit); }
  for (const [b, c] of containers) if (b !== undefined) containers.get(boxes[b].p).items.add(c);
  const port = (c, key, side) => {
    const id = side + key;
    if (!c.ports.has(id)) {
      const item = { w: 8, h: 0, port: true, first: side === "in", last: side === "out" };
      c.ports.set(id, item);
      c.items.add(item);
    }
    return c.ports.get(id);
  };
  const connections = [];
  for (const unit of view.units.values()) unit.args.forEach((arg, n) => {
    const source = view.units.get(arg.from);
    const up = around(source.inside), down = around(unit.inside);
    let common = 0;
    while (common < up.length && common < down.length && up[common] === down[common]) common++;
    const parts = [];
    let item = source, at = () => source.w / 2;
    for (let d = up.length - 1; d >= common; d--) {
      const c = containers.get(up[d]), p = port(c, source.id, "out");
      parts.push({ c, from: item, to: p, out: at, into: () => p.w / 2 });
      item = c;
      at = () => p.x + p.w / 2 + PAD;
    }
    for (let d = common; d <= down.length; d++) {
      const c = containers.get(d === 0 ? undefined : down[d - 1]);
      const from = item, out = at;
      if (d === down.length) parts.push({ c, from, to: unit, out, into: () => (unit.w * (n + 1)) / (unit.args.length + 1) });
      else {
        const inner = containers.get(down[d]), p = port(inner, source.id, "in");
        parts.push({ c, from, to: inner, out, into: () => p.x + p.w / 2 + PAD });
        item = p;
        at = () => p.w / 2;
      }
    }
    const kept = parts.map((part) => {  // edges to the same port run together
      const same = part.to.port && part.c.edges.find((e) => e.from === part.from && e.to === part.to);
      if (!same) part.c.edges.push(part);
      return same || part;
    });
    connections.push({ unit, arg, n, parts: kept });
  });
  const inner = [...containers.keys()].filter((b) => b !== undefined).sort((a, b) => around(b).length - around(a).length);
  for (const b of [...inner, undefined]) {
    const c = containers.get(b);
    const found = layered([...c.items], c.edges, 22, 34);
    c.w = Math.max(found.w, b === undefined ? 0 : widthOf(titleOf(boxes[b]), FONTS.label) + 40) + 2 * PAD;
    c.h = found.h + HEAD + 2 * PAD;
  }
  const root = containers.get(undefined);
  const place = [[root, -PAD, -HEAD - PAD]];
  while (place.length) {  // from relative to absolute positions
    const [c, x, y] = place.pop();
    c.left = x;
    c.topY = y;
    for (const item of c.items) {
      item.absX = x + PAD + item.x;
      item.absY = y + HEAD + PAD + item.y;
      if (item.items) place.push([item, item.absX, item.absY]);
    }
  }
  size = { w: root.w - 2 * PAD, h: root.h - HEAD - 2 * PAD };
  return { containers, connections };
}

function outline(unit) {
  const box = { class: "shape", x: 0, y: 0, width: unit.w, height: unit.h };
  const node = nodes[lead(unit)];
  const round = unit.ops.length ? 10 : 0;
  const shapes = [draw("rect", { ...box, rx: round })];
  const double = unit.closed !== undefined || ["loss", "leaf", "parameter"].includes(node.k);
  if (double) shapes.push(draw("rect", { class: "second", x: 3, y: 3, width: unit.w - 6, height: unit.h - 6, rx: Math.max(round - 3, 0) }));
  return shapes;
}

function render() {
  const { containers, connections } = arrange();
  const svg = draw("svg", { role: "group", "aria-label": "The graph, arguments above results", viewBox: `-6 -6 ${size.w + 12} ${size.h + 12}` });
  svg.append(draw("defs", {}, ...["end", "begin"].map((id) => draw("marker", {
    id: "arrow-" + id, viewBox: "0 0 8 8", refX: id === "end" ? 7 : 1, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto", markerUnits: "userSpaceOnUse",
  }, draw("path", { d: id === "end" ? "M0 0L8 4L0 8Z" : "M8 0L0 4L8 8Z" })))));
  const open_ = [...containers.values()].filter((c) => c.box !== undefined).sort((a, b) => around(a.box).length - around(b.box).length);
  for (const c of open_) svg.append(draw("rect", { class: "frame", x: c.left, y: c.topY, width: c.w, height: c.h, rx: 8 }));
  view.edges = connections.map(({ unit, arg, n, parts }) => {
    const cutAt = parts.reduce((last, part, i) => (part.cut ? i : last), -1);
    const points = parts.slice(Math.max(cutAt, 0)).flatMap((part) => part.points.map(([x, y]) => [x + part.c.left + PAD, y + part.c.topY + HEAD + PAD]));
    const line = draw("path", { class: "edge" + (arg.tracked ? "" : " untracked"), d: path(points), "marker-end": "url(#arrow-end)", "aria-hidden": "true" });
    svg.append(line);
    if (cutAt >= 0) svg.append(draw("text", { class: "arg", x: points[0][0] - 4, y: points[0][1] - 1, "aria-hidden": "true" }, `${nameOf(arg.source)} ↓`));
    const [x, y] = points[points.length - 1];
    if (unit.closed === undefined && nodes[arg.node].a.length > 1) svg.append(draw("text", { class: "arg", x: x + 4, y: y - 9, "aria-hidden": "true" }, arg.arg.l));
    return { unit, arg, line };
  });
  const things = [];
  for (const c of open_) things.push({ order: 2 * Math.min(...firstOf(c.box)) - 1, element: heading(c) });
  for (const unit of view.units.values()) things.push({ order: 2 * Math.min(...unit.ops, ...unit.leaves), element: drawn(unit) });
  things.sort((a, b) => a.order - b.order).forEach((thing) => svg.append(thing.element));
  document.getElementById("picture").replaceChildren(svg);
  zoom(1);
}

const firstOf = (b) => nodes.flatMap((node, i) => (around(node.b).includes(b) ? [i] : [])).concat(Infinity);

function heading(c) {
  const title = titleOf(boxes[c.box]);
  return draw("g", { class: "head", id: "b" + c.box, tabindex: 0, role: "button", "aria-expanded": "true", "aria-label": `${title}, open box: close it`, transform: `translate(${c.left} ${c.topY})` },
    draw("rect", { class: "shape", x: 0, y: 0, width: c.w, height: HEAD - 4, rx: 8 }),
    draw("text", { class: "label", x: 10, y: 16 }, `− ${title}`));
}

function drawn(unit) {
  const box = unit.closed !== undefined ? unit.closed : nodes[lead(unit)].opens;
  const class_ = unit.closed !== undefined ? "node loss" : "node " + nodes[lead(unit)].k;
  const group = draw("g", { class: class_, id: unit.id, tabindex: 0, role: "button", "aria-expanded": box === undefined ? undefined : "false", transform: `translate(${unit.absX} ${unit.absY})` }, ...outline(unit));
  unit.texts = unit.lines.map(([k], i) => draw("text", { class: k === "value" ? "value" : k === "label" ? "label" : k, x: 11, y: 19 + i * LINE }));
  group.append(...unit.texts);
  if (box !== undefined) group.append(draw("text", { class: "label", x: unit.w - 19, y: 18, "aria-hidden": "true" }, "+"));
  unit.mark = draw("text", { class: "mark", x: unit.w - (box !== undefined ? 36 : 19), y: 18, "aria-hidden": "true" });
  group.append(unit.mark);
  unit.element = group;
  return group;
}

// The marks of one step.
function mark(step, at) {
  for (const unit of view.units.values()) {
    const now = step.unit === unit;
    const i = lead(unit);
    const reached = at >= (unit.forward || 0);
    unit.element.classList.toggle("now", now);
    unit.element.classList.toggle("later", !reached);
    for (const phase of ["forward", "backward"]) unit.element.classList.toggle(phase, now && step.phase === phase);
    unit.mark.textContent = now ? (step.phase === "forward" ? "▼" : "▲") : "";
    unit.lines.forEach(([k, text, from], n) => {
      unit.texts[n].textContent = at >= from ? text : k === "alarm" ? "" : text.startsWith("∂") ? "∂ not yet" : "not yet";
    });
    const kindOf = unit.closed !== undefined ? "closed box" : nodes[i].k === "data" ? "data" : nodes[i].k === "leaf" || nodes[i].k === "parameter" ? nodes[i].k + " that requires a gradient" : nodes[i].k;
    const said = unit.lines.slice(0).map((l, n) => unit.texts[n].textContent.replace("∂", "gradient")).filter(Boolean).join(", ");
    unit.element.setAttribute("aria-label", `${said}; ${kindOf}${now ? "; this step" : ""}`);
    if (now) unit.element.setAttribute("aria-current", "step"); else unit.element.removeAttribute("aria-current");
  }
  for (const { unit, arg, line } of view.edges) {
    const now = step.unit === unit && (step.phase === "forward" || (step.phase === "backward" && arg.tracked));
    line.classList.toggle("now", now);
    for (const phase of ["forward", "backward"]) line.classList.toggle(phase, now && step.phase === phase);
    line.setAttribute(now && step.phase === "backward" ? "marker-start" : "marker-end", `url(#arrow-${now && step.phase === "backward" ? "begin" : "end"})`);
    line.removeAttribute(now && step.phase === "backward" ? "marker-end" : "marker-start");
  }
  if (step.unit) reveal(step.unit);
}

function reveal(unit) {  // scroll the picture, not the page
  const picture = document.getElementById("picture");
  const x = (unit.absX + 6) * scale, y = (unit.absY + 6) * scale, w = unit.w * scale, h = unit.h * scale, room = 24;
  if (x < picture.scrollLeft + room || x + w > picture.scrollLeft + picture.clientWidth - room) picture.scrollLeft = x + w / 2 - picture.clientWidth / 2;
  if (y < picture.scrollTop + room || y + h > picture.scrollTop + picture.clientHeight - room) picture.scrollTop = y + h / 2 - picture.clientHeight / 2;
}

function zoom(factor) {
  scale = Math.min(2.5, Math.max(0.3, scale * factor));
  const svg = document.querySelector("#picture svg");
  svg.setAttribute("width", (size.w + 12) * scale);
  svg.setAttribute("height", (size.h + 12) * scale);
}
