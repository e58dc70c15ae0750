// The table: the front first, or everything; sorted by any column, paged, and a grid for the keyboard.

const PER_PAGE = [25, 100, 500];
const VIEWS = {
  front: ["the front", (i) => all.front[i]],
  best: ["best within the limits", null],
  all: ["all evaluations", () => true],
};
const FEW_PARAMETERS = 12; // more are shown on demand
const parameterNames = Object.keys(all.parameters);
const known = (value) => value !== null && value !== undefined;
const table = { view: "front", sort: 0, ascending: true, page: 0, size: PER_PAGE[0], rows: [], focus: 0, body: null };

/** The columns: { name, unit, value(i), cell(i), text(i) for CSV, label }. */
function columns() {
  const found = [];
  if (several) found.push({ name: "run", value: (i) => all.run[i], cell: (i) => [swatch(all.run[i]), page.runs[all.run[i]].name], text: (i) => page.runs[all.run[i]].name });
  found.push({ name: "evaluation", label: "evaluation", numeric: true, value: (i) => all.order[i] ?? -1, cell: (i) => [number(all.order[i])], text: (i) => all.order[i] ?? "" });
  const ofMeasure = (measure, name, of) => found.push({ name, unit: measure.unit, label: name, unitInCell: measure.unit, numeric: true, descendFirst: measure.maximize, value: (i) => of(i) ?? Infinity, cell: (i) => [number(of(i) ?? null)], text: (i) => of(i) ?? "" });
  measures.forEach((measure, k) => {
    ofMeasure(measure, measure.name, (i) => (beside[k] ? beside[k].measured[i] ?? all.values[k][i] : all.values[k][i]));
    if (!beside[k]) return; // the columns of front.csv
    ofMeasure(measure, `${measure.name}_expected`, (i) => (known(beside[k].low[i]) ? all.values[k][i] : null));
    for (const end of ["low", "high"]) ofMeasure(measure, `${measure.name}_${end}`, (i) => beside[k][end][i]);
  });
  for (const [name, column] of Object.entries(all.further)) {
    const numeric = column.some((value) => typeof value === "number");
    found.push({ name, label: name, unit: { budget: "epochs", measurements: "of one architecture" }[name], numeric, value: (i) => column[i] ?? "", cell: (i) => [numeric ? number(column[i] ?? null) : column[i] ?? ""], text: (i) => column[i] ?? "" });
  }
  for (const name of parameterNames) {
    const column = all.parameters[name];
    const numeric = column.every((value) => !known(value) || typeof value === "number");
    const blank = numeric ? -Infinity : "";
    found.push({ name, label: name, parameter: true, numeric, value: (i) => (known(column[i]) ? (numeric ? column[i] : String(column[i])) : blank), cell: (i) => [known(column[i]) ? String(column[i]) : ""], text: (i) => column[i] ?? "" });
  }
  found.push({ name: "architecture", value: (i) => all.architecture[i], cell: (i) => [element("code", {}, all.architecture[i]), ...badges(i)], text: (i) => all.architecture[i] });
  return found;
}

/** The column of the values of the first objective that decide about the front. */
const firstDecisive = () => table.columns.findIndex((column) => column.name === (beside[0] ? `${measures[0].name}_expected` : measures[0].name));

const badges = (i) => [
  all.front[i] ? element("span", { class: "badge front" }, "front") : null,
  kneeOf[all.run[i]] === i ? element("span", { class: "badge" }, "knee") : null,
  all.outside[i] ? element("span", { class: "badge" }, "outside the limits") : null,
  all.superseded[i] ? element("span", { class: "badge" }, "measured again later") : null,
  all.unrated[i] && !all.superseded[i] ? element("span", { class: "badge" }, "not compared") : null,
].filter(Boolean);

function startTable() {
  table.every = columns();
  table.columns = table.every.filter((column) => !column.parameter || parameterNames.length <= FEW_PARAMETERS);
  table.sort = firstDecisive();
  table.ascending = !measures[0].maximize;
  const view = element("select", { id: "view", change: () => { table.view = view.value; table.page = 0; fillTable(); } },
    Object.entries(VIEWS).map(([key, [words]]) => element("option", { value: key }, words)));
  const size = element("select", { id: "page-size", change: () => { table.size = Number(size.value); table.page = 0; fillTable(); } },
    PER_PAGE.map((n) => element("option", { value: n }, n)));
  byId("table-controls").append(element("label", {}, "Show", view), element("label", {}, "rows per page", size),
    element("button", { type: "button", id: "download", click: download }, "Download these rows (CSV)"),
    element("span", { class: "small faint" }, "Move with the arrow keys, select with Enter."));
  if (parameterNames.length > FEW_PARAMETERS) {
    const box = element("input", { type: "checkbox", id: "show-parameters", change: () => showColumns(box.checked) });
    byId("table-controls").append(element("label", {}, box, `show all ${number(parameterNames.length)} parameters`));
  }
  table.body = element("tbody", { role: "rowgroup", keydown: moveInTable, click: (event) => {
    const row = event.target.closest("tr");
    if (row && !getSelection().toString()) chooseInTable(Number(row.dataset.place));
  } });
  const made = element("table", { role: "grid", "aria-labelledby": "table-title", id: "grid" },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row", id: "headers" })), table.body);
  byId("rows").className = "wide rows";
  byId("rows").append(made);
  makeHeaders();
  when("passing", () => { table.page = 0; fillTable(); });
  when("chosen", (from) => followInTable(from));
  when("theme", () => { if (several) fillTable(); });
}

function makeHeaders() {
  table.headers = table.columns.map((column, c) => {
    const button = element("button", { type: "button", click: () => sortBy(c) }, column.name, element("span", { class: "arrow", "aria-hidden": "true" }), column.unit ? element("span", { class: "unit" }, column.unit) : null);
    return element("th", { scope: "col", role: "columnheader", class: column.numeric ? "number" : null }, button);
  });
  byId("headers").replaceChildren(...table.headers);
  byId("grid").classList.toggle("named", table.columns.some((column) => column.parameter));
}

/** Show or hide the columns of many parameters; a hidden one no longer sorts. */
function showColumns(parameters) {
  const sorted = table.columns[table.sort];
  table.columns = table.every.filter((column) => parameters || !column.parameter);
  const at = table.columns.indexOf(sorted);
  table.sort = at >= 0 ? at : firstDecisive();
  makeHeaders();
  fillTable();
}

function sortBy(c) {
  table.ascending = table.sort === c ? !table.ascending : !table.columns[c].descendFirst;
  table.sort = c;
  table.page = 0;
  fillTable();
}

/** The rows of the view, sorted. */
function viewed() {
  const keep = VIEWS[table.view][1];
  const rows = keep ? state.passing.filter(keep) : nonDominated(state.passing, everyPlace);
  const { value } = table.columns[table.sort];
  const sign = table.ascending ? 1 : -1;
  const keys = new Map(rows.map((i) => [i, value(i)]));
  return rows.sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    return (x < y ? -sign : x > y ? sign : 0) || a - b;
  });
}

function fillTable() {
  table.rows = viewed();
  const at = table.rows.indexOf(state.chosen);
  table.focus = at >= 0 && Math.floor(at / table.size) === table.page ? at : table.page * table.size;
  table.headers.forEach((header, c) => {
    const sorted = c === table.sort;
    header.setAttribute("aria-sort", sorted ? (table.ascending ? "ascending" : "descending") : "none");
    header.querySelector(".arrow").textContent = sorted ? (table.ascending ? " ▲" : " ▼") : "";
  });
  showPage();
}

function showPage() {
  const first = table.page * table.size;
  const rows = table.rows.slice(first, first + table.size);
  byId("grid").setAttribute("aria-rowcount", table.rows.length + 1);
  table.body.replaceChildren(...rows.map((i, n) => element("tr", {
    role: "row", "data-place": first + n, "data-row": i, "aria-rowindex": first + n + 2, "aria-selected": String(i === state.chosen), tabindex: first + n === table.focus ? 0 : -1,
  }, table.columns.map((column) => element("td", { role: "gridcell", class: column.numeric ? "number" : null, "data-label": column.label }, ...column.cell(i), column.unitInCell ? element("span", { class: "phone-unit" }, ` ${column.unitInCell}`) : null)))));
  if (!rows.length) table.body.append(element("tr", { role: "row" }, element("td", { role: "gridcell", colspan: table.columns.length }, everything.length ? "No evaluation meets these limits." : "No evaluation has values yet.")));
  showPager();
}

function showPager() {
  const pages = Math.max(1, Math.ceil(table.rows.length / table.size));
  const go = (to) => () => { table.page = to; table.focus = to * table.size; showPage(); };
  const active = document.activeElement?.id;
  byId("pages").replaceChildren(
    element("button", { type: "button", id: "previous-page", disabled: table.page === 0, click: go(table.page - 1) }, "← Previous"),
    element("span", { role: "status", id: "page-said" }, `Page ${table.page + 1} of ${number(pages)}, ${number(table.rows.length)} rows`),
    element("button", { type: "button", id: "next-page", disabled: table.page + 1 >= pages, click: go(table.page + 1) }, "Next →"));
  if (active === "previous-page" || active === "next-page") byId(active).focus();
}

/** Focus a position in the sorted rows, on its page. */
function focusPlace(place) {
  table.focus = Math.max(0, Math.min(table.rows.length - 1, place));
  const page_ = Math.floor(table.focus / table.size);
  if (page_ !== table.page) {
    table.page = page_;
    showPage();
  }
  table.body.querySelectorAll("tr[tabindex]").forEach((row) => row.setAttribute("tabindex", Number(row.dataset.place) === table.focus ? 0 : -1));
  table.body.querySelector('tr[tabindex="0"]')?.focus();
}

function moveInTable(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: table.size, PageUp: -table.size, Home: -Infinity, End: Infinity };
  if (event.key in steps) focusPlace(table.focus + steps[event.key]);
  else if (event.key === "Enter" || event.key === " ") chooseInTable(table.focus);
  else return;
  event.preventDefault();
}

function chooseInTable(place) {
  if (Number.isNaN(place)) return;
  table.focus = place;
  choose(table.rows[place], "table");
}

/** Mark the selected row, and show its page if it was selected elsewhere. */
function followInTable(from) {
  const place = table.rows.indexOf(state.chosen);
  if (place >= 0 && from !== "table") {
    table.page = Math.floor(place / table.size);
    table.focus = place;
    showPage();
    return;
  }
  table.body.querySelectorAll("tr[data-row]").forEach((row) => {
    row.setAttribute("aria-selected", String(Number(row.dataset.row) === state.chosen));
    row.setAttribute("tabindex", Number(row.dataset.place) === table.focus ? 0 : -1);
  });
}

const cellOfCsv = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

function download() {
  const lines = [table.every.map((column) => column.name), ...table.rows.map((i) => table.every.map((column) => column.text(i)))];
  const text = lines.map((line) => line.map(cellOfCsv).join(",")).join("\n");
  const link = element("a", { download: "rows.csv", href: URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
