// Colours of Okabe and Ito, told apart with any colour vision; each run also has a mark and a line of its own.

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

/** How run r is drawn: neighbours differ in colour, mark and line, and no two of 28 are the same. */
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

const statusColour = (status) => (dark.matches ? STATUS_DARK : STATUS)[status] ?? colour("faint");

/** Plotly, once it is there: it is large, so the page is shown before it is run. */
let havePlotly;
const plotly = new Promise((done) => { havePlotly = done; });

function loadPlotly() {
  const script = element("script");
  script.textContent = byId("plotly").textContent; // one of the two scripts that the page's policy knows
  document.body.append(script);
  havePlotly();
}

/** What every plotly chart shares. */
function layout(more) {
  const font = { family: "system-ui, sans-serif", size: 13, color: colour("ink") };
  return {
    font, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 68, r: 14, t: 12, b: 52 },
    hovermode: "closest", showlegend: false, ...more,
  };
}

/** An axis in the page's colours. */
function axis(title, more = {}) {
  return {
    title: { text: plain(title), standoff: 8 }, gridcolor: colour("line"), linecolor: colour("faint"), zeroline: false,
    ticks: "outside", tickcolor: colour("faint"), ...more,
  };
}

/** The axis of an objective, on which more than 1.5 decades are logarithmic. */
function measureAxis(k, arrow = "", zoomed = null) {
  const measure = measures[k];
  const range = zoomed ?? [measure.low, measure.high].map((value) => (measure.log ? Math.log10(value) : value));
  const [low, high] = range.map((end) => (measure.log ? 10 ** end : end));
  const title = `${titled(measure)}${arrow ? `  ${arrow}` : ""}  ${better(measure)}`;
  return axis(title, { type: measure.log ? "log" : "linear", range, ...ticksOf({ log: measure.log, low, high }) });
}

/** Ticks with short texts: plotly's own on a logarithmic axis are a crowd of digits. */
function ticksOf({ log, low, high }) {
  const tickvals = roundValues({ log, low, high }, 7);
  return { tickvals, ticktext: tickvals.map(short) };
}

const touch = matchMedia("(pointer: coarse)");
const chartConfig = () => ({ responsive: true, displaylogo: false, scrollZoom: false, displayModeBar: touch.matches ? false : "hover", modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] });
/** The legend of a small chart of several lines. */
const legendBelow = { showlegend: true, legend: { orientation: "h", x: 0, y: -0.28, yanchor: "top", font: { size: 11 }, bgcolor: "rgba(0,0,0,0)" } };
const stillConfig = { responsive: true, displayModeBar: false };

dark.addEventListener("change", () => tell("theme"));
