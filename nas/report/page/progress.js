// Quality over evaluations and time, and how good the surrogates were.

/** A small chart with its heading; drawn when it comes near the screen, or is printed. */
function smallChart(box, title, note, said, draw) {
  const place = element("div", { class: "chart low", role: "img", "aria-label": said });
  box.append(element("div", { class: "panel" }, element("h3", {}, title), element("p", { class: "small faint" }, note), place));
  const act = () => Plotly.react(place, ...draw(), stillConfig);
  let drawn = false;
  const first = () => {
    if (drawn) return;
    drawn = true;
    observer.disconnect();
    act();
  };
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) plotly.then(first);
  }, { rootMargin: "300px" });
  observer.observe(place);
  plotly.then(() => addEventListener("beforeprint", first));
  when("theme", () => { if (drawn) act(); });
}

const legendOfRuns = () => (several ? legendBelow : {});

function startProgress() {
  const runs = page.runs.map((run, r) => ({ run, r })).filter(({ run }) => run.curve && run.curve.evaluations.length);
  if (!runs.length) {
    byId("progress-charts").append(element("p", { class: "faint" }, "Nothing to draw before the first result with finite values."));
    return;
  }
  const [divisor, unit] = timeUnit(Math.max(...runs.map(({ run }) => run.curve.seconds.at(-1) ?? 0)));
  const line = ({ run, r }, x, y) => ({
    type: "scatter", mode: runs.every((other) => other.run.curve.evaluations.length < 60) ? "lines+markers" : "lines", name: plain(run.name), x, y, connectgaps: false,
    line: { shape: "hv", width: 2, color: several ? look(r).colour : look(0).colour, dash: look(r).line }, marker: { size: 5, symbol: look(r).mark }, hovertemplate: "%{y:.4g}<extra></extra>",
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
      layout({ xaxis: axis(x, { rangemode: "tozero" }), yaxis: axis(y, { rangemode: key === "igd_plus" ? "tozero" : "normal" }), margin: { l: 60, r: 12, t: 6, b: 44 }, hovermode: "x", ...legendOfRuns() })]);
  }
  byId("box").textContent = `${runs[0].run.curve.box} IGD+ is measured to ${several ? "the front of all runs together" : "the run's own final front, so that it ends at 0"}.`;
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
      layout({ xaxis: axis("results told", { rangemode: "tozero" }), yaxis: axis("rank correlation (tau)", { range: [lowestTau(lines), 1.03] }), margin: { l: 60, r: 12, t: 6, b: 44 }, ...legendBelow })]);
    smallChart(byId("surrogate-charts"), `Honesty of the intervals${of}`, "should be 90%", `Share of left-out results that the 90% interval held${of}`, () => [
      lines.map(({ run, r, surrogate }) => ({ type: "scatter", mode: "lines+markers", name: plain(run.name), x: surrogate.told, y: surrogate.coverage.map((v) => (v === null ? null : 100 * v)), line: { color: look(r).colour, width: 1.8, dash: look(r).line }, marker: { symbol: look(r).mark, size: 6 }, hovertemplate: "%{y:.0f}%<extra></extra>" })),
      layout({ xaxis: axis("results told", { rangemode: "tozero" }), yaxis: axis("held by the 90% interval (%)", { range: [0, 104] }), margin: { l: 60, r: 12, t: 6, b: 44 }, shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 90, y1: 90, line: { color: colour("faint"), width: 1.2, dash: "dash" } }], ...legendOfRuns() })]);
  }
  byId("surrogate-words").append(...judged.map(({ run, r, surrogate }) => element("p", { class: "small" }, several ? swatch(r) : null, several ? `${run.name}: ` : "At the end: ", surrogate.text || "no judgement in words")));
}

const lowestTau = (lines) => Math.min(-0.05, ...lines.flatMap(({ surrogate }) => [...surrogate.tau, ...(lines.length === 1 ? surrogate.tau_low : [])]).filter((v) => v !== null).map((v) => v - 0.05));

function tauTraces({ run, r, surrogate }, alone) {
  const own = look(r).colour;
  const doubtful = surrogate.reliable.map((fine, n) => (fine ? null : n)).filter((n) => n !== null);
  const found = [];
  if (alone) {
    const known = surrogate.told.map((_, n) => n).filter((n) => surrogate.tau_low[n] !== null && surrogate.tau_high[n] !== null);
    found.push({ type: "scatter", mode: "lines", name: "its interval", hoverinfo: "skip", fill: "toself", fillcolor: `${own}2e`, line: { width: 0 }, x: [...known, ...[...known].reverse()].map((n) => surrogate.told[n]), y: [...known.map((n) => surrogate.tau_high[n]), ...[...known].reverse().map((n) => surrogate.tau_low[n])] });
  }
  found.push({ type: "scatter", mode: "lines+markers", name: several ? plain(run.name) : "tau", x: surrogate.told, y: surrogate.tau, text: surrogate.chosen.map(plain), hovertemplate: "%{y:.2f} with %{text}<extra></extra>", line: { color: own, width: 1.8, dash: look(r).line }, marker: { symbol: look(r).mark, size: 6 } });
  if (doubtful.length) found.push({ type: "scatter", mode: "markers", name: "not reliable", hoverinfo: "skip", x: doubtful.map((n) => surrogate.told[n]), y: doubtful.map((n) => surrogate.tau[n]), marker: { symbol: "x-thin", size: 10, line: { width: 2, color: colour("front") } } });
  return found;
}
