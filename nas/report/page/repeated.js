// Values of the front's networks that vary, such as latencies, measured again at the end of the search.

function startRepeated() {
  const found = page.runs.map((run, r) => ({ run, r })).filter(({ run }) => run.repeated.length);
  if (!found.length) {
    byId("repeated").remove();
    return;
  }
  const numeric = (text) => element("td", { class: "number" }, text);
  const row = (r) => (one) => element("tr", {},
    element("th", { scope: "row" }, several ? swatch(r) : null, one.architecture), element("td", {}, one.objective),
    numeric(number(one.measurements)), numeric(withUnit(one.first, one.unit)), numeric(withUnit(one.median, one.unit)), numeric(`${number(one.least)} to ${withUnit(one.largest, one.unit)}`));
  byId("repeated-list").append(element("div", { class: "panel" }, element("div", { class: "wide" }, element("table", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "architecture"), element("th", { scope: "col" }, "objective"),
      ["measurements", "first", "median", "range"].map((name) => element("th", { scope: "col", class: "number" }, name)))),
    element("tbody", {}, found.flatMap(({ run, r }) => run.repeated.map(row(r))))))));
}
