// Start the page: texts first, then the table, then the charts, so that content appears at once.

when("chosen", (from) => { followInFront(from); drawParallel(); });
when("passing", () => { drawFront(); drawParallel(); });
when("theme", () => { drawFront(); drawParallel(); });

startDetails();
limitsForm();
startBaselines();
startTable();
startNetwork();
fillTable();
startProgress();
startSurrogates();
startSharing();
startRepeated();
startImportance();
startTimelines();
listSections();
axesControls();
startParallel();
showLimits("start");
choose(kneeOf.find((i) => i !== null) ?? everything[0] ?? null, "start");
showNetwork();
drawParallel();
performance.mark("shown");
requestAnimationFrame(() => setTimeout(() => { // after the texts and the table are on the screen
  drawFront();
  performance.mark("ready");
  document.documentElement.dataset.ready = "yes"; // the first drawing is complete
}));
