// Inherited errors against those of own trainings: the decision, the measures with their intervals, and every network with both errors.

function startSharing() {
  const shared = page.runs.map((run, r) => ({ run, r, sharing: run.sharing })).filter(({ sharing }) => sharing);
  if (!shared.length) {
    byId("sharing").remove();
    return;
  }
  byId("sharing-words").append(...shared.filter(({ sharing }) => sharing.text).map(({ run, r, sharing }) => element("p", { class: sharing.trusted ? "" : "warning" },
    several ? swatch(r) : null, several ? `${run.name}: ` : null, several ? sharing.text : sharing.text.replace(/^./, (letter) => letter.toUpperCase()))));
  byId("sharing-words").append(agreementTable(shared));
  const drawn = shared.filter(({ sharing }) => sharing.architecture.length);
  if (!drawn.length) return;
  const [x, y] = rangesOf(drawn.flatMap(({ sharing }) => sharing.inherited), drawn.flatMap(({ sharing }) => sharing.own));
  const ends = [Math.max(x[0], y[0]), Math.min(x[1], y[1])];
  const crosses = ends[0] < ends[1];
  const equal = () => ({ title: "equal errors", x: ends, y: ends, line: { color: colour("faint"), width: 1.2, dash: "dash" } });
  const said = `Own error over inherited error of ${drawn.map(({ run, sharing }) => `${number(sharing.architecture.length)} networks${several ? ` of ${run.name}` : ""}`).join(", ")}`;
  smallChart(byId("sharing-charts"), "Inherited and own errors", crosses ? "" : "The line of equal errors lies beyond the axes.", said, () => [
    [...(crosses ? [equal()] : []), ...drawn.flatMap(trainedTraces)],
    { x: axis("inherited error (%)", { range: x }), y: axis("error of the own training (%)", { range: y }) }]);
}

/** The measures of each run in a row: those of the decision, and of all own trainings. */
function agreementTable(shared) {
  const cell = (stage, n) => (stage.value[n] === null ? "–" : `${rounded(stage.value[n])} (${rounded(stage.low[n])} to ${rounded(stage.high[n])})`);
  const row = ({ run, r, sharing }) => sharing.stages.map((stage) => element("tr", {},
    element("th", { scope: "row" }, several ? swatch(r) : null, several ? `${run.name}, ${stage.name}` : stage.name), element("td", { class: "number" }, number(stage.networks)),
    stage.value.map((_, n) => element("td", { class: "number" }, cell(stage, n)))));
  return element("div", { class: "panel" },
    element("div", { class: "wide" }, element("table", {},
      element("thead", {}, element("tr", {}, element("th", {}, ""), ["networks", ...shared[0].sharing.measures].map((name) => element("th", { scope: "col", class: "number" }, name)))),
      element("tbody", {}, shared.flatMap(row)))),
    element("p", { class: "small faint" }, "In parentheses 90% intervals. The decision is by networks spread over the costs of the front. Later trainings are of the best candidates, which changes tau and bias."));
}

const rounded = (value) => (value === null ? "–" : value.toFixed(Math.abs(value) >= 10 ? 1 : 2).replace("-", "−"));

/** As `nas.report.sharing.ranges`: a common range of both axes, unless that would squeeze one of them. */
function rangesOf(x, y) {
  let each = [x, y].map((values) => [Math.min(...values), Math.max(...values)]);
  const both = [Math.min(...each.map(([low]) => low)), Math.max(...each.map(([, high]) => high))];
  if (both[1] - both[0] <= 4 * Math.min(...each.map(([low, high]) => high - low))) each = [both, both];
  return each.map(([low, high]) => [low - 0.05 * (high - low || 1), high + 0.05 * (high - low || 1)]);
}

/** The networks of a run: filled marks of the decision, open ones of later trainings. */
function trainedTraces({ run, r, sharing }) {
  const decided = new Set(sharing.decided);
  const places = sharing.architecture.map((_, n) => n);
  const group = (title, those, symbol) => ({
    title: several ? `${run.name}: ${title}` : title, x: those.map((n) => sharing.inherited[n]), y: those.map((n) => sharing.own[n]), said: those.map((n) => saidOfTraining(sharing, n)),
    marker: { symbol, size: 9, width: 2, color: look(r).colour },
  });
  const later = group(decided.size ? "trained later" : "trained", places.filter((n) => !decided.has(n)), `${look(r).mark}${decided.size ? "-open" : ""}`);
  return [group("trained for the decision", [...decided], look(r).mark), later].filter((trace) => trace.x.length);
}

function saidOfTraining(sharing, n) {
  const cost = sharing.cost[n] === null ? "" : `, ${sharing.of_cost} ${withUnit(sharing.cost[n], sharing.unit)}`;
  return `${sharing.architecture[n]}: inherited ${number(sharing.inherited[n])}%, own ${number(sharing.own[n])}%${cost}`;
}
