// The front in two or three objectives; with one objective, its progress over the evaluations.

const chart = { x: 0, y: Math.min(1, measures.length - 1), z: 2, three: false, cloud: true, baselines: true, zoom: null, view: null };
const DRAWN_ALL = 1000; // points of a cloud; above, overlapping points are drawn once
const CELLS = 64; // along an axis, to find overlaps

/** The rows to draw: all, or the last in each small cell of the axes (getters of the coordinates). */
function visible(rows, axes) {
  if (rows.length <= DRAWN_ALL) return rows;
  const cells = new Map();
  for (const i of rows) {
    const at = axes.map(({ get, low, high }) => Math.floor(((get(i) - low) / (high - low)) * CELLS));
    if (at.every((cell) => cell >= 0 && cell <= CELLS)) cells.set(at.reduce((key, cell) => key * (CELLS + 1) + cell, 0), i);
  }
  return [...cells.values()];
}

/** The axis of objective k for `visible`, within the shown range. */
function along(k, zoomed) {
  const { log, low, high } = measures[k];
  const place = log ? Math.log10 : (v) => v;
  const [from, to] = (zoomed ?? [low, high]).map(place);
  return { get: (i) => place(all.values[k][i]), low: from, high: to };
}

/** The zoomed range of an axis, or null. */
const zoomOf = (name) => (chart.zoom?.[name] ?? null);

function axesControls() {
  const select = (label, key) => {
    const made = element("select", { change: () => { chart[key] = Number(made.value); changeAxes(); } },
      measures.map((measure, k) => element("option", { value: k, selected: chart[key] === k }, measure.name)));
    return element("label", { "data-axis": key }, label, made);
  };
  const cloud = element("input", { type: "checkbox", checked: true, change: () => { chart.cloud = cloud.checked; drawFront(); } });
  const parts = [];
  if (measures.length > 1) parts.push(select("x axis", "x"), select("y axis", "y"));
  if (measures.length > 2) {
    parts.push(select("z axis", "z"));
    const buttons = ["2-D", "3-D"].map((name, three) => element("button", {
      type: "button", "aria-pressed": String(!three),
      click: () => {
        chart.three = Boolean(three);
        buttons.forEach((button, b) => button.setAttribute("aria-pressed", String(b === three)));
        showDepth();
        changeAxes();
      },
    }, name));
    parts.unshift(element("span", { role: "group", "aria-label": "View" }, buttons[0], " ", buttons[1]));
  }
  parts.push(element("label", {}, cloud, "dominated points"));
  if (baselineRuns.length && measures.length > 1) {
    const shown = element("input", { type: "checkbox", checked: true, change: () => { chart.baselines = shown.checked; drawFront(); } });
    parts.push(element("label", {}, shown, "baselines"));
  }
  parts.push(element("button", { type: "button", id: "save-image", click: () => saveAsImage(chart.view, "front.png") }, "Save as PNG"));
  byId("axes").append(...parts);
  showDepth();
}

function showDepth() {
  const depth = document.querySelector('[data-axis="z"]');
  if (depth) depth.hidden = !chart.three;
  if (depth) depth.style.display = chart.three ? "" : "none";
}

/** The groups of points of run r, each { name, rows, style }. */
function groups(r, rows, best) {
  const own = look(r);
  const called = (name) => (several ? page.runs[r].name : name);
  const inPair = new Set(best);
  const cloudColour = several ? own.colour : colour("cloud");
  const first = several ? own.colour : colour("front");
  const found = [];
  if (chart.cloud) {
    found.push({ name: called("evaluated"), rows: rows.filter((i) => !all.front[i] && !inPair.has(i) && !all.outside[i]), marker: { color: cloudColour, size: 5, opacity: several ? 0.3 : 0.65, symbol: own.mark } });
    found.push({ name: called("outside the limits"), rows: rows.filter((i) => all.outside[i]), marker: { color: cloudColour, size: 6, opacity: 0.5, symbol: `${own.mark}-open` } });
  }
  found.push({ name: called(chart.three || measures.length < 3 ? "front" : "rest of the front"), rows: rows.filter((i) => all.front[i] && !inPair.has(i)), marker: { color: several ? own.colour : colour("rest"), size: several ? 7 : 8, opacity: several ? 0.55 : 0.9, symbol: own.mark, edge: colour("ground") } });
  found.push({ name: called(measures.length > 2 && !chart.three ? "front in these two" : "front"), rows: best, marker: { color: first, size: 10, symbol: own.mark, edge: colour("ground") }, top: true });
  return found.filter((group) => group.rows.length);
}

function traces2d(a, b) {
  const found = [];
  page.runs.forEach((_, r) => {
    const rows = state.passing.filter((i) => all.run[i] === r);
    const best = nonDominated(rows, a === b ? [a] : [a, b]);
    if (a !== b) found.push(...besideTraces(r, rows.filter((i) => all.front[i]), { x: a, y: b }));
    if (best.length > 1) {
      found.push({ ...border(best.map((i) => [all.values[a][i], all.values[b][i]])), line: { color: several ? look(r).colour : colour("front"), width: 1.8, dash: look(r).line } });
    }
    for (const group of groups(r, rows, best)) {
      const drawn = group.top ? group.rows : visible(group.rows, [along(a, zoomOf("x")), along(b, zoomOf("y"))]);
      found.push({ title: group.name, x: drawn.map((i) => all.values[a][i]), y: drawn.map((i) => all.values[b][i]), rows: drawn, marker: group.marker, named: !several || Boolean(group.top) });
    }
  });
  return found;
}

/** The intervals and the measured values of front rows, where an objective of the `axes`, { x: place, ... }, is noisy. */
function besideTraces(r, rows, axes) {
  const found = [];
  const names = Object.keys(axes);
  const tone = several ? look(r).colour : colour("front");
  const at = (i, name) => (axes[name] === null ? all.order[i] : all.values[axes[name]][i]);
  for (const name of names) {
    const k = axes[name];
    const those = k !== null && beside[k] ? rows.filter((i) => known(beside[k].low[i])) : [];
    if (!those.length) continue;
    const column = (other, of) => (other === name ? of : those.map((i) => at(i, other)));
    const bars = (other) => those.flatMap((i) => (other === name ? [beside[k].low[i], beside[k].high[i], null] : [at(i, other), at(i, other), null]));
    found.push({ ...Object.fromEntries(names.map((other) => [other, bars(other)])), line: { color: tone, width: 0.9, opacity: 0.4 } });
    found.push({ ...Object.fromEntries(names.map((other) => [other, column(other, those.map((i) => beside[k].measured[i]))])), title: `${measures[k].name} as measured`, named: !r, marker: { color: tone, size: 7, opacity: 0.55, symbol: "x" } });
  }
  return found;
}

function tracesOfOne() {
  const found = [];
  page.runs.forEach((_, r) => {
    const rows = state.passing.filter((i) => all.run[i] === r && all.order[i] !== null);
    const best = rows.filter((i) => all.front[i]);
    found.push(...besideTraces(r, best, { x: null, y: 0 }));
    let reached = Infinity;
    const usable = rows.filter((i) => !all.outside[i] && !all.unrated[i]);
    const course = usable.map((i) => (reached = Math.min(reached, signs[0] * all.values[0][i])) * signs[0]);
    const at = usable.map((i) => all.order[i]);
    found.push({ x: at, y: course, line: { steps: true, width: 1.8, color: several ? look(r).colour : colour("front"), dash: look(r).line } });
    for (const group of groups(r, rows, best)) {
      const across = { get: (i) => all.order[i], low: 0, high: Math.max(...rows.map((i) => all.order[i])) || 1 };
      const drawn = group.top ? group.rows : visible(group.rows, [across, along(0, zoomOf("y"))]);
      found.push({ title: group.top ? group.name.replace(/front$/, "best") : group.name, x: drawn.map((i) => all.order[i]), y: drawn.map((i) => all.values[0][i]), rows: drawn, marker: group.marker, named: !several || Boolean(group.top) });
    }
  });
  return found;
}

function traces3d(a, b, c) {
  const found = [];
  page.runs.forEach((_, r) => {
    const rows = state.passing.filter((i) => all.run[i] === r);
    const best = rows.filter((i) => all.front[i]);
    found.push(...besideTraces(r, best, { x: a, y: b, z: c }));
    for (const group of groups(r, rows, best)) {
      const marker = { ...group.marker, size: group.top ? 9 : 4 };
      const drawn = group.top ? group.rows : visible(group.rows, [a, b, c].map((k) => along(k)));
      found.push({ title: group.name, x: drawn.map((i) => all.values[a][i]), y: drawn.map((i) => all.values[b][i]), z: drawn.map((i) => all.values[c][i]), rows: drawn, marker, layer: group.top ? 1 : 0, named: !several || Boolean(group.top) });
    }
  });
  return found;
}

/** A ring around the selected row in the current chart. */
function ring() {
  const i = state.chosen;
  const seen = i !== null && state.passing.includes(i);
  const at = (k) => (seen ? [all.values[k][i]] : [null]);
  const marker = { symbol: "circle-open", size: chart.three ? 16 : 19, color: colour("ink"), width: 2.5 };
  const shared = { title: "chosen", named: seen, marker, layer: 2 };
  if (chart.three) return { ...shared, x: at(chart.x), y: at(chart.y), z: at(chart.z) };
  if (measures.length === 1) return { ...shared, x: [seen ? all.order[i] : null], y: at(0) };
  return { ...shared, x: at(chart.x), y: at(chart.y) };
}

function frontAxes() {
  if (chart.three) return { x: measureAxis(chart.x), y: measureAxis(chart.y), z: measureAxis(chart.z) };
  const arrowed = (k, arrow, name) => measureAxis(k, arrow, zoomOf(name));
  const upright = arrowed(measures.length === 1 ? 0 : chart.y, measures[measures.length === 1 ? 0 : chart.y].maximize ? "→" : "←", "y");
  if (measures.length === 1) return { x: axis("evaluations", { range: zoomOf("x"), fromZero: true }), y: upright };
  return { x: arrowed(chart.x, measures[chart.x].maximize ? "→" : "←", "x"), y: upright };
}

function drawFront() {
  const box = byId("chart");
  chart.view ??= new Chart(box, {
    onPoint: (i) => { hideTip(); choose(i, "chart"); },
    onHover: (point, at) => {
      if (!point || touch.matches) hideTip();
      else if (point.said) showBaselineTip(point.said, at);
      else showTip(point.row, at);
    },
    onZoom: (ranges) => { chart.zoom = ranges; drawFront(); },
  });
  const found = chart.three ? traces3d(chart.x, chart.y, chart.z) : measures.length === 1 ? tracesOfOne() : traces2d(chart.x, chart.y);
  if (chart.baselines && measures.length > 1) found.push(...baselineTraces(chart.three ? { x: chart.x, y: chart.y, z: chart.z } : { x: chart.x, y: chart.y }));
  found.push(ring());
  if (!chart.view.axes) turnToBest();
  chart.view.show(found, frontAxes());
  showLegend(found);
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `${measures.map((m) => m.name).join(", ")} of ${state.passing.length} evaluations; the table below has the same numbers`);
  byId("chart-note").textContent = noteOnFront();
}

/** View the box from the corner where both objectives on the floor are best. */
function turnToBest() {
  const [x, y] = [chart.x, chart.y].map((k) => (measures[k].maximize ? 1 : -1));
  chart.view.home = { across: (Math.atan2(y, x) * 180) / Math.PI + 8, up: TURN.up };
  chart.view.turn = { ...chart.view.home };
}

function noteOnFront() {
  const shown = chart.three ? [chart.x, chart.y, chart.z] : measures.length === 1 ? [0] : [chart.x, chart.y];
  const beyond = chart.three || chart.zoom ? 0 : state.passing.filter((i) => shown.some((k) => all.values[k][i] < measures[k].low || all.values[k][i] > measures[k].high)).length;
  const how = touch.matches ? "Tap a point to choose it." : `Click a point to choose it; drag to ${chart.three ? "turn the box" : "zoom"}, double-click to reset.`;
  const hiding = state.passing.length > DRAWN_ALL ? " Overlapping points are drawn once." : "";
  const noisy = noisyPlaces.filter((k) => shown.includes(k)).map((k) => measures[k].name).join(" and ");
  const expected = noisy ? `${noisy}: expected values; bars of the front: 90% interval of a further measurement; crosses: as measured. ` : "";
  return `${expected}${how}${hiding}${beyond ? ` ${number(beyond)} poorer beyond the axes.` : ""}`;
}

/** Reset the zoom for other axes. */
function changeAxes() {
  chart.zoom = null;
  if (chart.view) turnToBest();
  drawFront();
}

/** Redraw only the ring. */
function followInFront() {
  if (!chart.view) return;
  const traces = [...chart.view.traces.slice(0, -1), ring()];
  chart.view.show(traces, chart.view.axes);
  showLegend(traces);
}

/** The tooltip of a row. */
function showTip(i, at) {
  const tip = byId("tip");
  tip.replaceChildren(
    element("strong", {}, nameOf(i).replace(/^e/, "E")), element("br"), element("code", {}, clipped(all.architecture[i], 90)),
    element("dl", { class: "pairs" }, measures.flatMap((measure, k) => [element("dt", {}, measure.name), element("dd", {}, saidOf(i, k))])));
  placeTip(tip, at);
}
