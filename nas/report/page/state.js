// The reader's selection, and the listeners of its changes.

const state = {
  limits: measures.map(() => ({ low: null, high: null })),
  text: "",
  chosen: null,
  passing: everything, // rows that meet the limits and contain the text
};
const listeners = { chosen: [], passing: [], theme: [] };

const when = (what, act) => listeners[what].push(act);
const tell = (what, from) => listeners[what].forEach((act) => act(from));

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

/** A function that runs once, shortly after the last call. */
function soon(act, delay = 120) {
  let timer = null;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), delay);
  };
}
