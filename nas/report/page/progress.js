// Quality over evaluations and time, and the quality of the surrogates.

/** A small chart with its heading, drawn when it comes near the screen or is printed. */
function smallChart(box, title, note, said, draw) {
  const place = element("div", { class: "chart low", role: "img", "aria-label": said });
  const legend = element("ul", { class: "legend small", "aria-hidden": "true" });
  box.append(element("div", { class: "panel" }, element("h3", {}, title), element("p", { class: "small faint" }, note), place, legend));
  let view = null;
  const act = () => {
    view ??= new Chart(place, { onHover: showSaid });
    const [traces, axes] = draw();
    view.show(traces, axes);
    legend.replaceChildren(...traces.filter((trace) => trace.title).map(({ title: named, line, marker }) => {
      const key = element("span", { class: "swatch" }, marker ? MARKS_AS_TEXT[MARKS.indexOf(marker.symbol)] ?? OPEN_AS_TEXT[MARKS.indexOf(marker.symbol.replace("-open", ""))] ?? "✕" : "▬");
      key.style.color = marker?.color ?? line.fill ?? line.color;
      return element("li", {}, key, named);
    }));
  };
  let drawn = false;
  const first = () => {
    if (drawn) return;
    drawn = true;
    observer.disconnect();
    act();
  };
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) first();
  }, { rootMargin: "300px" });
  observer.observe(place);
  addEventListener("beforeprint", first);
  when("theme", () => { if (drawn) act(); });
}

function showSaid(point, at) {
  if (!point?.said) return hideTip();
  byId("tip").replaceChildren(point.said);
  return placeTip(byId("tip"), at);
}

function startProgress() {
  const runs = page.runs.map((run, r) => ({ run, r })).filter(({ run }) => run.curve && run.curve.evaluations.length);
  if (!runs.length) {
    byId("progress-charts").append(element("p", { class: "faint" }, "Nothing to draw before the first result with finite values."));
    return;
  }
  const [divisor, unit] = timeUnit(Math.max(...runs.map(({ run }) => run.curve.seconds.at(-1) ?? 0)));
  const sparse = runs.every((other) => other.run.curve.evaluations.length < 60);
  const line = ({ run, r }, x, y) => ({
    title: several ? run.name : "", x, y, said: y.map((value) => `${several ? `${run.name}: ` : ""}${number(value)}`),
    line: { steps: true, width: 2, color: look(r).colour, dash: look(r).line }, marker: { size: sparse ? 5 : 0.1, symbol: look(r).mark, color: look(r).colour },
  });
  const charts = [
    ["Hypervolume over evaluations", "hypervolume", (run) => run.curve.evaluations, "evaluations", "share of the box", "higher is better"],
    ["Hypervolume over time", "hypervolume", (run) => run.curve.seconds.map((s) => s / divisor), `${unit} of search`, "share of the box", "higher is better"],
    ["Distance to the final front over evaluations", "igd_plus", (run) => run.curve.evaluations, "evaluations", "IGD+ (sides of the box)", "lower is better"],
  ];
  for (const [title, key, across, x, y, direction] of charts) {
    const last = runs.map(({ run }) => `${several ? `${run.name}: ` : ""}${number(run.curve[key].at(-1))}`).join(", ");
    smallChart(byId("progress-charts"), title, direction, `${title}; at the end ${last}`, () => [
      runs.map((entry) => line(entry, across(entry.run), entry.run.curve[key])),
      { x: axis(x, { fromZero: true }), y: axis(y, { fromZero: key === "igd_plus" }) }]);
  }
  byId("box").textContent = `${runs[0].run.curve.box} IGD+ is measured to ${several ? "the front of all runs together" : "the final front of the run, so that it ends at 0"}.`;
}

function startSurrogates() {
  const judged = page.runs.flatMap((run, r) => run.surrogates.map((surrogate) => ({ run, r, surrogate })));
  if (!judged.length) {
    byId("surrogates").remove();
    return;
  }
  const objectives = [...new Set(judged.map(({ surrogate }) => surrogate.objective))];
  for (const objective of objectives) {
    const lines = judged.filter(({ surrogate }) => surrogate.objective === objective);
    const of = objective ? ` of ${objective}` : "";
    smallChart(byId("surrogate-charts"), `Kendall's tau${of}`, "higher is better", `Rank correlation of prediction and result${of}, at the end ${lines.map(({ surrogate }) => number(surrogate.tau.at(-1))).join(", ")}`, () => [
      lines.flatMap((entry) => tauTraces(entry, lines.length === 1)),
      { x: axis("evaluations the model had seen", { fromZero: true }), y: axis("rank correlation (tau)", { range: [lowestTau(lines), 1.03] }) }]);
    smallChart(byId("surrogate-charts"), `Calibration of the 90% interval${of}`, "90% is right: the dashed line", `Share of held-out results within the 90% interval${of}`, () => [
      [...lines.map(({ run, r, surrogate }) => ({
        title: several ? run.name : "", x: surrogate.told, y: surrogate.coverage.map((v) => (v === null ? null : 100 * v)), said: surrogate.coverage.map((v) => (v === null ? "" : `${Math.round(100 * v)}%`)),
        line: { color: look(r).colour, dash: look(r).line }, marker: { symbol: look(r).mark, size: 6, color: look(r).colour },
      })), { x: [0, Math.max(...lines.flatMap(({ surrogate }) => surrogate.told))], y: [90, 90], line: { color: colour("faint"), width: 1.2, dash: "dash" } }],
      { x: axis("evaluations the model had seen", { fromZero: true }), y: axis("results within the interval (%)", { range: [0, 104] }) }]);
  }
  byId("surrogate-words").append(...judged.map(({ run, r, surrogate }) => element("p", { class: "small" }, several ? swatch(r) : null, several ? `${run.name}: ` : "At the end: ", surrogate.text || "no report")));
}

const lowestTau = (lines) => Math.min(-0.05, ...lines.flatMap(({ surrogate }) => [...surrogate.tau, ...(lines.length === 1 ? surrogate.tau_low : [])]).filter((v) => v !== null).map((v) => v - 0.05));

function tauTraces({ run, r, surrogate }, alone) {
  const own = look(r).colour;
  const doubtful = surrogate.reliable.map((fine, n) => (fine ? null : n)).filter((n) => n !== null);
  const found = [];
  if (alone) {
    const known = surrogate.told.map((_, n) => n).filter((n) => surrogate.tau_low[n] !== null && surrogate.tau_high[n] !== null);
    found.push({ title: "90% interval", line: { fill: `${own}2e` }, x: [...known, ...[...known].reverse()].map((n) => surrogate.told[n]), y: [...known.map((n) => surrogate.tau_high[n]), ...[...known].reverse().map((n) => surrogate.tau_low[n])] });
  }
  found.push({ title: several ? run.name : "tau", x: surrogate.told, y: surrogate.tau, said: surrogate.tau.map((tau, n) => `${number(tau)} with ${surrogate.chosen[n]}`), line: { color: own, dash: look(r).line }, marker: { symbol: look(r).mark, size: 6, color: own } });
  if (doubtful.length) found.push({ title: "not reliable", x: doubtful.map((n) => surrogate.told[n]), y: doubtful.map((n) => surrogate.tau[n]), marker: { symbol: "x", size: 9, width: 2, color: colour("front") } });
  return found;
}
