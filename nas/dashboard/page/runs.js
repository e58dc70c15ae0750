// The runs of the list by id, the selected ones with their places among the colours, and the part that the address keeps.

const page = JSON.parse(byId("data").textContent);
const MOST_SELECTED = 28; // with distinct colours and lines
const LIVE = ["running", "starting"];
const runs = new Map(); // id: row
const selected = new Map(); // id: place among the colours
const choice = { x: null, y: null, side: false, text: "", state: "" };

/** The runs in the order of the list: live ones first, then by the last change. */
const ordered = () => [...runs.values()].sort((a, b) => b.live - a.live || b.place - a.place || (a.name < b.name ? -1 : 1));

/** The runs that the filters keep, in order. */
function kept() {
  const words = choice.text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  return ordered().filter((run) => {
    const text = `${run.name} ${run.space} ${run.algorithm}`.toLowerCase();
    return (!choice.state || run.state === choice.state) && words.every((word) => text.includes(word));
  });
}

/** Select a run, or not; it gets the first free place among the colours. */
function select(id, on) {
  if (!on) selected.delete(id);
  else if (!selected.has(id) && selected.size < MOST_SELECTED) {
    const taken = new Set(selected.values());
    let place = 0;
    while (taken.has(place)) place += 1;
    selected.set(id, place);
  }
  remember();
}

/** Keep the selection in the address, so that a reload shows it. */
function remember() {
  const parts = new URLSearchParams();
  if (selected.size) parts.set("runs", [...selected.keys()].join(","));
  if (choice.x) parts.set("x", choice.x);
  if (choice.y) parts.set("y", choice.y);
  if (choice.side) parts.set("view", "side");
  history.replaceState(null, "", `#${parts}`);
}

/** The ids that the address names; null if it names none. */
function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  Object.assign(choice, { x: parts.get("x"), y: parts.get("y"), side: parts.get("view") === "side" });
  return parts.get("runs")?.split(",") ?? null;
}

/** The difference between the clocks of the server and of this browser, in seconds. */
let offset = 0;

/** A time as a duration from now. */
function ago(time) {
  const seconds = Date.now() / 1000 + offset - time;
  if (!time) return "";
  if (seconds < 2) return "just now";
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}
