// Everything that is read rather than explored: facts, failures, commands, config, versions.

function startDetails() {
  byId("made").textContent = `Made ${page.made}. Opens without a network.`;
  byId("notes").append(...page.notes.map((note) => element("p", { class: "warning small" }, note)));
  byId("facts").append(several ? runsTable() : factsOf(page.runs[0]));
  showFailures();
  showCommands();
  showConfigs();
  const sections = [...document.querySelectorAll("main > section")];
  byId("contents").append(...sections.map((section) => element("li", {}, element("a", { href: `#${section.id}` }, section.querySelector("h2").textContent))));
}

const factsOf = (run) => element("dl", { class: "facts" }, run.facts.map(([label, text]) => element("div", {}, element("dt", {}, label), element("dd", {}, text))));

function runsTable() {
  const labels = [...new Set(page.runs.flatMap((run) => run.facts.map(([label]) => label)))];
  return element("div", { class: "wide" }, element("table", { id: "runs" },
    element("caption", { class: "unseen" }, "The searches compared"),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Run"), labels.map((label) => element("th", { scope: "col" }, label)))),
    element("tbody", {}, page.runs.map((run, r) => {
      const known = Object.fromEntries(run.facts);
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
      element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "number" }, "times"), element("th", { scope: "col" }, "status"), element("th", { scope: "col" }, "reason, and an example"))),
      element("tbody", {}, run.failures.map((failure) => element("tr", {}, element("td", { class: "number" }, number(failure.count)), element("td", {}, failure.status.replaceAll("_", " ")),
        element("td", {}, failure.reason, element("details", { class: "lighter" }, element("summary", {}, `trial ${failure.trial}`), element("div", {}, element("p", {}, "Architecture ", element("code", {}, failure.architecture)), element("pre", {}, failure.details))))))))));
  }
}

function showCommands() {
  page.runs.forEach((run, r) => {
    if (several) byId("commands").append(element("h3", {}, swatch(r), run.name));
    byId("commands").append(...run.commands.map(({ what, before }) => command(what, before)));
  });
}

function showConfigs() {
  page.runs.forEach((run, r) => {
    const versions = element("dl", { class: "pairs" }, Object.entries(run.versions).flatMap(([name, version]) => [element("dt", {}, name), element("dd", {}, version)]));
    const shown = element("div", {}, element("h3", {}, several ? swatch(r) : null, several ? `Config of ${run.name}` : "Config"), element("pre", {}, run.config), element("h3", {}, "Versions"), versions);
    byId("configs").append(several ? element("details", {}, element("summary", {}, run.name), shown) : shown);
  });
}
