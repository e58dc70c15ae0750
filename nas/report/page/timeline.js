// The timeline: one lane per worker on a canvas, and a table.

const LANE = 18;

function startTimelines() {
  const box = byId("timelines");
  const runs = page.runs.map((run, r) => ({ run, r })).filter(({ run }) => run.timeline);
  if (!runs.length) box.append(element("p", { class: "faint" }, "No evaluation has run on a worker yet."));
  for (const { run, r } of runs) {
    if (several) box.append(element("h3", {}, swatch(r), run.name));
    box.append(timelineOf(run.timeline));
  }
}

function timelineOf(timeline) {
  const canvas = element("canvas", { role: "img" });
  const holder = element("div", { class: "canvas" }, canvas);
  const { workers, span } = timeline;
  const busy = workers.reduce((total, worker) => total + worker.busy, 0);
  const share = (100 * busy) / (span * workers.length);
  const said = `${number(workers.length)} worker${workers.length === 1 ? "" : "s"} over ${duration(span)}, busy ${share.toFixed(0)}% of it`;
  canvas.setAttribute("aria-label", `${said}; the table below says the same of each`);
  const draw = () => drawTimeline(canvas, timeline);
  new ResizeObserver(soon(draw, 60)).observe(holder);
  when("theme", draw);
  canvas.addEventListener("pointermove", (event) => tipOnTimeline(event, canvas, timeline));
  canvas.addEventListener("pointerleave", hideTip);
  const statuses = [...new Set(workers.flatMap((worker) => worker.status))];
  const legend = element("ul", { class: "legend" }, statuses.map((status) => {
    const key = element("span", { class: "key", "aria-hidden": "true" });
    const paint = () => { key.style.background = statusColour(status); };
    paint();
    when("theme", paint);
    return element("li", {}, key, status.replaceAll("_", " "));
  }));
  const notes = [];
  if (timeline.cuts.length) notes.push(`${timeline.cuts.length} pause${timeline.cuts.length === 1 ? "" : "s"} (${timeline.cuts.map(([, seconds]) => duration(seconds)).join(", ")}) cut out at the dashed lines.`);
  if (timeline.left_out) notes.push(`${number(timeline.left_out)} workers that ran less are left out.`);
  if (timeline.virtual) notes.push("Times are from the virtual clock of a simulated executor.");
  return element("div", { class: "panel" }, element("p", {}, `${said}.`), legend, holder, element("p", { class: "small faint" }, notes.join(" ")), workersTable(timeline));
}

function workersTable({ workers, span }) {
  return element("details", { class: "lighter" }, element("summary", {}, "As a table"), element("div", { class: "wide" }, element("table", {},
    element("thead", {}, element("tr", {}, ["worker", "evaluations", "busy (s)", "busy (% of the time)", "failed"].map((name, c) => element("th", { scope: "col", class: c ? "number" : null }, name)))),
    element("tbody", {}, workers.map((worker) => element("tr", {}, element("td", {}, element("code", {}, worker.name)), ...[number(worker.count), number(worker.busy), ((100 * worker.busy) / span).toFixed(0), number(worker.status.reduce((n, status, j) => n + (status === "ok" ? 0 : worker.trials[j]), 0))].map((text) => element("td", { class: "number" }, text))))))));
}

const timelineSide = (canvas) => Math.min(150, Math.max(64, canvas.parentElement.clientWidth * 0.16));

function drawTimeline(canvas, { workers, span, cuts }) {
  const width = canvas.parentElement.clientWidth;
  const side = timelineSide(canvas);
  const height = workers.length * LANE + 40;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.clearRect(0, 0, width, height);
  const at = (seconds) => side + (seconds / span) * (width - side - 8);
  context.font = "11.5px system-ui, sans-serif";
  workers.forEach((worker, lane) => {
    const y = lane * LANE + 2;
    context.fillStyle = colour("ink");
    context.textAlign = "right";
    context.fillText(clipped(worker.name, Math.floor(side / 6.6)), side - 8, y + 12);
    context.fillStyle = colour("line");
    context.fillRect(side, y + LANE - 3, width - side - 8, 1);
    worker.start.forEach((start, j) => {
      const x = at(start);
      const wide = Math.max(1, at(worker.end[j]) - x - (worker.start.length < 400 ? 1 : 0));
      const fine = worker.status[j] === "ok";
      context.fillStyle = statusColour(worker.status[j]);
      context.fillRect(x, y + (fine ? 2 : 0), wide, LANE - (fine ? 7 : 4));
      if (!fine && wide > 9) {
        context.fillStyle = colour("ground");
        context.textAlign = "center";
        context.fillText("×", x + wide / 2, y + 11);
      }
    });
  });
  drawClock(context, { span, cuts, at, bottom: workers.length * LANE + 6, width });
}

function drawClock(context, { span, cuts, at, bottom, width }) {
  const [divisor, unit] = timeUnit(span);
  const longest = span / divisor;
  const raw = longest / Math.max(2, Math.min(8, Math.floor(width / 110)));
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw);
  context.textAlign = "center";
  context.fillStyle = colour("ink");
  for (let n = 0; n * step <= longest; n += 1) {
    const x = at(n * step * divisor);
    context.fillRect(x, bottom - 6, 1, 5);
    context.fillText(`${Number((n * step).toPrecision(6))}${n ? "" : ` ${unit}`}`, Math.max(x, 4), bottom + 12);
  }
  context.strokeStyle = colour("ink");
  context.setLineDash([4, 3]);
  for (const [seconds] of cuts) {
    context.beginPath();
    context.moveTo(at(seconds), 0);
    context.lineTo(at(seconds), bottom);
    context.stroke();
  }
  context.setLineDash([]);
}

function tipOnTimeline(event, canvas, { workers, span }) {
  const box = canvas.getBoundingClientRect();
  const side = timelineSide(canvas);
  const worker = workers[Math.floor((event.clientY - box.top) / LANE)];
  const seconds = ((event.clientX - box.left - side) / (box.width - side - 8)) * span;
  const j = worker ? worker.start.findLastIndex((start, n) => start <= seconds && worker.end[n] >= seconds) : -1;
  if (j < 0) {
    hideTip();
    return;
  }
  const what = worker.trials[j] === 1 ? `trial ${worker.trial[j]}` : `${number(worker.trials[j])} trials from ${worker.trial[j]} on`;
  byId("tip").replaceChildren(element("strong", {}, `${what}: ${worker.status[j].replaceAll("_", " ")}`), element("div", {}, `${worker.name}, ${duration(worker.end[j] - worker.start[j])} from ${duration(worker.start[j])} on`));
  placeTip(byId("tip"), { x: event.clientX, y: event.clientY });
}
