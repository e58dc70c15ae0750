// The selected network: its numbers, drawing, blocks and commands.

function startNetwork() {
  const step = (by) => () => {
    const rows = table.rows.length ? table.rows : everything;
    const at = rows.indexOf(state.chosen);
    choose(rows[at < 0 ? 0 : (at + by + rows.length) % rows.length], "steps");
  };
  byId("steps").append(
    element("button", { type: "button", id: "step-back", click: step(-1) }, "← Previous"), element("button", { type: "button", id: "step-on", click: step(1) }, "Next →"),
    element("span", { class: "small faint" }, "in the table's order"));
  when("chosen", showNetwork);
  when("theme", showNetwork);
}

function showNetwork() {
  const i = state.chosen;
  const box = byId("network");
  if (i === null) {
    box.replaceChildren(element("p", { class: "faint" }, everything.length ? "Select a point, a line or a row." : "No evaluation has values yet."));
    return;
  }
  const run = page.runs[all.run[i]];
  const network = networkOf.get(i);
  const architecture = all.architecture[i];
  box.replaceChildren(...[
    element("p", {}, several ? swatch(all.run[i]) : null, element("strong", {}, nameOf(i).replace(/^e/, "E")), " ", ...badges(i)),
    command("Architecture", architecture),
    numbersOf(i),
    parametersOf(i),
    network ? null : element("p", { class: "small faint" }, whyNotDrawn(i, run)),
    ...(network ? drawingOf(network, architecture) : []),
    network?.parts.length ? blocks(network.parts) : genes(architecture, run),
    reported(network),
    element("details", { open: true }, element("summary", {}, "Commands for this network"), element("div", {}, ...run.picks.map(({ what, before, word, after }) => command(what, `${before}${quoted(word.replace("{}", architecture))}${after}`)))),
  ].filter(Boolean));
  byId("announced").textContent = `Selected: ${nameOf(i)}, ${measures.map((m, k) => `${m.name} ${saidOf(i, k)}`).join(", ")}`;
}

/** The active parameters of a row by name. */
function parametersOf(i) {
  const pairs = Object.entries(all.parameters).filter(([, column]) => known(column[i]));
  if (!pairs.length) return null;
  const list = element("dl", { class: "pairs" }, pairs.flatMap(([name, column]) => [element("dt", {}, name), element("dd", {}, String(column[i]))]));
  return element("details", { open: pairs.length <= FEW_PARAMETERS }, element("summary", {}, "Parameters"), list);
}

function numbersOf(i) {
  const pairs = measures.map((measure, k) => [measure.name, saidOf(i, k)]);
  for (const [name, column] of Object.entries(all.further)) {
    if (column[i] !== undefined && column[i] !== null && column[i] !== "") pairs.push([name, name === "budget" ? `${number(column[i])} epochs` : typeof column[i] === "number" ? number(column[i]) : column[i]]);
  }
  if (all.seconds[i] !== null) pairs.push(["found after", duration(all.seconds[i])]);
  return element("dl", { class: "pairs" }, pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

const whyNotDrawn = (i, run) => (all.front[i] && run.networks.left_out
  ? `Only ${number(run.networks.drawn.length)} networks of the front are drawn on this page, evenly along it. nas show, below, shows this one.`
  : run.picks.length > 1 ? "Only networks of the front are drawn on this page. nas show, below, shows this one." : "Only networks of the front are drawn on this page.");

function drawingOf(network, architecture) {
  const found = [];
  if (network.svg) found.push(element("img", { class: "drawing", alt: `Drawing of ${architecture}, in words below`, src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(network.svg)}` }));
  if (network.words) found.push(element("details", { class: "lighter" }, element("summary", {}, "In words"), element("pre", {}, network.words)));
  return found;
}

/** The blocks as a table with bars of their parameters and MAdds. */
function blocks(parts) {
  const most = { params: Math.max(1, ...parts.map((part) => part.params)), madds: Math.max(1, ...parts.map((part) => part.madds)) };
  const sum = (key) => parts.reduce((total, part) => total + part[key], 0);
  const meter = (part, key) => {
    const bar = element("i", { "aria-hidden": "true" });
    bar.style.width = `${(100 * part[key]) / most[key]}%`;
    return element("td", { class: `meter ${key}` }, number(part[key]), bar);
  };
  return element("div", { class: "wide" }, element("table", { class: "parts" },
    element("caption", { class: "unseen" }, "Blocks of the network with their parameters and multiply-adds"),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "block"), element("th", { scope: "col", class: "number" }, "parameters"), element("th", { scope: "col", class: "number" }, "MAdds"))),
    element("tbody", {}, parts.map((part) => element("tr", {}, element("td", {}, element("strong", {}, part.kind), part.text ? ` ${part.text}` : "", element("div", { class: "small faint" }, `gives ${part.shape}`)), meter(part, "params"), meter(part, "madds")))),
    element("tfoot", {}, element("tr", {}, element("td", {}, "total"), element("td", { class: "number" }, number(sum("params"))), element("td", { class: "number" }, number(sum("madds")))))));
}

/** The genes of a space without a drawing, if the text form lists them. */
function genes(architecture, run) {
  const note = run.networks.note ? element("p", { class: "small faint" }, run.networks.note) : null;
  if (!/^\d+(-\d+)+$/.test(architecture)) return note;
  return element("div", {}, note, element("ol", { class: "genes", "aria-label": "Genes" }, architecture.split("-").map((value, g) => element("li", {}, element("span", { class: "faint" }, `gene ${g}: `), value))));
}

function reported(network) {
  const pairs = Object.entries(network?.reported ?? {});
  if (!pairs.length) return null;
  return element("details", { class: "lighter" }, element("summary", {}, "Also reported by the evaluator"), element("dl", { class: "pairs" }, pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, name.endsWith("seconds") ? `${number(value)} s` : number(value))])));
}
