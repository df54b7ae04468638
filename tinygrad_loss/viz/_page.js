// Steps, keys, clicks and the popover.

const at = { step: 0 };
const find = (id) => document.getElementById(id);
const popover = find("popover");
let hiding = 0;

function hidePopover() {
  clearTimeout(hiding);
  popover.hidden = true;
}

// Show values beside `element` while the pointer or the focus is on it; the pointer may move into the popover.
function hovers(element, what, focus) {
  const show = () => {
    clearTimeout(hiding);
    const rows = what();
    if (!rows.length) return;
    popover.replaceChildren(...rows.flatMap(([name, index, note]) => [make("h3", {}, name), index === undefined ? make("p", { class: "note" }, note) : table(arrays[index])]));
    popover.hidden = false;
    const box = element.getBoundingClientRect(), own = popover.getBoundingClientRect();
    const beside = box.right + 8 + own.width <= innerWidth ? box.right + 8 : Math.max(4, box.left - own.width - 8);
    popover.style.left = `${Math.max(4, Math.min(beside, innerWidth - own.width - 4))}px`;
    popover.style.top = `${Math.max(4, Math.min(box.top, innerHeight - own.height - 4))}px`;
  };
  const hide = () => { clearTimeout(hiding); hiding = setTimeout(hidePopover, 250); };
  element.addEventListener("mouseenter", show);
  element.addEventListener("mouseleave", hide);
  element.addEventListener("blur", hidePopover);
  if (focus) element.addEventListener("focus", () => { if (element.matches(":focus-visible")) show(); });
}
popover.addEventListener("mouseenter", () => clearTimeout(hiding));
popover.addEventListener("mouseleave", hidePopover);

function valuesOf(unit) {
  const i = lead(unit), node = nodes[i];
  const rows = [at.step >= valueFrom(i) ? [`${nameOf(i)}: value`, node.v] : [`${nameOf(i)}: value`, undefined, "not computed yet"]];
  if (node.g !== undefined) rows.push(at.step >= gradientFrom(i) ? ["gradient", node.g] : ["gradient", undefined, "not computed yet"]);
  else rows.push(["gradient", undefined, node.k === "data" ? "none: it does not require one" : "none reaches it"]);
  return rows;
}

function nameOfStep(step) {
  if (step.phase === "start" || step.phase === "end") return step.phase;
  return `${step.phase}, ${step.unit.closed !== undefined ? titleOf(boxes[step.unit.closed]) : nameOf(step.unit.ops[0])}`;
}

function go(n) {
  const last = view.steps.length - 1;
  at.step = Math.max(0, Math.min(last, n));
  const step = view.steps[at.step];
  hidePopover();
  find("panel").replaceChildren(...panelOf(step, at.step).filter(Boolean));
  find("panel").scrollTop = 0;
  mark(step, at.step);
  const words = `Step ${at.step} of ${last}: ${nameOfStep(step)}`;
  find("slider").value = at.step;
  find("slider").setAttribute("aria-valuetext", words);
  find("count").textContent = `step ${at.step} of ${last}`;
  const result = step.unit ? lead(step.unit) : undefined;
  const index = result === undefined ? undefined : nodes[result][step.phase === "forward" ? "v" : "g"];
  find("status").textContent = index === undefined ? words : `${words}; ${step.phase === "forward" ? "result" : "incoming gradient"} ${kind(arrays[index])}, ${preview(arrays[index])}`;
  for (const [id, off] of [["first", 0], ["back", 0], ["next", last], ["last", last]]) find(id).setAttribute("aria-disabled", String(at.step === off));
  document.body.dataset.step = at.step;
  document.body.dataset.phase = step.phase;
}

// Draw again after boxes opened or closed, at the step that shows the same operation as before.
function refresh() {
  const old = view && view.steps[at.step];
  look();
  find("slider").max = view.steps.length - 1;
  render();
  for (const unit of view.units.values()) connect(unit);
  for (const head of document.querySelectorAll(".head")) {
    activate(head, () => toggle(Number(head.id.slice(1))));
  }
  let step = 0;
  if (old && old.phase === "end") step = view.steps.length - 1;
  if (old && old.unit) {
    const seen = old.unit.ops.map(carrier), order = old.phase === "forward" ? seen : seen.slice().reverse();
    const unit = order.map((i) => view.units.get(shownAs(i))).find((u) => u && u[old.phase]);
    step = unit ? unit[old.phase] : 0;
  }
  go(step);
}

function activate(element, action) {
  element.addEventListener("click", action);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    action();
  });
}

function toggle(box) {
  if (open.has(box)) open.delete(box); else open.add(box);
  refresh();
  const shown = find("b" + box) || (boxes[box].node === undefined ? null : find("n" + boxes[box].node));
  if (shown) shown.focus();
}

function connect(unit) {
  const box = unit.closed !== undefined ? unit.closed : nodes[lead(unit)].opens;
  hovers(unit.element, () => valuesOf(unit), true);
  activate(unit.element, () => {
    if (box !== undefined) return toggle(box);
    const back = view.steps[at.step].phase === "backward" || view.steps[at.step].phase === "end";
    if (unit.ops.length) go((back && unit.backward) || unit.forward);
    else go(back ? view.steps.length - 1 : 0);
    return undefined;
  });
}

find("first").addEventListener("click", () => go(0));
find("last").addEventListener("click", () => go(Infinity));
find("back").addEventListener("click", () => go(at.step - 1));
find("next").addEventListener("click", () => go(at.step + 1));
find("slider").addEventListener("input", (event) => go(Number(event.target.value)));
find("open-all").addEventListener("click", () => { boxes.forEach((_, i) => { if (real(i)) open.add(i); }); refresh(); });
find("close-all").addEventListener("click", () => { open.clear(); refresh(); });
find("smaller").addEventListener("click", () => zoom(1 / 1.2));
find("larger").addEventListener("click", () => zoom(1.2));
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.id === "slider") return;
  const to = { ArrowRight: at.step + 1, ArrowLeft: at.step - 1, Home: 0, End: Infinity }[event.key];
  if (event.key === "Escape") hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  go(to);
});
refresh();
