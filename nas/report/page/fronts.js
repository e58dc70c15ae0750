// The front in two or three objectives, by plotly. With one objective: its course over the evaluations.

const chart = { x: 0, y: Math.min(1, measures.length - 1), z: 2, three: false, cloud: true, drawn: null };
const CLOUD_AS_SVG = 800; // points; more are drawn by WebGL where there is one

const webgl = (() => {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"));
  } catch {
    return false;
  }
})();

function axesControls() {
  const select = (label, key) => {
    const made = element("select", { change: () => { chart[key] = Number(made.value); drawFront(); } },
      measures.map((measure, k) => element("option", { value: k, selected: chart[key] === k }, measure.name)));
    return element("label", { "data-axis": key }, label, made);
  };
  const cloud = element("input", { type: "checkbox", checked: true, change: () => { chart.cloud = cloud.checked; drawFront(); } });
  const parts = [];
  if (measures.length > 1) parts.push(select("Across", "x"), select("Up", "y"));
  if (measures.length > 2) {
    parts.push(select("Deep", "z"));
    const buttons = ["2-D", "3-D"].map((name, three) => element("button", {
      type: "button", "aria-pressed": String(!three), disabled: Boolean(three) && !webgl, title: three && !webgl ? "This browser has no WebGL, which 3-D needs" : null,
      click: () => {
        chart.three = Boolean(three);
        buttons.forEach((button, b) => button.setAttribute("aria-pressed", String(b === three)));
        showDepth();
        drawFront();
      },
    }, name));
    parts.unshift(element("span", { role: "group", "aria-label": "View" }, buttons[0], " ", buttons[1]));
  }
  parts.push(element("label", {}, cloud, "what the front dominates"));
  byId("axes").append(...parts);
  showDepth();
}

function showDepth() {
  const depth = document.querySelector('[data-axis="z"]');
  if (depth) depth.hidden = !chart.three;
  if (depth) depth.style.display = chart.three ? "" : "none";
}

/** The groups of points that are told apart, each { name, rows, style }, for run r. */
function groups(r, rows, best) {
  const own = look(r);
  const called = (name) => (several ? `${page.runs[r].name}: ${name}` : name);
  const inPair = new Set(best);
  const cloudColour = several ? own.colour : colour("cloud");
  const first = several ? own.colour : colour("front");
  const found = [];
  if (chart.cloud) {
    found.push({ name: called("evaluated"), rows: rows.filter((i) => !all.front[i] && !inPair.has(i) && !all.outside[i]), marker: { color: cloudColour, size: 5, opacity: several ? 0.3 : 0.65, symbol: own.mark } });
    found.push({ name: called("outside the limits"), rows: rows.filter((i) => all.outside[i]), marker: { color: cloudColour, size: 6, opacity: 0.5, symbol: `${own.mark}-open` } });
  }
  found.push({ name: called(chart.three || measures.length < 3 ? "front" : "rest of the front"), rows: rows.filter((i) => all.front[i] && !inPair.has(i)), marker: { color: several ? own.colour : colour("rest"), size: several ? 7 : 8, opacity: several ? 0.55 : 0.9, symbol: own.mark, line: { width: 1, color: colour("ground") } } });
  found.push({ name: called(measures.length > 2 && !chart.three ? "front in these two" : "front"), rows: best, marker: { color: first, size: 10, symbol: own.mark, line: { width: 1, color: colour("ground") } }, top: true });
  return found.filter((group) => group.rows.length);
}

/** The border of what points, ordered by the first objective and non-dominated in both, dominate. */
function staircase(rows, a, b) {
  const x = [], y = [];
  rows.forEach((i, place) => {
    if (place) {
      x.push(all.values[a][i]);
      y.push(all.values[b][rows[place - 1]]);
    }
    x.push(all.values[a][i]);
    y.push(all.values[b][i]);
  });
  return { x, y };
}

function traces2d(a, b) {
  const found = [];
  let cloud = 0;
  page.runs.forEach((_, r) => {
    const rows = state.passing.filter((i) => all.run[i] === r);
    const best = nonDominated(rows, a === b ? [a] : [a, b]);
    if (best.length > 1) {
      found.push({ type: "scatter", mode: "lines", ...staircase(best, a, b), hoverinfo: "skip", showlegend: false, line: { color: several ? look(r).colour : colour("front"), width: 1.8, dash: look(r).line } });
    }
    for (const group of groups(r, rows, best)) {
      cloud += group.top ? 0 : group.rows.length;
      const many = !group.top && webgl && group.rows.length > CLOUD_AS_SVG;
      found.push({ type: many ? "scattergl" : "scatter", mode: "markers", name: plain(group.name), x: group.rows.map((i) => all.values[a][i]), y: group.rows.map((i) => all.values[b][i]), customdata: group.rows, hoverinfo: "none", marker: group.marker });
    }
  });
  return found;
}

function tracesOfOne() {
  const found = [];
  page.runs.forEach((_, r) => {
    const rows = state.passing.filter((i) => all.run[i] === r && all.order[i] !== null);
    const best = rows.filter((i) => all.front[i]);
    let reached = Infinity;
    const course = rows.filter((i) => !all.outside[i]).map((i) => (reached = Math.min(reached, signs[0] * all.values[0][i])) * signs[0]);
    const at = rows.filter((i) => !all.outside[i]).map((i) => all.order[i]);
    found.push({ type: "scatter", mode: "lines", x: at, y: course, hoverinfo: "skip", showlegend: false, line: { shape: "hv", width: 1.8, color: several ? look(r).colour : colour("front"), dash: look(r).line } });
    for (const group of groups(r, rows, best)) {
      const many = !group.top && webgl && group.rows.length > CLOUD_AS_SVG;
      found.push({ type: many ? "scattergl" : "scatter", mode: "markers", name: plain(group.top ? group.name.replace(/front$/, "best") : group.name), x: group.rows.map((i) => all.order[i]), y: group.rows.map((i) => all.values[0][i]), customdata: group.rows, hoverinfo: "none", marker: group.marker });
    }
  });
  return found;
}

function traces3d(a, b, c) {
  const found = [];
  page.runs.forEach((_, r) => {
    const rows = state.passing.filter((i) => all.run[i] === r);
    const best = rows.filter((i) => all.front[i]);
    for (const group of groups(r, rows, best)) {
      const marker = { ...group.marker, size: group.top ? 5 : 2.5, line: undefined, symbol: group.marker.symbol };
      found.push({ type: "scatter3d", mode: "markers", name: plain(group.name), x: group.rows.map((i) => all.values[a][i]), y: group.rows.map((i) => all.values[b][i]), z: group.rows.map((i) => all.values[c][i]), customdata: group.rows, hoverinfo: "none", marker });
    }
  });
  return found;
}

/** A ring around the row chosen, in the chart as it is. */
function ring() {
  const i = state.chosen;
  const seen = i !== null && state.passing.includes(i);
  const at = (k) => (seen ? [all.values[k][i]] : [null]);
  const marker = { symbol: "circle-open", size: chart.three ? 12 : 19, color: colour("ink"), line: { width: 2.5, color: colour("ink") } };
  const shared = { mode: "markers", name: "chosen", hoverinfo: "skip", showlegend: seen, marker };
  if (chart.three) return { type: "scatter3d", ...shared, x: at(chart.x), y: at(chart.y), z: at(chart.z) };
  if (measures.length === 1) return { type: "scatter", ...shared, x: [seen ? all.order[i] : null], y: at(0) };
  return { type: "scatter", ...shared, x: at(chart.x), y: at(chart.y) };
}

const legendBelow = { showlegend: true, legend: { orientation: "h", x: 0, y: -0.16, yref: "paper", yanchor: "top", font: { size: 12 }, itemclick: false, itemdoubleclick: false, bgcolor: "rgba(0,0,0,0)" } };

function frontLayout() {
  if (chart.three) {
    const place = (k) => ({ ...measureAxis(k), title: { text: plain(titled(measures[k])) }, backgroundcolor: "rgba(0,0,0,0)", showbackground: false, showspikes: false });
    const eye = { x: 1.5 * (measures[chart.x].maximize ? 1 : -1), y: 1.5 * (measures[chart.y].maximize ? 1 : -1), z: 0.9 };
    return layout({ margin: { l: 0, r: 0, t: 0, b: 0 }, scene: { xaxis: place(chart.x), yaxis: place(chart.y), zaxis: place(chart.z), camera: { eye }, dragmode: "orbit" }, ...legendBelow, legend: { ...legendBelow.legend, y: 0.02 } });
  }
  const dragmode = touch.matches ? false : "zoom";
  if (measures.length === 1) return layout({ xaxis: axis("evaluations"), yaxis: measureAxis(0, measures[0].maximize ? "→" : "←"), dragmode, ...legendBelow });
  return layout({ xaxis: measureAxis(chart.x, measures[chart.x].maximize ? "→" : "←"), yaxis: measureAxis(chart.y, measures[chart.y].maximize ? "→" : "←"), dragmode, ...legendBelow });
}

function drawFront() {
  const box = byId("chart");
  const found = chart.three ? traces3d(chart.x, chart.y, chart.z) : measures.length === 1 ? tracesOfOne() : traces2d(chart.x, chart.y);
  found.push(ring());
  Plotly.react(box, found, { ...frontLayout(), uirevision: `${chart.three} ${chart.x} ${chart.y} ${chart.z}` }, chartConfig());
  if (!chart.drawn) listen(box);
  chart.drawn = found;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `${measures.map((m) => m.name).join(", ")} of ${state.passing.length} evaluations; the table below has the same numbers`);
  byId("chart-note").textContent = noteOnFront();
}

function noteOnFront() {
  const shown = chart.three ? [chart.x, chart.y, chart.z] : measures.length === 1 ? [0] : [chart.x, chart.y];
  const beyond = chart.three ? 0 : state.passing.filter((i) => shown.some((k) => all.values[k][i] < measures[k].low || all.values[k][i] > measures[k].high)).length;
  const how = touch.matches ? "Tap a point to choose it." : "Click a point to choose it; drag to zoom, double-click to see everything.";
  return `${how}${beyond ? ` ${number(beyond)} poorer beyond the axes.` : ""}`;
}

function listen(box) {
  let pointer = { x: 0, y: 0 };
  box.addEventListener("pointermove", (event) => { pointer = { x: event.clientX, y: event.clientY }; }, true);
  box.on("plotly_hover", (event) => {
    const i = event.points.find((point) => point.customdata !== undefined)?.customdata;
    if (i !== undefined && !touch.matches) showTip(i, pointer);
  });
  box.on("plotly_unhover", hideTip);
  box.on("plotly_click", (event) => {
    const i = event.points.find((point) => point.customdata !== undefined)?.customdata;
    hideTip();
    if (i !== undefined) choose(i, "chart");
  });
}

/** Redraws the ring alone. */
function followInFront() {
  if (!chart.drawn) return;
  const made = ring();
  const last = chart.drawn.length - 1;
  const change = { x: [made.x], y: [made.y], showlegend: made.showlegend };
  if (chart.three) change.z = [made.z];
  Plotly.restyle(byId("chart"), change, [last]);
}

/** What a row is, beside the pointer. */
function showTip(i, at) {
  const tip = byId("tip");
  tip.replaceChildren(
    element("strong", {}, nameOf(i).replace(/^e/, "E")), element("br"), element("code", {}, clipped(all.architecture[i], 90)),
    element("dl", { class: "pairs" }, measures.flatMap((measure, k) => [element("dt", {}, measure.name), element("dd", {}, withUnit(all.values[k][i], measure.unit))])));
  placeTip(tip, at);
}

const clipped = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function placeTip(tip, at) {
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  tip.style.left = `${Math.max(4, Math.min(at.x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${at.y + 16 + height > innerHeight ? Math.max(4, at.y - height - 12) : at.y + 16}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
