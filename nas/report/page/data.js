// The data of the page: the description written by nas/report, and all evaluations of all runs with one numbering.

const page = JSON.parse(byId("data").textContent);
const measures = page.measures;
const several = page.runs.length > 1;

/** Per row: its run, its number in the run, and whether it is on its run's front, outside a limit, superseded, without an expected value. */
const MARKED = ["front", "outside", "superseded", "unrated"];
const all = { run: [], row: [], architecture: [], trial: [], order: [], seconds: [], front: [], outside: [], superseded: [], unrated: [], values: measures.map(() => []), further: {}, parameters: {} };
const beside = {}; // of a noisy objective, whose values are the expected ones: per row `measured`, `low` and `high`
const SIGNS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"; // one per row: its place among the cells of a parameter
const networkOf = new Map();

page.runs.forEach((run, r) => {
  const rows = run.rows;
  const first = all.run.length;
  const marks = MARKED.map((name) => new Set(rows[name]));
  rows.architecture.forEach((architecture, i) => {
    all.run.push(r);
    all.row.push(i);
    all.architecture.push(architecture);
    all.trial.push(rows.trial[i]);
    all.order.push(rows.order[i]);
    all.seconds.push(rows.seconds[i]);
    MARKED.forEach((name, k) => all[name].push(marks[k].has(i)));
    measures.forEach((_, k) => all.values[k].push(rows.values[k][i]));
  });
  for (const { objective, measured, low, high } of rows.noisy) {
    beside[objective] ??= { measured: [], low: [], high: [] };
    measured.forEach((_, i) => { Object.entries({ measured, low, high }).forEach(([name, column]) => { beside[objective][name][first + i] = column[i]; }); });
  }
  for (const [name, column] of Object.entries(rows.further)) {
    all.further[name] ??= [];
    column.forEach((value, i) => { all.further[name][first + i] = value; });
  }
  for (const { name, cells, rows: places } of rows.parameters) {
    all.parameters[name] ??= [];
    for (let i = 0; i < places.length; i += 1) all.parameters[name][first + i] = cells[typeof places === "string" ? SIGNS.indexOf(places[i]) : places[i]];
  }
  for (const network of run.networks.drawn) networkOf.set(first + network.row, network);
});

const everything = all.run.map((_, i) => i);
const firstOf = page.runs.map((_, r) => all.run.indexOf(r));
const kneeOf = page.runs.map((run, r) => (run.knee === null ? null : firstOf[r] + run.knee));
const signs = measures.map((measure) => (measure.maximize ? -1 : 1));

/** The name of a row. */
function nameOf(i) {
  const place = all.order[i] === null ? "an evaluation of an earlier run" : `evaluation ${number(all.order[i])}`;
  return several ? `${place} of ${page.runs[all.run[i]].name}` : place;
}

/** The non-dominated rows in the objectives `places`, the first of equal ones, ordered by the first objective. */
function nonDominated(rows, places) {
  const usable = rows.filter((i) => !all.outside[i] && !all.superseded[i] && !all.unrated[i]);
  return undominated(usable, places, (i, k) => signs[k] * all.values[k][i]);
}

/** The value of objective k of a row; with the interval and the measured value if it is an expected one. */
function saidOf(i, k) {
  const { unit } = measures[k];
  const low = beside[k]?.low[i] ?? null;
  if (low === null) return withUnit(all.values[k][i], unit);
  return `${withUnit(all.values[k][i], unit)} expected (${number(low)} to ${number(beside[k].high[i])}), measured ${withUnit(beside[k].measured[i], unit)}`;
}

const noisyPlaces = measures.map((_, k) => k).filter((k) => beside[k]);
const everyPlace = measures.map((_, k) => k);
