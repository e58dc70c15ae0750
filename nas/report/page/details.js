// The static parts of the page: facts, failures, commands, config, versions.

function startDetails() {
  byId("result").textContent = page.result;
  if (several) byId("search-title").textContent = "The searches";
  byId("made").textContent = `Made ${page.made}. Opens offline.`;
  byId("notes").append(...page.notes.map((note) => element("p", { class: "faint small" }, note)));
  byId("facts").append(several ? runsTable() : factsOf(0));
  showFailures();
  showCommands();
  showConfigs();
}

/** Links to the sections; empty ones are removed. */
function listSections() {
  const sections = [...document.querySelectorAll("main > section")];
  byId("contents").append(...sections.map((section) => element("li", {}, element("a", { href: `#${section.id}` }, section.querySelector("h2").textContent))));
}

/** Labels and texts of the run's facts, with the best value of each objective on its front. */
function allFacts(r) {
  const front = everything.filter((i) => all.run[i] === r && all.front[i]);
  const best = measures.map((measure, k) => {
    const values = front.map((i) => all.values[k][i]);
    return [`Best ${measure.name}${beside[k] ? ", expected" : ""}`, values.length ? withUnit(measure.maximize ? Math.max(...values) : Math.min(...values), measure.unit) : "–"];
  });
  return [...page.runs[r].facts, ["Time of search", duration(page.runs[r].seconds)], ...best];
}

const factsOf = (r) => element("dl", { class: "facts" }, allFacts(r).map(([label, text]) => element("div", {}, element("dt", {}, label), element("dd", {}, text))));

function runsTable() {
  const labels = [...new Set(page.runs.flatMap((_, r) => allFacts(r).map(([label]) => label)))];
  return element("div", { class: "wide" }, element("table", { id: "runs" },
    element("caption", { class: "unseen" }, "Compared searches"),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Run"), labels.map((label) => element("th", { scope: "col" }, label)))),
    element("tbody", {}, page.runs.map((run, r) => {
      const known = Object.fromEntries(allFacts(r));
      const mark = element("span", {}, swatch(r));
      when("theme", () => mark.replaceChildren(swatch(r)));
      return element("tr", {}, element("th", { scope: "row" }, mark, run.name), labels.map((label) => element("td", {}, known[label] ?? "–")));
    }))));
}

function showFailures() {
  const failed = page.runs.map((run, r) => ({ run, r })).filter(({ run }) => run.failures.length);
  if (!failed.length) byId("failure-list").append(element("p", { class: "faint" }, "No evaluation failed."));
  for (const { run, r } of failed) {
    if (several) byId("failure-list").append(element("h3", {}, swatch(r), run.name));
    byId("failure-list").append(element("div", { class: "wide" }, element("table", {},
      element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "number" }, "times"), element("th", { scope: "col" }, "status"), element("th", { scope: "col" }, "reason and example"))),
      element("tbody", {}, run.failures.map((failure) => element("tr", {}, element("td", { class: "number" }, number(failure.count)), element("td", {}, failure.status.replaceAll("_", " ")),
        element("td", {}, failure.reason, element("details", { class: "lighter" }, element("summary", {}, `trial ${failure.trial}`), element("div", {}, element("p", {}, "Architecture ", element("code", {}, failure.architecture)), element("pre", {}, failure.details))))))))));
  }
}

function showCommands() {
  page.runs.forEach((run, r) => {
    const found = run.commands.map(({ what, before }) => command(what, before));
    byId("commands").append(...(several ? [element("details", {}, element("summary", {}, swatch(r), run.name), element("div", {}, ...found))] : found));
  });
}

function showConfigs() {
  page.runs.forEach((run, r) => {
    const versions = element("dl", { class: "pairs" }, Object.entries(run.versions).flatMap(([name, version]) => [element("dt", {}, name), element("dd", {}, version)]));
    const shown = element("div", {}, element("h3", {}, several ? swatch(r) : null, several ? `Config of ${run.name}` : "Config"), element("pre", {}, run.config), element("h3", {}, "Versions"), versions);
    byId("configs").append(several ? element("details", {}, element("summary", {}, run.name), shown) : shown);
  });
}
