// Networks that were trained for comparison: a table, and their marks in the chart of the front.

const baselineRuns = page.runs.map((run, r) => ({ found: run.baselines, run, r })).filter(({ found }) => found);

function startBaselines() {
  if (!baselineRuns.length) {
    byId("baselines").remove();
    return;
  }
  const numeric = (value) => element("td", { class: "number" }, number(value));
  const heads = measures.map((measure) => element("th", { scope: "col", class: "number" }, measure.name, element("span", { class: "unit" }, measure.unit)));
  for (const { found, run, r } of baselineRuns) {
    const rows = found.network.map((name, n) => element("tr", {}, element("th", { scope: "row" }, name), measures.map((_, k) => numeric(found.values[k][n])), element("td", {}, found.verdict[n])));
    byId("baselines-list").append(
      several ? element("h3", {}, swatch(r), run.name) : "",
      element("p", {}, found.answer),
      element("div", { class: "panel" }, element("div", { class: "wide" }, element("table", {},
        element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "network"), heads, element("th", { scope: "col" }, "against the front"))),
        element("tbody", {}, rows)))));
  }
}

/** The marks of the baselines with values in the objectives of the `axes`, { x: place, ... }: filled where the front does not dominate them. */
function baselineTraces(axes) {
  const names = Object.keys(axes);
  return baselineRuns.flatMap(({ found, run, r }) => {
    const free = new Set(found.free);
    const color = several ? look(r).colour : colour("accent");
    const trained = found.network.map((_, n) => n).filter((n) => names.every((name) => known(found.values[axes[name]][n])));
    return [[false, "baselines, dominated", "diamond-open"], [true, "baselines, not dominated", "diamond"]].map(([open, title, symbol]) => {
      const those = trained.filter((n) => free.has(n) === open);
      return {
        ...Object.fromEntries(names.map((name) => [name, those.map((n) => found.values[axes[name]][n])])),
        title: several ? `${title}: ${run.name}` : title,
        said: those.map((n) => ({ run: r, number: n })),
        named: those.length > 0,
        layer: 1,
        marker: { symbol, color, size: 11, width: 1.8, edge: colour("ground") },
      };
    }).filter((trace) => trace.named);
  });
}

/** The tooltip of a baseline. */
function showBaselineTip({ run, number: n }, at) {
  const found = page.runs[run].baselines;
  const values = measures.flatMap((measure, k) => [element("dt", {}, measure.name), element("dd", {}, withUnit(found.values[k][n], measure.unit))]);
  byId("tip").replaceChildren(element("strong", {}, found.network[n]), element("br"), found.verdict[n], element("dl", { class: "pairs" }, values));
  placeTip(byId("tip"), at);
}
