// What is visible: with some boxes open and others closed, which things stand in the picture, how they are joined,
// and in which order the tape computes them.

const data = JSON.parse(document.getElementById("data").textContent);
const { nodes, boxes, arrays, texts, lines } = data;
const open = new Set(data.open);

const isOp = (node) => node.k === "operation" || node.k === "loss";
const nameOf = (i) => nodes[i].n || { data: "data", leaf: "leaf", parameter: "parameter" }[nodes[i].k];
const real = (b) => !boxes[b].skip;
const titleOf = (box) => (box.n === box.t || box.k === "loss" ? box.n : `${box.n}: ${box.t}`);

function around(box) {  // the boxes around something in `box`, outermost first
  const found = [];
  for (let b = box; b !== undefined; b = boxes[b].p) found.unshift(b);
  return found;
}

// The thing that shows node i now: "n7" for itself, "b2" for the closed module it is in.
function shownAs(i) {
  for (;;) {
    const hidden = around(nodes[i].b).find((b) => !open.has(b));
    if (hidden !== undefined && boxes[hidden].k !== "loss") return "b" + hidden;
    if (hidden !== undefined) i = boxes[hidden].node;
    else if (nodes[i].opens !== undefined && open.has(nodes[i].opens)) i = boxes[nodes[i].opens].result;
    else return "n" + i;
  }
}

// The node that carries the value of node i now: of an opened loss, its last operation.
function carrier(i) {
  while (nodes[i].opens !== undefined && open.has(nodes[i].opens)) i = boxes[nodes[i].opens].result;
  return i;
}

let view = null;

function look() {
  const units = new Map(), active = [];
  nodes.forEach((node, i) => {
    if (node.opens !== undefined && open.has(node.opens)) return;
    const chain = around(node.b);
    if (chain.some((b) => boxes[b].k === "loss" && !open.has(b))) return;
    const id = shownAs(i);
    if (!units.has(id)) {
      const closed = id[0] === "b" ? Number(id.slice(1)) : undefined;
      const inside = (closed === undefined ? node.b : boxes[closed].p);
      units.set(id, { id, closed, inside, ops: [], leaves: [], args: [] });
    }
    const unit = units.get(id);
    (isOp(node) ? unit.ops : unit.leaves).push(i);
    if (isOp(node)) active.push(i);
  });
  const consumers = new Map();  // node -> [{node, arg}] that use it, as the boxes are now
  for (const unit of units.values()) {
    for (const i of [...unit.ops, ...unit.leaves]) for (const arg of nodes[i].a) {
      if (arg.i === undefined) continue;
      const from = shownAs(arg.i), source = carrier(arg.i);
      if (isOp(nodes[i])) {
        if (!consumers.has(source)) consumers.set(source, []);
        consumers.get(source).push({ node: i, arg });
      }
      if (from === unit.id) continue;
      const known = unit.closed !== undefined && unit.args.find((a) => a.source === source);
      if (known) known.tracked = known.tracked || arg.g !== undefined;
      else unit.args.push({ from, source, arg, node: i, tracked: arg.g !== undefined });
    }
  }
  const ops = [...units.values()].filter((u) => u.ops.length).sort((a, b) => a.ops[0] - b.ops[0]);
  const steps = [{ phase: "start" }];
  for (const unit of ops) { unit.forward = steps.length; steps.push({ phase: "forward", unit }); }
  for (const unit of ops.slice().reverse()) {
    if (!unit.ops.some((i) => nodes[i].g !== undefined)) continue;
    unit.backward = steps.length;
    steps.push({ phase: "backward", unit });
  }
  steps.push({ phase: "end" });
  view = { units, ops, steps, consumers, results: new Set(data.results.map(carrier)) };
}

const unitOf = (i) => view.units.get(shownAs(i));

// From which step on the value and the gradient of node i are known.
const valueFrom = (i) => unitOf(i).forward || 0;
function gradientFrom(i) {
  if (nodes[i].g === undefined) return Infinity;
  const uses = (view.consumers.get(i) || []).filter((c) => c.arg.g !== undefined).map((c) => unitOf(c.node).backward);
  if (view.results.has(i)) uses.push(view.steps.findIndex((s) => s.phase === "backward" || s.phase === "end"));
  return Math.max(...uses);
}
