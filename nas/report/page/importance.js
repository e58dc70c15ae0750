// How much each parameter matters for each measured objective: bars with intervals, as a table.

function startImportance() {
  const found = page.runs.flatMap((run) => run.importances);
  if (!found.length) {
    byId("importance").remove();
    return;
  }
  byId("importance-list").append(...found.map((one) => element("div", { class: "panel" }, element("h3", {}, one.objective), ...(one.reason ? [element("p", { class: "small faint" }, `Not known: ${one.reason}`)] : importanceOf(one)))));
}

function importanceOf(one) {
  const most = Math.max(0.01, ...one.high.filter((value) => value !== null));
  const along = (value) => `${100 * Math.min(1, Math.max(0, value / most))}%`;
  const percent = (value) => `${(Math.round(1000 * value) / 10 + 0).toFixed(1).replace("-", "−")}%`;
  const bar = (share, low, high) => element("div", { class: "track", "aria-hidden": "true" },
    element("div", { style: `left: 0; width: ${along(share)}` }),
    element("div", { class: "interval", style: `left: ${along(low)}; right: calc(100% - ${along(high)})` }));
  const row = (name, n) => {
    const [share, low, high] = [one.share[n], one.low[n], one.high[n]];
    const known = share !== null && low !== null && high !== null;
    return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, known ? bar(share, low, high) : ""),
      element("td", { class: "number" }, known ? percent(share) : "–"), element("td", { class: "number" }, known ? `${percent(low)} to ${percent(high)}` : ""));
  };
  const doubt = one.explained < 0.3 ? " The predictions are poor, so the shares are too." : "";
  return [
    element("p", { class: "small faint" }, `${number(one.results)} results; ${one.model} predicts ${percent(one.explained)} of their variance on held-out results.${doubt}`),
    element("div", { class: "wide" }, element("table", { class: "importance" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "parameter"), element("th", {}, ""), element("th", { scope: "col", class: "number" }, "share"), element("th", { scope: "col", class: "number" }, "90% interval"))),
      element("tbody", {}, one.parameters.map(row)))),
    one.left_out ? element("p", { class: "small faint" }, `${number(one.left_out)} less important ${one.left_out === 1 ? "parameter is" : "parameters are"} left out.`) : null,
  ].filter(Boolean);
}
