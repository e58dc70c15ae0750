// Fields for limits on the objectives and a text search; the parallel coordinates set the same limits.

const fields = [];

function limitsForm() {
  const form = byId("limits-form");
  form.addEventListener("submit", (event) => event.preventDefault());
  const changed = soon(() => { readLimits(); applyLimits("fields"); });
  measures.forEach((measure, k) => {
    const [least, most] = ["at least", "at most"].map((words) => {
      const input = element("input", { type: "text", inputmode: "decimal", input: changed, "data-limit": `${measure.name} ${words}`, "aria-label": `${measure.name} ${words}${measure.unit ? `, in ${measure.unit}` : ""}` });
      return { input, label: element("label", {}, words, input) };
    });
    fields.push({ low: least.input, high: most.input });
    const known = all.values[k].length ? `${short(Math.min(...extent(k)))} to ${short(Math.max(...extent(k)))}` : "";
    form.append(element("div", { class: "limit" }, element("span", {}, titled(measure), element("span", { class: "unit small faint" }, known ? ` ${known} evaluated` : "")), least.label, most.label));
  });
  const text = element("input", { type: "search", id: "search-text", input: soon(() => { state.text = text.value; applyLimits("fields"); }) });
  const clear = element("button", { type: "button", id: "clear-limits", click: () => {
    state.limits = measures.map(() => ({ low: null, high: null }));
    text.value = state.text = "";
    applyLimits("clear");
  } }, "Clear all limits");
  form.append(element("div", { class: "controls" }, element("label", {}, "architecture contains", text), clear),
    element("p", { class: "small faint", id: "limits-wrong", role: "alert" }), element("p", { class: "small faint" }, "Numbers may end in k, M or G (1M = 1e6)."));
  when("passing", showLimits);
}

function extent(k) {
  let low = Infinity, high = -Infinity;
  for (const value of all.values[k]) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** A typed number; null for an empty text, NaN for an invalid one. */
function typed(text) {
  const trimmed = text.trim().replaceAll(/[,_\s%]/g, "");
  if (!trimmed) return null;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kKMG]?)$/i.exec(trimmed);
  return match ? Number(match[1]) * ({ k: 1e3, K: 1e3, m: 1e6, M: 1e6, g: 1e9, G: 1e9 }[match[2]] ?? 1) : NaN;
}

function readLimits() {
  const wrong = [];
  fields.forEach(({ low, high }, k) => {
    for (const [side, input] of [["low", low], ["high", high]]) {
      const value = typed(input.value);
      const bad = Number.isNaN(value);
      input.setAttribute("aria-invalid", String(bad));
      if (bad) wrong.push(`${measures[k].name}: “${input.value}” is not a number`);
      state.limits[k][side] = bad ? null : value;
    }
  });
  byId("limits-wrong").textContent = wrong.join("; ");
}

/** Update the fields and the count after a change of the limits elsewhere. */
function showLimits(from) {
  if (from !== "fields") {
    fields.forEach(({ low, high }, k) => {
      low.value = state.limits[k].low ?? "";
      high.value = state.limits[k].high ?? "";
    });
  }
  const front = state.passing.filter((i) => all.front[i]).length;
  const whole = all.front.filter(Boolean).length;
  const limited = state.passing.length < everything.length;
  byId("count").textContent = limited
    ? `${number(state.passing.length)} of ${number(everything.length)} evaluations meet the limits, ${number(front)} of ${number(whole)} on the front.`
    : `${number(everything.length)} evaluations with values, ${number(whole)} on the front${several ? "s" : ""}.`;
}
