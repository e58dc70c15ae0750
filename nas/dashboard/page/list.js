// The list: one item per run, updated in place, so that the focus and a click stay where they are.

const items = new Map(); // id: its item
const FIRST = 100;
let shown = FIRST; // items at most; the rest on demand
const STATES = ["running", "starting", "finished", "stopped", "crashed", "unreadable"];

/** The item of a run, with a function that fills it. */
function makeItem(id) {
  const box = element("input", { type: "checkbox", change: () => { select(id, box.checked); selectionChanged(); } });
  const parts = {
    mark: element("span", { "aria-hidden": "true" }), name: element("a", { class: "name", href: `report/${id}` }), state: element("span", { class: "state" }),
    what: element("div", { class: "small faint" }), done: element("i"), facts: element("div", { class: "small facts-line" }), reason: element("div", { class: "small reason faint" }),
    sketch: element("div", { class: "sketch" }), changed: element("span", { class: "faint" }),
  };
  const bar = element("div", { class: "bar" }, parts.done);
  const root = element("li", { class: "run", "data-run": id },
    element("label", { class: "pick" }, box, parts.mark),
    element("div", { class: "who" }, element("div", {}, parts.name, parts.state), parts.what),
    parts.sketch,
    element("div", { class: "how" }, bar, parts.facts, parts.reason));
  return { id, root, box, bar, version: null, ...parts };
}

function fillItem(item, run) {
  item.box.checked = selected.has(run.id);
  item.root.classList.toggle("selected", item.box.checked);
  item.box.disabled = !run.front_size && !item.box.checked;
  item.mark.replaceChildren(item.box.checked ? swatch(selected.get(run.id)) : "");
  if (item.version === run.version) return;
  item.version = run.version;
  item.box.setAttribute("aria-label", `Show the front of ${run.name}`);
  item.name.textContent = run.name;
  item.state.textContent = run.state;
  item.state.className = `state ${STATES.includes(run.state) ? run.state : ""}`;
  item.root.classList.toggle("live", run.live);
  item.what.textContent = [run.algorithm, run.space, run.seed === null ? "" : `seed ${run.seed}`].filter(Boolean).join(" · ");
  item.bar.hidden = !run.planned;
  item.done.style.width = `${run.planned ? Math.min(100, (100 * run.evaluated) / run.planned) : 0}%`;
  item.facts.replaceChildren(...factsOf(run).map((text) => element("span", {}, text)), item.changed);
  item.reason.textContent = run.detail;
  item.reason.hidden = !run.detail;
  item.reason.classList.toggle("warning", run.state === "unreadable");
  item.sketch.replaceChildren(...(run.sketch.length ? [sketchOf(run)] : []));
  fillTime(item, run);
}

/** The numbers of a run, those that matter most first. */
function factsOf(run) {
  if (run.state === "not read yet" || (!run.evaluated && !run.front_size)) return run.planned ? [`0 of ${number(run.planned)}`] : [];
  return [
    ...run.best.slice(0, 1).map((best) => `best ${best.objective} ${withUnit(best.value, best.unit)}${best.expected ? " expected" : ""}`),
    `${number(run.front_size)} on the front`,
    `hypervolume ${run.hypervolume === null ? "–" : run.hypervolume.toFixed(4)}`,
    run.planned ? `${number(run.evaluated)} of ${number(run.planned)}` : `${number(run.evaluated)} evaluated`,
    ...(run.failed ? [`${number(run.failed)} failed`] : []),
    ...(run.live && run.left !== null ? [`about ${duration(Math.ceil(run.left))} left`] : []),
  ];
}

function fillTime(item, run) {
  const time = run.live || run.state === "finished" ? run.changed : run.alive;
  const what = run.live ? "last result" : run.state === "crashed" ? "last sign of life" : "last change";
  const text = time ? `${what} ${ago(time)}` : "";
  if (item.changed.textContent !== text) item.changed.textContent = text;
  item.changed.title = time ? new Date(1000 * time).toLocaleString() : "";
}

/** The front in its first two objectives, as a small drawing. */
function sketchOf(run) {
  const [wide, high, room] = [104, 54, 6];
  const made = (tag, attributes) => {
    const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => found.setAttribute(name, value));
    return found;
  };
  const at = run.sketch.map(([x, y]) => [room + (x / 100) * (wide - 2 * room), high - room - (y / 100) * (high - 2 * room)].map((v) => v.toFixed(1)));
  const names = run.best.slice(0, 2).map((best) => best.objective);
  const drawing = made("svg", { viewBox: `0 0 ${wide} ${high}`, width: "100%", height: "100%", role: "img", "aria-label": `Sketch of the front in ${names.join(" and ")}` });
  drawing.append(made("rect", { x: 0.5, y: 0.5, width: wide - 1, height: high - 1, rx: 5 }));
  if (names.length === 2 && at.length > 1) drawing.append(made("polyline", { points: at.map((point) => point.join(",")).join(" ") }));
  drawing.append(...at.map(([cx, cy]) => made("circle", { cx, cy, r: 1.9 })));
  return drawing;
}

/** Show the runs that the filters keep, in their order. */
function fillList() {
  const found = kept();
  const wanted = found.slice(0, shown);
  const list = byId("runs");
  const focused = document.activeElement;
  const here = new Set(wanted.map((run) => run.id));
  for (const [id, item] of items) if (!here.has(id)) { item.root.remove(); items.delete(id); }
  wanted.forEach((run, place) => {
    if (!items.has(run.id)) items.set(run.id, makeItem(run.id));
    const item = items.get(run.id);
    fillItem(item, run);
    if (list.children[place] !== item.root) list.insertBefore(item.root, list.children[place] ?? null);
  });
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  const left = found.length - wanted.length;
  byId("more").replaceChildren(...(left > 0 ? [element("button", { type: "button", click: () => { shown += FIRST * 4; fillList(); } }, `Show more (${number(left)} further runs)`)] : []));
  fillEmpty(found.length);
}

function fillEmpty(found) {
  const box = byId("empty");
  box.hidden = found > 0 || !news.looked;
  if (box.hidden) return;
  box.textContent = runs.size ? "No run passes the filters." : `There is no run in ${page.folder} yet. A run appears here as soon as a search starts in it.`;
}

/** One line on all runs. */
function fillSummary() {
  if (!news.looked) return;
  const all = [...runs.values()];
  const counts = STATES.map((state) => [all.filter((run) => run.state === state).length, state]).filter(([count]) => count);
  const parts = counts.map(([count, state]) => `${number(count)} ${state}`).join(", ");
  const text = [
    `${number(all.length)} ${all.length === 1 ? "run" : "runs"}${parts ? `: ${parts}` : ""}.`,
    news.unread ? `Reading ${number(news.unread)} more …` : "",
    news.complete ? "" : "There are too many folders to look into all of them: name a smaller folder.",
  ].filter(Boolean).join(" ");
  if (byId("summary").textContent !== text) byId("summary").textContent = text;
}

function startList() {
  const text = element("input", { type: "search", id: "filter", placeholder: "Filter by name, space or algorithm", "aria-label": "Filter by name, space or algorithm", input: soon(() => { choice.text = text.value; fillList(); }) });
  const state = element("select", { id: "states", "aria-label": "State", change: () => { choice.state = state.value; fillList(); } },
    element("option", { value: "" }, "any state"), STATES.map((name) => element("option", { value: name }, name)));
  byId("filters").append(text, state);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  setInterval(() => items.forEach((item, id) => fillTime(item, runs.get(id))), 1000);
  when("theme", () => items.forEach((item, id) => { item.mark.replaceChildren(selected.has(id) ? swatch(selected.get(id)) : ""); }));
}
