// Places the things of one box in layers, arguments above results. An open box inside is one thing whose inside
// was placed before, so nothing ever overlaps.

// Positions near `wanted`, in this order and at least `gaps` apart: least squares, by pooling neighbours.
function spaced(wanted, gaps) {
  const blocks = [];
  let offset = 0;
  wanted.forEach((w, i) => {
    offset += i ? gaps[i - 1] : 0;
    let block = { sum: w - offset, count: 1, offsets: [offset] };
    while (blocks.length && blocks[blocks.length - 1].sum / blocks[blocks.length - 1].count >= block.sum / block.count) {
      const before = blocks.pop();
      block = { sum: before.sum + block.sum, count: before.count + block.count, offsets: before.offsets.concat(block.offsets) };
    }
    blocks.push(block);
  });
  return blocks.flatMap((b) => b.offsets.map((o) => b.sum / b.count + o));
}

const MOST_BENDS = 300;

// items: {w, h, first?, last?, links: []}; edges: {from, to, out(): x in from, into(): x in to}.
// Sets item.x, item.y (left, top), edge.points, and edge.cut where only its end is drawn; returns {w, h}.
function layered(items, edges, gapX, gapY) {
  const layerOf = new Map(items.map((it) => [it, it.first ? 0 : 1]));
  const arriving = new Map(items.map((it) => [it, []])), leaving = new Map(items.map((it) => [it, []]));
  for (const e of edges) { arriving.get(e.to).push(e); leaving.get(e.from).push(e); }
  const waiting = new Map(items.map((it) => [it, arriving.get(it).length]));
  const ready = items.filter((it) => !waiting.get(it)), order = [];
  while (ready.length) {
    const it = ready.shift();
    order.push(it);
    for (const e of leaving.get(it)) {
      layerOf.set(e.to, Math.max(layerOf.get(e.to), layerOf.get(it) + 1));
      waiting.set(e.to, waiting.get(e.to) - 1);
      if (!waiting.get(e.to)) ready.push(e.to);
    }
  }
  for (const it of order.slice().reverse())  // what has no arguments stands just above its first use
    if (!it.first && !arriving.get(it).length && leaving.get(it).length)
      layerOf.set(it, Math.min(...leaving.get(it).map((e) => layerOf.get(e.to))) - 1);
  const bottom = Math.max(0, ...layerOf.values());
  for (const it of items) if (it.last) layerOf.set(it, Math.max(bottom, 1));
  const used = [...new Set(layerOf.values())].sort((a, b) => a - b);
  const layers = used.map(() => []), rank = new Map(used.map((l, i) => [l, i]));
  for (const it of order) layers[rank.get(layerOf.get(it))].push(it);
  layers.forEach((layer, i) => layer.forEach((it) => { it.layer = i; it.up = []; it.down = []; }));
  const hops = [];
  const spans = edges.map((e) => e.to.layer - e.from.layer).sort((a, b) => a - b);
  let most = Infinity;  // edges over more layers than that are cut: in a large graph they would be most of it
  for (let i = 0, bends = 0; i < spans.length; i++) {
    bends += spans[i] - 1;
    if (bends > MOST_BENDS) { most = Math.max(spans[i] - 1, 4); break; }
  }
  for (const e of edges) {  // an edge that passes layers bends around what stands in them
    e.cut = e.to.layer - e.from.layer > most;
    if (e.cut) { e.chain = []; continue; }
    e.chain = [e.from];
    for (let l = e.from.layer + 1; l < e.to.layer; l++) {
      const bend = { w: 8, h: 0, bend: true, layer: l, up: [], down: [] };
      layers[l].push(bend);
      e.chain.push(bend);
    }
    e.chain.push(e.to);
    for (let i = 1; i < e.chain.length; i++) {
      const hop = { a: e.chain[i - 1], b: e.chain[i], e, start: i === 1, end: i === e.chain.length - 1 };
      hop.a.down.push(hop); hop.b.up.push(hop); hops.push(hop);
    }
  }
  const outX = (hop) => (hop.start ? hop.e.out() : hop.a.w / 2), inX = (hop) => (hop.end ? hop.e.into() : hop.b.w / 2);
  for (const layer of layers) layer.forEach((it, i) => { it.at = i; });
  for (let sweep = 0; sweep < 12; sweep++) {  // each thing towards the middle of what it is joined to
    const down = sweep % 2 === 0;
    for (const layer of down ? layers.slice(1) : layers.slice(0, -1).reverse()) {
      for (const it of layer) {
        const to = down ? it.up : it.down;
        const sum = to.reduce((s, hop) => {
          const other = down ? hop.a : hop.b;
          return s + other.at + (down ? outX(hop) : inX(hop)) / (other.w || 1) - 0.5;
        }, 0);
        it.key = to.length ? sum / to.length : it.at;
      }
      layer.sort((a, b) => a.key - b.key || a.at - b.at);
      layer.forEach((it, i) => { it.at = i; });
    }
  }
  for (const layer of layers) {
    let x = 0;
    for (const it of layer) { it.x = x; x += it.w + gapX; }
  }
  for (let sweep = 0; sweep < 24; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : layers.slice().reverse()) {
      const wanted = layer.map((it) => {
        let to = down ? it.up : it.down;
        if (!to.length) to = [...it.up, ...it.down];
        if (!to.length) return it.x;
        return to.reduce((s, hop) => (hop.b === it ? s + hop.a.x + outX(hop) - inX(hop) : s + hop.b.x + inX(hop) - outX(hop)), 0) / to.length;
      });
      const gaps = layer.slice(1).map((it, i) => layer[i].w + (it.bend || layer[i].bend ? gapX / 2 : gapX));
      spaced(wanted, gaps).forEach((x, i) => { layer[i].x = x; });
    }
  }
  const shift = layers.flat().reduce((least, it) => Math.min(least, it.x), Infinity);
  let y = 0, width = 0, below = 0;
  for (const layer of layers) {
    const h = Math.max(0, ...layer.map((it) => it.h));
    for (const it of layer) {
      it.x -= shift;
      it.y = y + (h - it.h) / 2;
      it.top = y;
      it.bottom = y + h;
      width = Math.max(width, it.x + it.w);
    }
    const gap = h ? gapY : gapY / 2;  // where edges only enter or leave a box
    y += h + gap;
    below = gap;
  }
  for (const e of edges) {
    e.points = e.cut ? [[e.to.x + e.into(), e.to.top - 14], [e.to.x + e.into(), e.to.y]] : [];
    e.chain.forEach((it, i) => {
      if (i === 0) e.points.push([it.x + e.out(), it.y + it.h], [it.x + e.out(), it.bottom]);
      else if (i === e.chain.length - 1) e.points.push([it.x + e.into(), it.top], [it.x + e.into(), it.y]);
      else e.points.push([it.x + it.w / 2, it.top], [it.x + it.w / 2, it.bottom]);
    });
  }
  return { w: width, h: Math.max(0, y - below) };
}

// A smooth line through the points: straight where it goes down, bent between layers.
function path(points) {
  let d = `M${points[0][0].toFixed(1)} ${points[0][1].toFixed(1)}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i];
    if (Math.abs(x0 - x1) + Math.abs(y0 - y1) < 0.1) continue;  // an arrowhead takes its direction from the last piece
    if (Math.abs(x0 - x1) < 0.05) d += `L${x1.toFixed(1)} ${y1.toFixed(1)}`;
    else {
      const m = ((y0 + y1) / 2).toFixed(1);
      d += `C${x0.toFixed(1)} ${m} ${x1.toFixed(1)} ${m} ${x1.toFixed(1)} ${y1.toFixed(1)}`;
    }
  }
  return d;
}
