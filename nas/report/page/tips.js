// The tooltip of the page.

/** Show a tooltip beside a point of the window. */
function placeTip(tip, at) {
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  tip.style.left = `${Math.max(4, Math.min(at.x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${at.y + 16 + height > innerHeight ? Math.max(4, at.y - height - 12) : at.y + 16}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
