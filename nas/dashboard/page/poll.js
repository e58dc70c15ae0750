// Follow the server: ask for what changed since the last answer, about once a second while the page is in view.

const EVERY = 1200; // milliseconds
const SLOWEST = 15000;
const news = { instance: "", changes: 0, version: "", looked: false, unread: 0, complete: true };
let failures = 0;
let timer = null;
let busy = false;

async function poll() {
  clearTimeout(timer);
  if (busy) return;
  busy = true;
  try {
    const answer = await fetch(`runs.json?since=${news.changes}`, { cache: "no-store", headers: news.version ? { "If-None-Match": `"${news.version}"` } : {} });
    if (answer.status === 403) return lost("The dashboard was started again: open the address that it printed.", false);
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(answer.statusText);
      take(await answer.json());
    }
    await fetchFronts();
    failures = 0;
    byId("lost").hidden = true;
  } catch {
    failures += 1;
    if (failures > 1) lost("No connection to the dashboard; trying again. If it was ended, start it again with nas dashboard.", true);
  } finally {
    busy = false;
    const wait = failures ? Math.min(SLOWEST, EVERY * 2 ** failures) : news.unread ? EVERY / 2 : EVERY;
    if (!document.hidden) timer = setTimeout(poll, wait);
  }
}

function lost(text) {
  byId("lost").hidden = false;
  if (byId("lost").textContent !== text) byId("lost").textContent = text;
}

/** Take over an answer: rows that changed, runs that are gone. */
function take(found) {
  if (found.whole) runs.clear();
  found.runs.forEach((run) => runs.set(run.id, run));
  found.gone.forEach((id) => { runs.delete(id); fronts.delete(id); });
  Object.assign(news, { instance: found.instance, changes: found.changes, version: found.version, looked: found.looked, unread: found.unread, complete: found.complete });
  offset = found.now - Date.now() / 1000;
  chooseFirst();
  fillList();
  fillSummary();
  document.documentElement.dataset.ready = "yes";
}

/** Fetch the selected fronts that changed, and draw. */
async function fetchFronts() {
  const stale = [...selected.keys()].filter((id) => runs.has(id) && fronts.get(id)?.version !== runs.get(id).version);
  if (stale.length) {
    const answer = await fetch(`fronts.json?runs=${stale.join(",")}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    (await answer.json()).fronts.forEach((front) => fronts.set(front.id, front));
  }
  const now = chosenRuns().map((id) => `${id} ${fronts.get(id).version}`).join();
  if (now !== drawn) {
    drawn = now;
    drawFronts();
  }
}
let drawn = null; // the fronts in the chart, with their versions

/** After a change of the selection: mark the list, fetch and draw. */
function selectionChanged() {
  first = false;
  fillPoint(null);
  fillList();
  drawn = null;
  fetchFronts().catch(() => {});
}

/** The first selection, until the reader makes one: that of the address, else the first run with a front. */
let first = true;
function chooseFirst() {
  if (!first || selected.size) return;
  (recall() ?? []).filter((id) => runs.has(id)).forEach((id) => select(id, true));
  const run = ordered().find((one) => one.front_size > 0);
  if (!selected.size && run) select(run.id, true);
}
