// Dominance in the objectives that a chart shows.

/** The items (numbers) that no other dominates in the objectives `places`, the first of equal ones, ordered by the first objective; `at(item, k)` is minimised. */
function undominated(items, places, at) {
  const ordered = [...items].sort((a, b) => {
    for (const k of places) if (at(a, k) !== at(b, k)) return at(a, k) - at(b, k);
    return a - b;
  });
  const found = [];
  for (const i of ordered) {
    if (!found.some((j) => places.every((k) => at(j, k) <= at(i, k)))) found.push(i);
  }
  return found;
}

/** The border of the region dominated by non-dominated points [x, y], ordered by x in its better direction. */
function border(points) {
  const x = [], y = [];
  points.forEach(([a, b], place) => {
    if (place) {
      x.push(a);
      y.push(points[place - 1][1]);
    }
    x.push(a);
    y.push(b);
  });
  return { x, y };
}
