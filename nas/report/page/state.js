// The reader's selection.

const state = {
  limits: measures.map(() => ({ low: null, high: null })),
  text: "",
  chosen: null,
  passing: everything, // rows that meet the limits and contain the text
};

/** Select a row (null: none); `from` names the source, which need not follow its own selection. */
function choose(i, from = "") {
  if (state.chosen === i) return;
  state.chosen = i;
  tell("chosen", from);
}

/** Keep the rows that meet the limits; call it after changing them. */
function applyLimits(from = "") {
  const bounds = state.limits.map(({ low, high }, k) => [low ?? -Infinity, high ?? Infinity, k]).filter(([low, high]) => low > -Infinity || high < Infinity);
  const text = state.text.trim().toLowerCase();
  state.passing = everything.filter((i) =>
    bounds.every(([low, high, k]) => all.values[k][i] >= low && all.values[k][i] <= high) &&
    (!text || all.architecture[i].toLowerCase().includes(text)));
  tell("passing", from);
}
