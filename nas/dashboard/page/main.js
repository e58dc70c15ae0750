// Start the page.

when("theme", () => { views = new Map(); drawFronts(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
byId("jump").addEventListener("click", (event) => { // without a change of the address, which keeps the selection
  event.preventDefault();
  byId("fronts").scrollIntoView();
  byId("fronts").focus({ preventScroll: true });
});
startList();
poll();
