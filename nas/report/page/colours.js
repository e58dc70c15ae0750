// Colours of Okabe and Ito, distinct with any colour vision; each run also has its mark and line style.

const dark = matchMedia("(prefers-color-scheme: dark)");
const LIGHT_RUNS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
const DARK_RUNS = ["#3d9bd8", "#f0803a", "#1fc596", "#e39cc4", "#f2b63c", "#8fd0f7", "#ffffff"];
const MARKS = ["circle", "square", "diamond", "cross"];
const MARKS_AS_TEXT = ["●", "■", "◆", "✚"];
const OPEN_AS_TEXT = ["○", "□", "◇", "✛"];
const LINES = ["solid", "dash", "dot", "dashdot"];
const STATUS = { ok: "#0072B2", failed: "#D55E00", timeout: "#E69F00", out_of_memory: "#CC79A7", lost: "#7b3294" };
const STATUS_DARK = { ok: "#3d9bd8", failed: "#f0803a", timeout: "#f2b63c", out_of_memory: "#e39cc4", lost: "#c39bd3" };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** The style of run r: neighbours differ in colour, mark and line, and 28 styles are distinct. */
function look(r) {
  const colours = dark.matches ? DARK_RUNS : LIGHT_RUNS;
  const kind = (r + Math.floor(r / colours.length)) % MARKS.length;
  return { colour: colours[r % colours.length], mark: MARKS[kind], text: MARKS_AS_TEXT[kind], line: LINES[kind] };
}

/** The mark of run r, for tables and legends. */
function swatch(r) {
  const { colour: own, text } = look(r);
  const made = element("span", { class: "swatch", "aria-hidden": "true" }, text);
  made.style.color = own;
  return made;
}

/** The legend of the marks, as a list. */
function showLegend(traces) {
  const named = traces.filter((trace) => trace.title && trace.named);
  const marks = { ...Object.fromEntries(MARKS.map((mark, m) => [mark, MARKS_AS_TEXT[m]])), ...Object.fromEntries(MARKS.map((mark, m) => [`${mark}-open`, OPEN_AS_TEXT[m]])), x: "✕" };
  byId("legend").replaceChildren(...named.map((trace) => {
    const mark = element("span", { class: "swatch", "aria-hidden": "true" }, marks[trace.marker.symbol]);
    mark.style.color = trace.marker.color;
    return element("li", {}, mark, trace.title);
  }));
}

const statusColour = (status) => (dark.matches ? STATUS_DARK : STATUS)[status] ?? colour("faint");

/** The axis of an objective, logarithmic above 1.5 decades; `arrow` points in the better direction. */
function measureAxis(k, arrow = "", zoomed = null) {
  const measure = measures[k];
  const range = zoomed ?? [measure.low, measure.high];
  const named = titled(measure, measure.log ? "log scale" : "");
  const title = arrow ? `${named}  ${arrow}  ${better(measure)}` : named;
  return axis(title, { log: measure.log, range, ticks: roundValues({ log: measure.log, low: range[0], high: range[1] }, 7) });
}

const touch = matchMedia("(pointer: coarse)");

dark.addEventListener("change", () => tell("theme"));
