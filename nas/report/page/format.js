// Elements and numbers. Texts become text nodes: content of a run is never parsed as HTML.

const byId = (id) => document.getElementById(id);

/** An element with attributes (functions are listeners) and children (elements or texts). */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** A number as text: integers with separators, others with two to four digits. */
function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US").replace("-", "−");
  if (size >= 1e5) return Math.round(value).toLocaleString("en-US").replace("-", "−");
  const text = size >= 100 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

/** A number with at most four digits: 3.4M. */
function short(value) {
  for (const [start, scale, suffix] of [[1e12, 1e12, "T"], [1e9, 1e9, "G"], [1e6, 1e6, "M"], [1e4, 1e3, "k"]]) {
    if (Math.abs(value) >= start) return `${Number((value / scale).toPrecision(4))}${suffix}`.replace("-", "−");
  }
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** The texts of the ticks of an axis, alike: with 10k on it, 1000 is 1k. */
function tickTexts(ticks) {
  const most = Math.max(...ticks.map(Math.abs));
  return ticks.map((tick) => (most >= 1e4 && Math.abs(tick) >= 1e3 && Math.abs(tick) < 1e4 ? `${Number((tick / 1e3).toPrecision(4))}k`.replace("-", "−") : short(tick)));
}

/** A text with at most this many characters. */
const clipped = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

const withUnit = (value, unit) => (unit ? `${number(value)} ${unit}` : number(value));
/** The name of an objective with its unit, and whatever `also` says of its axis. */
function titled(measure, also = "") {
  const within = [measure.unit, also].filter(Boolean).join(", ");
  return within ? `${measure.name} (${within})` : measure.name;
}

const better = (measure) => (measure.maximize ? "higher is better" : "lower is better");

/** Round tick values of an axis: evenly spaced, or 1, 2 and 5 times the powers of ten. */
function roundValues({ log, low, high }, most = 6) {
  const found = [];
  if (log && high / low > 4) {
    const decades = Math.log10(high / low);
    const mantissas = decades < 2.2 ? [1, 2, 5] : decades < 4 ? [1, 3] : [1];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) found.push(...mantissas.map((m) => Number((m * 10 ** e).toPrecision(3))));
    return found.filter((v) => v >= low && v <= high);
  }
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}

/** A duration as text. */
function duration(seconds) {
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min` : `${number(minutes / 1440)} days`;
}

/** Seconds in the unit that suits the longest: [divisor, name]. */
function timeUnit(longest) {
  return [[172800, 86400, "days"], [7200, 3600, "hours"], [180, 60, "minutes"]].find(([start]) => longest >= start)?.slice(1) ?? [1, "seconds"];
}

/** A word for a POSIX shell. */
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

/** A command with a button that copies it. */
function command(what, text) {
  const button = element("button", { type: "button", "aria-label": `Copy: ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Select and copy";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return element("div", {}, element("div", { class: "small faint" }, what), element("div", { class: "command" }, element("pre", {}, element("code", {}, text)), button));
}

/** Copy text to the clipboard, also from a page opened as a file; return whether that worked. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { class: "unseen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A function that runs once, shortly after the last call. */
function soon(act, delay = 120) {
  let timer = null;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), delay);
  };
}
