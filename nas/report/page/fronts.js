// The front in two or three objectives, by plotly. With one objective: its course over the evaluations.

const chart = { x: 0, y: Math.min(1, measures.length - 1), z: 2, three: false, cloud: true, zoom: null, drawn: null };
const DRAWN_ALL = 1000; // points of a cloud; of more, those that would cover one another are drawn once
const CELLS = 64; // along an axis, for that

const webgl = (() => {
  try {
    const context = document.createElement("canvas").getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(context);
  } catch {
    return false;
  }
})();

/** Of these rows, those to draw: all, or the last in each small cell of what the axes (getters of the coordinates) show. */
function visible(rows, axes) {
  if (rows.length <= DRAWN_ALL) return rows;
  const cells = new Map();
  for (const i of rows) {
    const at = axes.map(({ get, low, high }) => Math.floor(((get(i) - low) / (high - low)) * CELLS));
    if (at.every((cell) => cell >= 0 && cell <= CELLS)) cells.set(at.reduce((key, cell) => key * (CELLS + 1) + cell, 0), i);
  }
  return [...cells.values()];
}

/** How objective k runs along an axis, for `visible`: between what is shown, zoomed or not. */
function along(k, zoomed) {
  const { log, low, high } = measures[k];
  const place = log ? Math.log10 : (v) => v;
  const [from, to] = zoomed ?? [place(low), place(high)];
  return { get: (i) => place(all.values[k][i]), low: from, high: to };
}

/** The range that an axis of the chart was zoomed to; null if it was not. */
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
      type: "button", "aria-pressed": String(!three), disabled: Boolean(three) && !webgl, title: three && !webgl ? "This browser has no WebGL, which 3-D needs" : null,
      click: () => {
        chart.three = Boolean(three);
        buttons.forEach((button, b) => button.setAttribute("aria-pressed", String(b === three)));
        showDepth();
        changeAxes();
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
  const called = (name) => (several ? page.runs[r].name : name);
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
  page.runs.forEach((_, r) => {
    const rows = state.passing.filter((i) => all.run[i] === r);
    const best = nonDominated(rows, a === b ? [a] : [a, b]);
    if (best.length > 1) {
      found.push({ type: "scatter", mode: "lines", ...staircase(best, a, b), hoverinfo: "skip", showlegend: false, line: { color: several ? look(r).colour : colour("front"), width: 1.8, dash: look(r).line } });
    }
    for (const group of groups(r, rows, best)) {
      const drawn = group.top ? group.rows : visible(group.rows, [along(a, zoomOf("xaxis")), along(b, zoomOf("yaxis"))]);
      found.push({ type: "scatter", mode: "markers", name: plain(group.name), title: group.name, x: drawn.map((i) => all.values[a][i]), y: drawn.map((i) => all.values[b][i]), customdata: drawn, hoverinfo: "none", marker: group.marker, showlegend: !several || Boolean(group.top) });
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
      const across = { get: (i) => all.order[i], low: 0, high: Math.max(...rows.map((i) => all.order[i])) || 1 };
      const drawn = group.top ? group.rows : visible(group.rows, [across, along(0, zoomOf("yaxis"))]);
      found.push({ type: "scatter", mode: "markers", name: plain(group.name), title: group.top ? group.name.replace(/front$/, "best") : group.name, x: drawn.map((i) => all.order[i]), y: drawn.map((i) => all.values[0][i]), customdata: drawn, hoverinfo: "none", marker: group.marker, showlegend: !several || Boolean(group.top) });
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
      const drawn = group.top ? group.rows : visible(group.rows, [a, b, c].map((k) => along(k)));
      found.push({ type: "scatter3d", mode: "markers", name: plain(group.name), title: group.name, x: drawn.map((i) => all.values[a][i]), y: drawn.map((i) => all.values[b][i]), z: drawn.map((i) => all.values[c][i]), customdata: drawn, hoverinfo: "none", marker, showlegend: !several || Boolean(group.top) });
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
  const shared = { mode: "markers", name: "chosen", title: "chosen", hoverinfo: "skip", showlegend: seen, marker };
  if (chart.three) return { type: "scatter3d", ...shared, x: at(chart.x), y: at(chart.y), z: at(chart.z) };
  if (measures.length === 1) return { type: "scatter", ...shared, x: [seen ? all.order[i] : null], y: at(0) };
  return { type: "scatter", ...shared, x: at(chart.x), y: at(chart.y) };
}

/** What the marks mean, as a list: plotly's own legend makes it draw twice. */
function showLegend(traces) {
  const named = traces.filter((trace) => trace.name && trace.showlegend !== false);
  const marks = { ...Object.fromEntries(MARKS.map((mark, m) => [mark, MARKS_AS_TEXT[m]])), ...Object.fromEntries(MARKS.map((mark, m) => [`${mark}-open`, OPEN_AS_TEXT[m]])) };
  byId("legend").replaceChildren(...named.map((trace) => {
    const mark = element("span", { class: "swatch", "aria-hidden": "true" }, marks[trace.marker.symbol]);
    mark.style.color = trace.marker.color;
    return element("li", {}, mark, trace.title);
  }));
}

function frontLayout() {
  if (chart.three) {
    const box = byId("chart");
    const small = box.clientWidth < 500;
    const place = (k) => ({ ...measureAxis(k), title: { text: plain(titled(measures[k])), font: { size: small ? 11 : 13 } }, tickfont: { size: small ? 10 : 12 }, backgroundcolor: "rgba(0,0,0,0)", showbackground: false, showspikes: false });
    const away = 1.72 * Math.max(1, 1.08 * (box.clientHeight / box.clientWidth)); // a narrow chart needs more distance: plotly fits the height alone
    const eye = { x: away * (measures[chart.x].maximize ? 1 : -1), y: away * (measures[chart.y].maximize ? 1 : -1), z: 0.6 * away };
    const camera = { eye, center: { x: 0, y: 0, z: -0.16 } }; // the labels below the floor need room, the space above the box does not
    return layout({ margin: { l: 0, r: 0, t: 0, b: 0 }, scene: { xaxis: place(chart.x), yaxis: place(chart.y), zaxis: place(chart.z), camera, dragmode: "orbit" } });
  }
  const dragmode = touch.matches ? false : "zoom";
  const arrowed = (k, name) => measureAxis(k, measures[k].maximize ? "→" : "←", zoomOf(name));
  if (measures.length === 1) return layout({ xaxis: axis("evaluations", zoomOf("xaxis") ? { range: zoomOf("xaxis") } : {}), yaxis: arrowed(0, "yaxis"), dragmode });
  return layout({ xaxis: arrowed(chart.x, "xaxis"), yaxis: arrowed(chart.y, "yaxis"), dragmode });
}

function drawFront() {
  if (!window.Plotly) return; // drawn as soon as it is loaded
  const box = byId("chart");
  const found = chart.three ? traces3d(chart.x, chart.y, chart.z) : measures.length === 1 ? tracesOfOne() : traces2d(chart.x, chart.y);
  found.push(ring());
  const seen = { uirevision: `${chart.three} ${chart.x} ${chart.y} ${chart.z}` }; // keeps the camera of the 3-D view
  Plotly.react(box, found, { ...frontLayout(), ...(chart.three ? seen : {}) }, chartConfig());
  showLegend(found);
  if (!chart.drawn) listen(box);
  chart.drawn = found;
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `${measures.map((m) => m.name).join(", ")} of ${state.passing.length} evaluations; the table below has the same numbers`);
  byId("chart-note").textContent = noteOnFront();
}

function noteOnFront() {
  const shown = chart.three ? [chart.x, chart.y, chart.z] : measures.length === 1 ? [0] : [chart.x, chart.y];
  const beyond = chart.three || chart.zoom ? 0 : state.passing.filter((i) => shown.some((k) => all.values[k][i] < measures[k].low || all.values[k][i] > measures[k].high)).length;
  const how = touch.matches ? "Tap a point to choose it." : "Click a point to choose it; drag to zoom, double-click to go back and again to see everything.";
  const hiding = state.passing.length > DRAWN_ALL ? " Of points that cover one another one is drawn." : "";
  return `${how}${hiding}${beyond ? ` ${number(beyond)} poorer beyond the axes.` : ""}`;
}

function listen(box) {
  let pointer = { x: 0, y: 0 };
  box.addEventListener("pointermove", (event) => { pointer = { x: event.clientX, y: event.clientY }; }, true);
  box.on("plotly_hover", (event) => {
    const i = event.points.find((point) => point.customdata !== undefined)?.customdata;
    if (i !== undefined && !touch.matches) showTip(i, pointer);
  });
  box.on("plotly_unhover", hideTip);
  box.on("plotly_relayout", (change) => followZoom(box, change));
  box.on("plotly_click", (event) => {
    const i = event.points.find((point) => point.customdata !== undefined)?.customdata;
    hideTip();
    if (i !== undefined) choose(i, "chart");
  });
}

/** Draws what was zoomed to: its points, and ticks that suit it. */
function followZoom(box, change) {
  if (chart.three || !Object.keys(change).some((key) => /^[xy]axis\.(range|autorange)/.test(key))) return;
  chart.zoom = Object.fromEntries(["xaxis", "yaxis"].map((name) => [name, [...box.layout[name].range]]));
  drawFront();
}

/** Forgets what was zoomed to, for other axes. */
function changeAxes() {
  chart.zoom = null;
  drawFront();
}

/** Redraws the ring alone. */
function followInFront() {
  if (!chart.drawn) return;
  const made = ring();
  const last = chart.drawn.length - 1;
  const change = { x: [made.x], y: [made.y] };
  if (chart.three) change.z = [made.z];
  Plotly.restyle(byId("chart"), change, [last]);
  showLegend([...chart.drawn.slice(0, last), made]);
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
