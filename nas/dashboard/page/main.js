// Start the page.

when("theme", () => { views = new Map(); drawFronts(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
startList();
poll();
