// What the reader has chosen, and who wants to know when it changes.

const state = {
  limits: measures.map(() => ({ low: null, high: null })),
  text: "",
  chosen: null,
  passing: everything, // rows that meet the limits and hold the text
};
const listeners = { chosen: [], passing: [], theme: [] };

const when = (what, act) => listeners[what].push(act);
const tell = (what, from) => listeners[what].forEach((act) => act(from));

/** Choose a row (null: none); `from` says who did, so that it need not follow itself. */
function choose(i, from = "") {
  if (state.chosen === i) return;
  state.chosen = i;
  tell("chosen", from);
}

/** Keep what meets the limits; called by whatever changed them. */
function applyLimits(from = "") {
  const bounds = state.limits.map(({ low, high }, k) => [low ?? -Infinity, high ?? Infinity, k]).filter(([low, high]) => low > -Infinity || high < Infinity);
  const text = state.text.trim().toLowerCase();
  state.passing = everything.filter((i) =>
    bounds.every(([low, high, k]) => all.values[k][i] >= low && all.values[k][i] <= high) &&
    (!text || all.architecture[i].toLowerCase().includes(text)));
  tell("passing", from);
}

/** Something that is done once, a moment after the last call. */
function soon(act, delay = 120) {
  let timer = null;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), delay);
  };
}
