// The panel: what this step computes, in words, in mathematics and in numbers.

function valueRow(name, index, note) {
  const array = arrays[index];
  const whole = make("div", { class: "whole", role: "region", tabindex: "0", "aria-label": `${name}: all values`, hidden: "" });
  const button = make("button", { type: "button", class: "array", "aria-expanded": "false", "data-array": index }, `${kind(array)}: ${preview(array)}`);
  button.addEventListener("click", () => {
    whole.hidden = !whole.hidden;
    if (!whole.childNodes.length) whole.append(table(array));
    button.setAttribute("aria-expanded", String(!whole.hidden));
  });
  hovers(button, () => [[name, index]]);
  return make("li", {}, make("span", { class: "name" }, name), note ? make("span", { class: "note" }, " " + note) : null, button, whole);
}

const constantRow = (name, text, note) => make("li", {}, make("span", { class: "name" }, name), ` = ${text}`, note ? make("span", { class: "note" }, " " + note) : null);
const list = (rows) => make("ul", { class: "values" }, rows);
const called = (i) => `${nameOf(i)}${isOp(nodes[i]) || !nodes[i].n ? "" : ` (${nodes[i].k})`}`;

function lineOf(i) {
  const line = lines[nodes[i].l];
  if (line === undefined) return [make("h3", {}, "Called from"), make("p", { class: "note" }, data.unrecorded)];
  return [make("h3", {}, "Called from"), make("p", { class: "code" }, `${line.f}:${line.n}`), line.s ? make("code", { class: "math" }, line.s) : null];
}

function place(i) {
  const chain = around(nodes[i].b).filter((b) => open.has(b)).map((b) => titleOf(boxes[b]));
  return chain.length ? make("p", { class: "where" }, "in " + chain.join(" › ")) : null;
}

function trouble_(i) {
  const node = nodes[i];
  if (!node.bad) return null;
  return make("p", { class: "bad" }, `⚠ The result holds ${node.bad}${node.culprit ? ": it was made here, its inputs hold none" : ", which came in with an input"}.`);
}

function forwardOf(i) {
  const node = nodes[i], text = texts[node.t];
  const inputs = node.a.map((arg) => {
    if (arg.i === undefined) return constantRow(arg.l, arg.c, "a number");
    const source = carrier(arg.i);
    return valueRow(arg.l, nodes[source].v, `from ${called(source)}`);
  });
  return [
    make("p", {}, text.what), make("code", { class: "math" }, text.formula),
    node.o.length ? make("p", { class: "note" }, `with ${node.o.join(", ")}`) : null,
    make("h3", {}, "Inputs"), list(inputs),
    make("h3", {}, "Result"), list([valueRow("y", node.v)]), trouble_(i),
  ];
}

function incoming(i) {
  const node = nodes[i];
  const parts = (view.consumers.get(i) || []).filter((c) => c.arg.g !== undefined);
  const rows = [valueRow("g = ∂L/∂y", node.g)];
  const found = [make("h3", {}, "Incoming gradient")];
  if (view.results.has(i)) found.push(make("p", {}, parts.length ? "The walk starts here, and more arrives from later uses." : data.seed));
  else if (parts.length > 1) found.push(make("p", {}, `The result is used ${parts.length} times: what comes back from each use is added.`));
  found.push(list(rows));
  if (parts.length > 1) found.push(make("details", {}, make("summary", {}, "The parts"), list(parts.map((c) => valueRow(`from ${nameOf(c.node)}`, c.arg.g, `through its ${c.arg.l}`)))));
  return found;
}

function outgoing(i) {
  const node = nodes[i], text = texts[node.t];
  return node.a.map((arg) => {
    const to = arg.i === undefined ? null : carrier(arg.i);
    const name = `∂L/∂${arg.l}`;
    if (to === null) return constantRow(name, "none", "(a number: no gradient needed)");
    if (arg.g === undefined) return constantRow(name, "none", nodes[to].k === "data" ? `(to ${called(to)}: it does not require a gradient)` : `(to ${called(to)}: no gradient flows this way)`);
    const row = valueRow(name, arg.g, `to ${called(to)}`);
    const pull = text.pulls[arg.p];
    if (pull) row.insertBefore(make("code", { class: "math" }, `${name} = ${pull}`), row.querySelector("button"));
    if (arg.f) row.append(make("p", { class: "note" }, `The rule gave ${arg.f}; the engine summed or cast it to fit ${arg.l}, which was repeated or converted on the way forward.`));
    return row;
  });
}

function spoiled(i) {
  const bad = nodes[i].a.filter((arg) => arg.g !== undefined && lost(arrays[arg.g]));
  if (!bad.length || lost(arrays[nodes[i].g])) return null;
  return make("p", { class: "bad" }, `⚠ The gradient to ${bad.map((arg) => arg.l).join(" and ")} is not finite: it was made here, what came in is finite.`);
}

function backwardOf(i) {
  const node = nodes[i], text = texts[node.t];
  if (node.g === undefined) return [make("p", {}, "No gradient reaches this operation.")];
  return [...incoming(i), make("h3", {}, "Rule"), make("code", { class: "math" }, text.formula), make("p", {}, text.rule), make("h3", {}, "Outgoing gradients"), list(outgoing(i)), spoiled(i)];
}

function boxForward(unit) {
  const inside = unit.ops.map(nameOf).join(", ");
  return [
    make("p", {}, `${unit.ops.length} operations at once: ${inside}. Open the box to see each.`),
    make("h3", {}, "Inputs"), list(unit.args.map((a) => valueRow(called(a.source), nodes[a.source].v))),
    unit.leaves.length ? make("h3", {}, "Held inside") : null,
    unit.leaves.length ? list(unit.leaves.map((i) => valueRow(called(i), nodes[i].v))) : null,
    make("h3", {}, "Result"), list([valueRow("y", nodes[lead(unit)].v)]), trouble_(lead(unit)),
  ];
}

function boxBackward(unit) {
  const out = [];
  for (const i of unit.ops) for (const arg of nodes[i].a) {
    if (arg.g === undefined || shownAs(arg.i) === unit.id) continue;
    const source = carrier(arg.i);
    out.push(valueRow(`∂L/∂${nameOf(source)}`, arg.g, `through ${arg.l} of ${nameOf(i)}`));
  }
  const held = unit.leaves.filter((i) => nodes[i].g !== undefined);
  return [
    ...incoming(lead(unit)),
    make("h3", {}, "Rule"), make("p", {}, `The rules of ${unit.ops.length} operations, one after the other, from the last to the first. Open the box to see each.`),
    make("h3", {}, "Outgoing gradients"), list([...out, ...held.map((i) => valueRow(`∂L/∂${nameOf(i)}`, nodes[i].g, `to ${called(i)}, inside`))]),
  ];
}

function leavesOf() {
  return nodes.flatMap((node, i) => (!isOp(node) && !around(node.b).some((b) => boxes[b].k === "loss") ? [i] : []));
}

function panelOf(step, at) {
  const head = (phase, word, title) => [make("h2", {}, title), make("p", {}, make("span", { class: `phase ${phase}` }, word))];
  if (step.phase === "start") {
    const rows = leavesOf().map((i) => valueRow(called(i), nodes[i].v, nodes[i].k === "data" ? "" : "requires a gradient"));
    return [...head("forward", "start", "What the tape starts from"), make("p", {}, data.intro), list(rows)];
  }
  if (step.phase === "end") {
    const rows = leavesOf().filter((i) => nodes[i].k !== "data").map((i) =>
      nodes[i].g === undefined ? constantRow(`∂L/∂${nameOf(i)}`, "none", "no gradient reached it") : valueRow(`∂L/∂${nameOf(i)}`, nodes[i].g, called(i)));
    return [...head("backward", "end", "The gradients have arrived"), make("p", {}, "This is what backward() adds to .grad of each leaf. This page has only computed it: no .grad was changed."), list(rows)];
  }
  const unit = step.unit, single = unit.ops.length === 1 ? unit.ops[0] : undefined;
  const title = unit.closed !== undefined ? titleOf(boxes[unit.closed]) : nameOf(single);
  const word = step.phase === "forward" ? "▼ forward" : "▲ backward";
  const body = single === undefined
    ? (step.phase === "forward" ? boxForward(unit) : boxBackward(unit))
    : (step.phase === "forward" ? forwardOf(single) : backwardOf(single));
  const inside = single !== undefined && unit.closed !== undefined ? make("p", { class: "where" }, `one operation: ${nameOf(single)}`) : null;
  return [...head(step.phase, word, title), single === undefined ? null : place(single), inside, ...body, ...lineOf(lead(unit))];
}
