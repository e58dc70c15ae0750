// Listeners of changes: of the selected row, of the rows that pass the limits, of light or dark mode.

const listeners = { chosen: [], passing: [], theme: [] };

const when = (what, act) => listeners[what].push(act);
const tell = (what, from) => listeners[what].forEach((act) => act(from));
