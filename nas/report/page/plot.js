// Charts on canvases: lines and marks between two axes, or marks in a rotatable box. Texts are drawn literally.

const FONT = "system-ui, sans-serif";
const DASHES = { solid: [], dash: [7, 4], dot: [2, 3], dashdot: [7, 3, 2, 3] };
const TURN = { across: 32, up: 24 }; // degrees, from the corner where the best values are

/** An axis: `range` and `ticks` in the objective's unit; on a `log` axis equal ratios have equal lengths. */
function axis(title, { log = false, range = null, ticks = null, fromZero = false } = {}) {
  return { title, log, range, ticks, fromZero };
}

const placed = (along, value) => (along.log ? Math.log10(value) : value);
const shareOf = (along, value) => (placed(along, value) - placed(along, along.range[0])) / (placed(along, along.range[1]) - placed(along, along.range[0]));
const valueOf = (along, share) => {
  const [low, high] = along.range.map((end) => placed(along, end));
  const at = low + share * (high - low);
  return along.log ? 10 ** at : at;
};

/** An axis with ticks, and a range around the values unless it has one. */
function settled(along, values) {
  const made = { ...along };
  if (!made.range) {
    const known = values.filter((v) => v !== null && Number.isFinite(v));
    let low = Math.min(...known, ...(made.fromZero ? [0] : []));
    let high = Math.max(...known);
    if (!known.length) [low, high] = [0, 1];
    if (low === high) [low, high] = [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2];
    const room = 0.05 * (high - low);
    made.range = [made.fromZero && low >= 0 ? 0 : low - room, high + room];
  }
  made.ticks ??= roundValues({ log: made.log, low: made.range[0], high: made.range[1] }, 6);
  return made;
}

/** Set the outline of a mark as the current path; return whether it is filled. */
function outline(context, symbol, x, y, size) {
  const r = size / 2;
  context.beginPath();
  const shape = symbol.replace("-open", "");
  if (shape === "circle") context.arc(x, y, r, 0, 2 * Math.PI);
  else if (shape === "square") context.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
  else if (shape === "x") [[-1, 1], [1, 1]].forEach(([a, b]) => { context.moveTo(x - a * r, y - b * r); context.lineTo(x + a * r, y + b * r); });
  else {
    const t = 0.35 * r;
    const corners = shape === "diamond" ? [[0, -1.2 * r], [1.2 * r, 0], [0, 1.2 * r], [-1.2 * r, 0]]
      : [[-t, -r], [t, -r], [t, -t], [r, -t], [r, t], [t, t], [t, r], [-t, r], [-t, t], [-r, t], [-r, -t], [-t, -t]];
    corners.forEach(([a, b], c) => context[c ? "lineTo" : "moveTo"](x + a, y + b));
    context.closePath();
  }
  return !symbol.endsWith("-open") && shape !== "x";
}

function paintMark(context, marker, x, y) {
  const filled = outline(context, marker.symbol, x, y, marker.size);
  context.globalAlpha = marker.opacity ?? 1;
  if (filled) {
    context.fillStyle = marker.color;
    context.fill();
  }
  if (!filled || marker.edge) {
    Object.assign(context, { strokeStyle: filled ? marker.edge : marker.color, lineWidth: filled ? 1 : marker.width ?? 1.4 });
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** The points of a line as paths without gaps; steps go across first. */
function paths(trace) {
  const found = [[]];
  trace.x.forEach((x, n) => {
    const y = trace.y[n];
    if (x === null || y === null || !Number.isFinite(x) || !Number.isFinite(y)) {
      found.push([]);
      return;
    }
    const path = found.at(-1);
    if (trace.line.steps && path.length) path.push([x, path.at(-1)[1]]);
    path.push([x, y]);
  });
  return found.filter((path) => path.length);
}

function paintLine(context, trace, at) {
  const { color, width = 1.8, dash = "solid", fill = null, opacity = 1 } = trace.line;
  for (const path of paths(trace)) {
    context.beginPath();
    path.forEach(([x, y], n) => context[n ? "lineTo" : "moveTo"](...at(x, y)));
    if (fill) {
      context.fillStyle = fill;
      context.fill();
      continue;
    }
    context.setLineDash(DASHES[dash]);
    Object.assign(context, { strokeStyle: color, lineWidth: width, globalAlpha: opacity });
    context.stroke();
    context.globalAlpha = 1;
    context.setLineDash([]);
  }
}

/** A text, cut with an ellipsis if it is too wide. */
function fitting(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > room) length -= 1;
  return `${text.slice(0, length)}…`;
}

/** A chart in a box: `show(traces, axes)` draws it; a change of size or theme redraws it. */
class Chart {
  constructor(box, { onPoint = null, onHover = null, onZoom = null } = {}) {
    Object.assign(this, { box, onPoint, onHover, onZoom, traces: [], home: { ...TURN }, turn: { ...TURN }, drag: null });
    this.canvas = element("canvas");
    box.replaceChildren(this.canvas);
    box.chart = this;
    new ResizeObserver(soon(() => this.draw(), 60)).observe(box);
    this.listen();
  }

  show(traces, axes) {
    Object.assign(this, { traces, axes });
    this.draw();
  }

  draw() {
    if (!this.axes || !this.box.clientWidth) return;
    const ratio = devicePixelRatio || 1;
    [this.width, this.height] = [this.box.clientWidth, this.box.clientHeight];
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    Object.assign(this.canvas.style, { width: `${this.width}px`, height: `${this.height}px`, display: "block" });
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    this.points = []; // position on the canvas and row of each selectable mark
    if (this.axes.z) this.drawSpace(context);
    else this.drawFlat(context);
  }

  drawFlat(context) {
    const small = this.width < 500;
    this.frame = { left: small ? 52 : 66, right: 14, top: 12, bottom: 50 };
    const { left, right, top, bottom } = this.frame;
    const [wide, high] = [this.width - left - right, this.height - top - bottom];
    const [x, y] = ["x", "y"].map((name) => settled(this.axes[name], this.traces.flatMap((trace) => trace[name])));
    this.settled = { x, y };
    this.at = (a, b) => [left + shareOf(x, a) * wide, top + (1 - shareOf(y, b)) * high];
    context.font = `${small ? 11 : 12}px ${FONT}`;
    for (const [along, flat] of [[x, true], [y, false]]) {
      const texts = tickTexts(along.ticks);
      for (const tick of along.ticks) {
        const text = texts[along.ticks.indexOf(tick)];
        const [px, py] = this.at(flat ? tick : x.range[0], flat ? y.range[0] : tick);
        Object.assign(context, { strokeStyle: colour("line"), lineWidth: 1, fillStyle: colour("ink"), textAlign: flat ? "center" : "right", textBaseline: flat ? "top" : "middle" });
        context.beginPath();
        context.moveTo(px, py);
        context.lineTo(flat ? px : left + wide, flat ? top : py);
        context.stroke();
        context.fillText(text, flat ? px : px - 7, flat ? py + 7 : py);
      }
    }
    Object.assign(context, { strokeStyle: colour("faint") });
    context.beginPath();
    context.moveTo(left, top);
    context.lineTo(left, top + high);
    context.lineTo(left + wide, top + high);
    context.stroke();
    context.save();
    context.beginPath();
    context.rect(left, top - 8, wide + 8, high + 16);
    context.clip();
    for (const trace of this.traces) {
      if (trace.line) paintLine(context, trace, this.at);
      if (trace.marker) trace.x.forEach((value, n) => {
        if (value === null || trace.y[n] === null) return;
        const [px, py] = this.at(value, trace.y[n]);
        if (px < left - 6 || px > left + wide + 6 || py < top - 6 || py > top + high + 6) return;
        paintMark(context, trace.marker, px, py);
        this.points.push({ x: px, y: py, row: trace.rows?.[n], said: trace.said?.[n] });
      });
    }
    context.restore();
    Object.assign(context, { fillStyle: colour("ink"), font: `${small ? 12 : 13}px ${FONT}`, textAlign: "center", textBaseline: "alphabetic" });
    context.fillText(fitting(context, x.title, wide), left + wide / 2, this.height - 8);
    context.save();
    context.translate(14, top + high / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(fitting(context, y.title, this.height - 8), 0, 0);
    context.restore();
    this.drawDrag(context);
  }

  drawDrag(context) {
    if (!this.drag?.to || this.axes.z) return;
    const { from, to } = this.drag;
    Object.assign(context, { strokeStyle: colour("accent"), lineWidth: 1.2, globalAlpha: 0.9 });
    context.strokeRect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
    context.globalAlpha = 1;
  }

  /** A box in parallel projection, so that near and far marks have the same scale. */
  drawSpace(context) {
    const small = this.width < 500;
    const names = ["x", "y", "z"];
    const along = names.map((name) => settled(this.axes[name], this.traces.flatMap((trace) => trace[name])));
    this.settled = { x: along[0], y: along[1], z: along[2] };
    const [across, up] = [this.turn.across, this.turn.up].map((degrees) => (degrees * Math.PI) / 180);
    const seen = ([a, b, c]) => {
      const right = b * Math.cos(across) - a * Math.sin(across);
      const towards = a * Math.cos(across) + b * Math.sin(across);
      return [right, towards * Math.sin(up) - c * Math.cos(up), towards * Math.cos(up) + c * Math.sin(up)];
    };
    const corners = [0, 1].flatMap((a) => [0, 1].flatMap((b) => [0, 1].map((c) => [a - 0.5, b - 0.5, 0.8 * (c - 0.5)])));
    const label = small ? 52 : 72; // room for the labels of the edges at the left and at the bottom
    const [left, right, top, bottom] = this.turn.up < 0 ? [label, 34, label, label] : [label, 34, 16, label];
    const spans = [0, 1].map((k) => corners.map((corner) => seen(corner)[k])).map((values) => [Math.min(...values), Math.max(...values)]);
    const scale = Math.min((this.width - left - right) / (spans[0][1] - spans[0][0]), (this.height - top - bottom) / (spans[1][1] - spans[1][0]));
    const centre = [(left + this.width - right) / 2, (top + this.height - bottom) / 2];
    const middle = spans.map(([low, high]) => (low + high) / 2);
    this.place = (shares) => {
      const [across, down, near] = seen([shares[0] - 0.5, shares[1] - 0.5, 0.8 * (shares[2] - 0.5)]);
      return [centre[0] + scale * (across - middle[0]), centre[1] + scale * (down - middle[1]), near];
    };
    this.at = (a, b, c) => this.place([a, b, c].map((value, k) => shareOf(along[k], value)));
    this.drawBox(context, along, small);
    for (const { x, y, z, line } of this.traces.filter((trace) => trace.line)) { // pairs of points, held at the ends of the axes
      const held = (value, k) => Math.min(along[k].range[1], Math.max(along[k].range[0], value));
      Object.assign(context, { strokeStyle: line.color, lineWidth: line.width, globalAlpha: line.opacity ?? 1 });
      context.beginPath();
      x.forEach((value, n) => {
        if (value !== null) context[n % 3 ? "lineTo" : "moveTo"](...this.at(...[value, y[n], z[n]].map(held)).slice(0, 2));
      });
      context.stroke();
      context.globalAlpha = 1;
    }
    const marks = this.traces.filter((trace) => trace.marker).flatMap((trace) => trace.x.map((value, n) => ({ trace, n, value })))
      .filter(({ value }) => value !== null)
      .map(({ trace, n }) => ({ trace, n, place: this.at(trace.x[n], trace.y[n], trace.z[n]), inside: names.every((name, k) => shareOf(along[k], trace[name][n]) > -0.02 && shareOf(along[k], trace[name][n]) < 1.02) }))
      .filter(({ inside }) => inside)
      .sort((one, other) => (one.trace.layer ?? 0) - (other.trace.layer ?? 0) || one.place[2] - other.place[2]);
    for (const { trace, n, place } of marks) {
      paintMark(context, trace.marker, place[0], place[1]);
      this.points.push({ x: place[0], y: place[1], row: trace.rows?.[n], said: trace.said?.[n] });
    }
  }

  /** The three far sides of the box with their grids, and each axis along an edge that is free of them. */
  drawBox(context, along, small) {
    const near = [0, 1, 2].map((k) => {
      const [low, high] = [0, 1].map((end) => this.place([0.5, 0.5, 0.5].map((half, d) => (d === k ? end : half)))[2]);
      return high > low ? 1 : 0;
    });
    const line = (from, to, style) => {
      Object.assign(context, { strokeStyle: style, lineWidth: 1 });
      context.beginPath();
      context.moveTo(...this.place(from).slice(0, 2));
      context.lineTo(...this.place(to).slice(0, 2));
      context.stroke();
    };
    const far = near.map((end) => 1 - end);
    along.forEach((one, k) => {
      const others = [0, 1, 2].filter((d) => d !== k);
      for (const tick of [...one.ticks.map((value) => shareOf(one, value)), 0, 1]) {
        for (const [side, run] of [others, [...others].reverse()]) { // on the far side `side`, a line along `run`
          const ends = [0, 1].map((end) => {
            const point = [...far];
            point[k] = tick;
            point[run] = end;
            point[side] = far[side];
            return point;
          });
          line(...ends, colour("line"));
        }
      }
      const edge = [...near];
      if (k === 2) { // the upright edge at the left
        const uprights = [[near[0], far[1]], [far[0], near[1]]];
        [edge[0], edge[1]] = uprights.sort((a, b) => this.place([...a, 0])[0] - this.place([...b, 0])[0])[0];
      } else edge[2] = 0;
      const ends = [0, 1].map((end) => edge.map((at, d) => (d === k ? end : at)));
      line(...ends, colour("faint"));
      this.labelEdge(context, one, ends, small);
    });
  }

  labelEdge(context, one, ends, small) {
    const [from, to] = ends.map((end) => this.place(end));
    const centre = this.place([0.5, 0.5, 0.5]);
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    const length = Math.hypot(dx, dy) || 1;
    let [nx, ny] = [-dy / length, dx / length]; // away from the middle of the box
    if ((from[0] + dx / 2 - centre[0]) * nx + (from[1] + dy / 2 - centre[1]) * ny < 0) [nx, ny] = [-nx, -ny];
    Object.assign(context, { font: `${small ? 10 : 12}px ${FONT}`, fillStyle: colour("ink"), textBaseline: "middle", textAlign: nx > 0.35 ? "left" : nx < -0.35 ? "right" : "center" });
    let last = null;
    const texts = tickTexts(one.ticks);
    const widest = Math.max(0, ...texts.map((text) => context.measureText(text).width));
    for (const tick of one.ticks) {
      const share = shareOf(one, tick);
      const [x, y] = [from[0] + share * dx, from[1] + share * dy];
      if (last && Math.hypot(x - last[0], y - last[1]) < (small ? 16 : 20)) continue;
      last = [x, y];
      context.fillText(texts[one.ticks.indexOf(tick)], x + 9 * nx, y + 9 * ny);
    }
    const away = 20 + Math.abs(nx) * widest + Math.abs(ny) * (small ? 10 : 16);
    const angle = Math.atan2(dy, dx);
    context.save();
    context.translate(from[0] + dx / 2 + away * nx, from[1] + dy / 2 + away * ny);
    context.rotate(Math.abs(angle) > Math.PI / 2 ? angle + Math.PI : angle);
    Object.assign(context, { font: `${small ? 11 : 13}px ${FONT}`, textAlign: "center" });
    const named = context.measureText(one.title).width <= Math.max(length, 0.5 * this.height) ? one.title : one.title.replace(/ \(.*$/, "");
    context.fillText(fitting(context, named, Math.max(length, 0.5 * this.height)), 0, 0);
    context.restore();
  }

  /** The selectable mark nearest to a point of the canvas, or null. */
  nearest([x, y], reach = touch.matches ? 24 : 12) {
    let found = null, distance = reach;
    for (const point of this.points ?? []) {
      const away = Math.hypot(point.x - x, point.y - y);
      if ((point.row !== undefined || point.said !== undefined) && away <= distance) [found, distance] = [point, away];
    }
    return found;
  }

  listen() {
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.drag = { from: place(event), to: null, turn: { ...this.turn } };
      if (event.pointerType !== "touch" || this.axes?.z) this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (this.drag && (this.onZoom || this.axes?.z) && Math.hypot(at[0] - this.drag.from[0], at[1] - this.drag.from[1]) > 4) {
        if (event.pointerType === "touch" && !this.axes.z) return;
        this.drag.to = at;
        if (this.axes.z) {
          this.turn.across = this.drag.turn.across - (at[0] - this.drag.from[0]) / 3;
          this.turn.up = Math.max(-5, Math.min(90, this.drag.turn.up + (at[1] - this.drag.from[1]) / 3));
        }
        this.onHover?.(null);
        this.draw();
      } else if (!this.drag) {
        const found = this.nearest(at);
        this.canvas.style.cursor = found ? "pointer" : this.axes?.z ? "grab" : "crosshair";
        if (event.pointerType !== "touch") this.onHover?.(found, { x: event.clientX, y: event.clientY });
      }
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const { drag } = this;
      this.drag = null;
      if (drag?.to && !this.axes.z) this.zoomTo(drag.from, drag.to);
      else if (drag && !drag.to) {
        const found = this.nearest(place(event));
        if (found?.row !== undefined) this.onPoint?.(found.row);
      }
    });
    this.canvas.addEventListener("pointercancel", () => { this.drag = null; });
    this.canvas.addEventListener("pointerleave", () => this.onHover?.(null));
    this.canvas.addEventListener("dblclick", () => {
      if (this.axes?.z) {
        this.turn = { ...this.home };
        this.draw();
      } else this.onZoom?.(null);
    });
  }

  zoomTo(from, to) {
    const { left, right, top, bottom } = this.frame;
    const shares = [from, to].map(([x, y]) => [(x - left) / (this.width - left - right), 1 - (y - top) / (this.height - top - bottom)]);
    const range = (along, k) => {
      const ends = shares.map((share) => Math.min(1, Math.max(0, share[k]))).sort((a, b) => a - b);
      return ends[1] - ends[0] < 0.02 ? along.range : ends.map((end) => valueOf(along, end));
    };
    this.onZoom?.({ x: range(this.settled.x, 0), y: range(this.settled.y, 1) });
    this.draw();
  }
}

/** Save a chart as an image with the background of the page. */
function saveAsImage(drawn, name) {
  const copy = element("canvas", { width: drawn.canvas.width, height: drawn.canvas.height });
  const context = copy.getContext("2d");
  context.fillStyle = colour("ground");
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(drawn.canvas, 0, 0);
  const link = element("a", { href: copy.toDataURL("image/png"), download: name });
  link.click();
}
