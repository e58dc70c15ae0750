// The fronts of the selected runs in two objectives: in one chart, or side by side with the same axes.

const fronts = new Map(); // id: its front as last fetched
const measures = []; // the objectives of the selected runs; as in the report, with the range of their axes
let points = []; // of all drawn fronts: { run, values (null where the run has no such objective), architecture }
let zoom = null;
let views = new Map(); // chart of each id, or of "all"

const keyOf = ({ name, unit, maximize }) => `${name}|${unit}|${maximize ? "max" : "min"}`;
const chosenRuns = () => [...selected.keys()].filter((id) => runs.has(id) && fronts.has(id));

/** Collect the objectives and the points of the selected fronts. */
function collect() {
  const found = new Map();
  points = [];
  for (const id of chosenRuns()) {
    for (const measure of fronts.get(id).objectives) if (!found.has(keyOf(measure))) found.set(keyOf(measure), measure);
  }
  const keys = [...found.keys()];
  for (const id of chosenRuns()) {
    const { objectives, points: own, architectures } = fronts.get(id);
    const places = keys.map((key) => objectives.findIndex((measure) => keyOf(measure) === key));
    own.forEach((values, n) => points.push({ run: id, architecture: architectures[n], values: places.map((place) => (place < 0 ? null : values[place])) }));
  }
  measures.splice(0, measures.length, ...[...found.values()].map((measure, k) => ({ ...measure, key: keys[k], ...rangeOf(points.map(({ values }) => values[k]).filter((v) => v !== null)) })));
}

/** The range of an axis around values, logarithmic above 1.5 decades. */
function rangeOf(values) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (!values.length) return { low: 0, high: 1, log: false };
  const log = low > 0 && high / low > 10 ** 1.5;
  if (log) {
    const room = (high / low) ** 0.05;
    return { low: low / room, high: high * room, log };
  }
  const span = high - low || Math.abs(high) || 1;
  return { low: low - 0.06 * span, high: high + 0.06 * span, log };
}

/** The numbers of the chosen objectives: as chosen before if they are there, else the first two that all runs have. */
function chosenAxes() {
  const everywhere = measures.map((_, k) => k).filter((k) => points.every(({ values }) => values[k] !== null));
  const firsts = [...everywhere, ...measures.map((_, k) => k).filter((k) => !everywhere.includes(k))];
  const find = (key) => measures.findIndex((measure) => measure.key === key);
  const x = find(choice.x) >= 0 ? find(choice.x) : firsts[0];
  const y = find(choice.y) >= 0 ? find(choice.y) : firsts.find((k) => k !== x) ?? x;
  return [x, y];
}

const shortName = (id) => runs.get(id)?.name ?? "";

/** The line and the marks of one front. */
function tracesOf(id, x, y) {
  const own = look(selected.get(id));
  const rows = points.map((point, i) => i).filter((i) => points[i].run === id && points[i].values[x] !== null && points[i].values[y] !== null);
  if (!rows.length) return [];
  const value = (i, k) => points[i].values[k];
  if (x === y) return [{ title: shortName(id), named: true, x: rows.map((i) => runs.get(points[i].run).evaluated), y: rows.map((i) => value(i, y)), rows, marker: { color: own.colour, size: 10, symbol: own.mark, edge: colour("ground") } }];
  const best = undominated(rows, [x, y], (i, k) => (measures[k].maximize ? -1 : 1) * value(i, k));
  const inPair = new Set(best);
  const marks = (shownRows, size, opacity) => ({ x: shownRows.map((i) => value(i, x)), y: shownRows.map((i) => value(i, y)), rows: shownRows, marker: { color: own.colour, size, opacity, symbol: own.mark, edge: colour("panel") } });
  return [
    { ...border(best.map((i) => [value(i, x), value(i, y)])), line: { color: own.colour, width: 1.8, dash: own.line } },
    marks(rows.filter((i) => !inPair.has(i)), 6, 0.45),
    { title: shortName(id), named: true, ...marks(best, 9, 1) },
  ];
}

function drawFronts() {
  const some = chosenRuns().length > 0;
  byId("hint").hidden = some;
  byId("drawn").hidden = !some;
  byId("jump").hidden = !selected.size;
  byId("jump").textContent = `${selected.size} ${selected.size === 1 ? "front" : "fronts"} ↑`;
  if (!some) return;
  collect();
  if (!measures.length) {
    byId("charts").replaceChildren();
    views = new Map();
    byId("legend").replaceChildren();
    byId("note").textContent = "The selected runs have no results yet.";
    fillActs();
    return;
  }
  const [x, y] = chosenAxes();
  fillAxes(x, y);
  const traces = new Map(chosenRuns().map((id) => [id, tracesOf(id, x, y)]));
  const alone = x === y;
  const arrow = (k) => (choice.side ? "" : measures[k].maximize ? "→" : "←"); // small charts have no room for it
  const axes = {
    x: alone ? axis("evaluations", { fromZero: true, range: zoom?.x ?? null }) : measureAxis(x, arrow(x), zoom?.x ?? null),
    y: measureAxis(y, arrow(y), zoom?.y ?? null),
  };
  placeViews([...traces].filter(([, found]) => found.length).map(([id]) => id));
  for (const [name, view] of views) view.show(name === "all" ? [...traces.values()].flat() : traces.get(name), axes);
  showLegend([...traces.values()].flat());
  fillNote(traces, alone ? [y] : [x, y]);
  fillActs();
}

/** The charts that the view needs: one for all runs, or one for each that has `some` front in these objectives. */
function placeViews(some) {
  const names = choice.side ? some : ["all"];
  byId("charts").classList.toggle("side", choice.side);
  if ([...views.keys()].join() === names.join()) return;
  views = new Map();
  byId("charts").replaceChildren(...names.map((name) => {
    const box = element("div", { class: "chart", role: "img", "aria-label": name === "all" ? "The fronts of the selected runs" : `The front of ${shortName(name)}` });
    views.set(name, new Chart(box, {
      onPoint: (i) => { hideTip(); fillPoint(points[i]); },
      onHover: (point, at) => (point?.row !== undefined && points[point.row] && !touch.matches ? showTip(points[point.row], at) : hideTip()),
      onZoom: (ranges) => { zoom = ranges; drawFronts(); },
    }));
    return name === "all" ? box : element("div", {}, element("h3", {}, swatch(selected.get(name)), shortName(name)), box);
  }));
}

const valuesOf = (point) => measures.flatMap((measure, k) => (point.values[k] === null ? [] : [element("dt", {}, measure.name), element("dd", {}, withUnit(point.values[k], measure.unit))]));

function showTip(point, at) {
  byId("tip").replaceChildren(element("strong", {}, shortName(point.run)), element("br"), element("code", {}, clipped(point.architecture, 90)), element("dl", { class: "pairs" }, valuesOf(point)));
  placeTip(byId("tip"), at);
}

/** The point that was clicked, as text to read and copy. */
function fillPoint(point) {
  byId("point").replaceChildren(...(point ? [element("strong", {}, shortName(point.run)), " ", element("code", {}, point.architecture), element("dl", { class: "pairs" }, valuesOf(point))] : []));
}

function fillNote(traces, shownAxes) {
  const without = [...traces].filter(([, found]) => !found.length).map(([id]) => shortName(id));
  const omitted = chosenRuns().reduce((sum, id) => sum + fronts.get(id).left_out, 0);
  byId("note").textContent = [
    without.length ? `Not drawn, for want of a front in ${shownAxes.map((k) => measures[k].name).join(" and ")}: ${without.join(", ")}.` : "",
    omitted ? `${number(omitted)} points of long fronts are omitted.` : "",
    selected.size === MOST_SELECTED ? `At most ${MOST_SELECTED} runs are shown together.` : "",
    touch.matches ? "Tap a point to read it." : "Click a point to keep it below; drag to zoom, double-click to reset.",
  ].filter(Boolean).join(" ");
}

/** The choice of objectives and of the view; made again only when it differs, so that an open list stays open. */
let axesShown = "";
function fillAxes(x, y) {
  const now = JSON.stringify([measures.map(({ key }) => key), x, y, choice.side, selected.size > 1]);
  if (now === axesShown) return;
  axesShown = now;
  const pick = (label, name, at) => {
    const change = () => {
      const keys = { x: measures[x].key, y: measures[y].key };
      const other = name === "x" ? "y" : "x";
      if (list.value === keys[other]) keys[other] = keys[name]; // the two change places
      Object.assign(choice, keys, { [name]: list.value });
      zoom = null;
      remember();
      drawFronts();
    };
    const list = element("select", { "data-axis": name, change },
      measures.map((measure, k) => element("option", { value: measure.key, selected: k === at }, titled(measure))));
    return element("label", {}, label, list);
  };
  const view = (label, side) => element("button", { type: "button", "aria-pressed": String(choice.side === side), click: () => { choice.side = side; remember(); drawFronts(); } }, label);
  byId("axes").replaceChildren(...(measures.length > 1 ? [pick("x", "x", x), pick("y", "y", y)] : []),
    ...(selected.size > 1 ? [element("span", { role: "group", "aria-label": "View" }, view("Overlaid", false), " ", view("Side by side", true))] : []));
}

function fillActs() {
  const ids = [...selected.keys()];
  const now = ids.join();
  if (byId("acts").dataset.runs === now) return;
  byId("acts").dataset.runs = now;
  byId("acts").replaceChildren(
    element("a", { href: ids.length === 1 ? `report/${ids[0]}` : `compare?runs=${ids.join(",")}` }, ids.length === 1 ? "Open its report" : "Compare them on a report's page"),
    element("button", { type: "button", id: "clear", click: () => { ids.forEach((id) => select(id, false)); selectionChanged(); } }, "Clear the selection"));
}
