// Parallel coordinates on a canvas: one axis per objective, better at the top, one line per evaluation. Dragging along an
// axis sets limits; clicking selects the nearest line.

const parallel = { canvas: null, width: 0, height: 300, top: 46, bottom: 12, side: 74, drag: null };

/** The position of a value on its axis: 0 worst, 1 best, clipped to the shown range. */
function share(k, value) {
  const { log, low, high, maximize } = measures[k];
  const place = log ? (v) => Math.log10(Math.max(v, Number.MIN_VALUE)) : (v) => v;
  const part = Math.min(1, Math.max(0, (place(value) - place(low)) / (place(high) - place(low))));
  return maximize ? part : 1 - part;
}

/** The inverse. */
function valueAt(k, part) {
  const { log, low, high, maximize } = measures[k];
  const along = maximize ? part : 1 - part;
  return log ? 10 ** (Math.log10(low) + along * (Math.log10(high) - Math.log10(low))) : low + along * (high - low);
}

const axisX = (k) => parallel.side + (measures.length === 1 ? 0 : (k * (parallel.width - 2 * parallel.side)) / (measures.length - 1));
const heightOf = (part) => parallel.top + (1 - part) * (parallel.height - parallel.top - parallel.bottom);

function pathOf(context, i) {
  measures.forEach((_, k) => {
    const y = heightOf(share(k, all.values[k][i]));
    if (k) context.lineTo(axisX(k), y);
    else context.moveTo(axisX(k), y);
  });
}

function drawParallel() {
  const { canvas } = parallel;
  if (!canvas) return;
  parallel.width = canvas.parentElement.clientWidth;
  parallel.side = parallel.width < 500 ? 46 : 74;
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(parallel.width * ratio);
  canvas.height = Math.round(parallel.height * ratio);
  canvas.style.height = `${parallel.height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.clearRect(0, 0, parallel.width, parallel.height);
  const stroke = (rows, style) => {
    Object.assign(context, style);
    context.setLineDash(style.dash ?? []);
    context.beginPath();
    rows.forEach((i) => pathOf(context, i));
    context.stroke();
    context.globalAlpha = 1;
    context.setLineDash([]);
  };
  const front = state.passing.filter((i) => all.front[i]);
  if (chart.cloud) stroke(state.passing.filter((i) => !all.front[i]), { strokeStyle: colour("cloud"), globalAlpha: state.passing.length > 500 ? 0.12 : 0.35, lineWidth: 0.8 });
  const alpha = Math.max(0.14, Math.min(0.85, 30 / front.length)); // drawn one by one, so that dense regions are darker
  front.forEach((i) => stroke([i], { strokeStyle: several ? look(all.run[i]).colour : colour("front"), globalAlpha: alpha, lineWidth: 1.4, dash: several ? DASHES[look(all.run[i]).line] : [] }));
  drawAxes(context);
  const i = state.chosen;
  if (i !== null) {
    stroke([i], { strokeStyle: colour("ink"), lineWidth: 2.8 });
    context.fillStyle = colour("ink");
    measures.forEach((_, k) => {
      context.beginPath();
      context.arc(axisX(k), heightOf(share(k, all.values[k][i])), 4.2, 0, 2 * Math.PI);
      context.fill();
    });
  }
  const said = i === null ? "" : ` Selected: ${measures.map((m, k) => `${m.name} ${withUnit(all.values[k][i], m.unit)}`).join(", ")}.`;
  canvas.setAttribute("aria-label", `Parallel coordinates: ${measures.map((m) => m.name).join(", ")}, better at the top, ${front.length} of the front.${said} The fields under Limits set the same limits as dragging along an axis.`);
}

function drawAxes(context) {
  const narrow = parallel.width < 500;
  const spacing = measures.length > 1 ? axisX(1) - axisX(0) : parallel.width;
  measures.forEach((measure, k) => {
    const x = axisX(k);
    context.strokeStyle = colour("faint");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, heightOf(1));
    context.lineTo(x, heightOf(0));
    context.stroke();
    const above = (text, y, font, ink) => {
      Object.assign(context, { font: `${font} system-ui, sans-serif`, fillStyle: colour(ink), textAlign: "center" });
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.max(half, Math.min(parallel.width - half, x)), y);
    };
    above(measure.name, 14, `600 ${narrow ? 11 : 13}px`, "ink");
    above(spacing < 190 ? clipped(measure.unit, Math.floor(spacing / 6.5)) : [measure.unit, better(measure), measure.log ? "log scale" : ""].filter(Boolean).join(", "), 30, `${narrow ? 10 : 11.5}px`, "faint");
    context.font = `${narrow ? 11 : 12}px system-ui, sans-serif`;
    context.textAlign = "right";
    const ticks = roundValues(measures[k], 5);
    const texts = tickTexts(ticks);
    for (const value of ticks) {
      const y = heightOf(share(k, value));
      const text = texts[ticks.indexOf(value)];
      const width = context.measureText(text).width;
      context.fillStyle = colour("panel");
      context.globalAlpha = 0.8;
      context.fillRect(x - width - 9, y - 7, width + 3, 14);
      context.globalAlpha = 1;
      context.fillStyle = colour("ink");
      context.fillText(text, x - 7, y + 4);
      context.fillRect(x - 4, y - 0.5, 4, 1);
    }
    const { low, high } = state.limits[k];
    if (low !== null || high !== null) {
      const ends = [low === null ? measure.low : low, high === null ? measure.high : high].map((v) => heightOf(share(k, v)));
      context.fillStyle = colour("accent");
      context.globalAlpha = 0.3;
      context.fillRect(x - 6, Math.min(...ends), 12, Math.max(3, Math.abs(ends[1] - ends[0])));
      context.globalAlpha = 1;
    }
  });
}

/** The row of the front (or of all rows, if the cloud is shown) with the nearest line; null beyond 12 pixels. */
function nearestLine(x, y) {
  let nearest = null, distance = 12;
  const near = (i) => {
    for (let k = 0; k + 1 < measures.length; k += 1) {
      const [left, right] = [axisX(k), axisX(k + 1)];
      if (x < left || x > right) continue;
      const [a, b] = [heightOf(share(k, all.values[k][i])), heightOf(share(k + 1, all.values[k + 1][i]))];
      const slope = (b - a) / (right - left);
      const away = Math.abs(a + slope * (x - left) - y) / Math.hypot(1, slope);
      if (away < distance) [nearest, distance] = [i, away];
    }
  };
  state.passing.filter((i) => all.front[i]).forEach(near);
  if (nearest === null && chart.cloud) state.passing.filter((i) => !all.front[i]).forEach(near);
  return nearest;
}

function startParallel() {
  if (measures.length < 2) {
    byId("parallel-panel").remove();
    return;
  }
  const canvas = element("canvas", { role: "img" });
  parallel.canvas = canvas;
  byId("parallel").append(canvas);
  byId("parallel-note").textContent = `The top of every axis is better. ${touch.matches ? "Tap" : "Drag along an axis to set limits, click it to clear them; click"} a line to select it.`;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    const [x, y] = place(event);
    const k = everyPlace.find((axis) => Math.abs(axisX(axis) - x) < 14);
    parallel.drag = { k: event.pointerType === "touch" ? undefined : k, from: y, moved: false };
    if (parallel.drag.k !== undefined) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    canvas.style.cursor = everyPlace.some((k) => Math.abs(axisX(k) - x) < 14) ? "ns-resize" : "pointer";
    const { drag } = parallel;
    if (!drag || drag.k === undefined || Math.abs(y - drag.from) < 5) return;
    drag.moved = true;
    const part = (at) => 1 - (at - parallel.top) / (parallel.height - parallel.top - parallel.bottom);
    const ends = [part(drag.from), part(y)].sort((a, b) => a - b);
    const values = ends.map((end) => valueAt(drag.k, Math.min(1, Math.max(0, end))));
    const open = [ends[0] <= 0, ends[1] >= 1]; // at an end of the axis: no limit there
    const [first, second] = values.map((v, e) => (open[e] ? null : Number(v.toPrecision(4))));
    state.limits[drag.k] = measures[drag.k].maximize ? { low: first, high: second } : { low: second, high: first };
    limitsSoon("parallel");
    drawParallel();
  });
  canvas.addEventListener("pointerup", (event) => {
    const { drag } = parallel;
    parallel.drag = null;
    if (!drag || drag.moved) return;
    if (drag.k !== undefined && (state.limits[drag.k].low !== null || state.limits[drag.k].high !== null)) {
      state.limits[drag.k] = { low: null, high: null };
      applyLimits("parallel");
      return;
    }
    const i = nearestLine(...place(event));
    if (i !== null) choose(i, "parallel");
  });
  new ResizeObserver(soon(drawParallel, 60)).observe(byId("parallel"));
}

const limitsSoon = soon(applyLimits, 40);
