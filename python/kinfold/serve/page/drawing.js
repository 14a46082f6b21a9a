// Photos with what was found on them, and two photos with lines between what corresponds.

import { h, s } from "./dom.js";
import { fileName } from "./words.js";

// More lines than these hide the photos; every shade takes its share of them.
const MOST_LINES = 64;
const MOST_REJECTED = 32;
const SHADES = 4;

const points = (corners) => corners.map(([x, y]) => `${x},${y}`).join(" ");

const corners = ([x0, y0, x1, y1]) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];

/** A closed line with a dark rim, which shows on light and dark photos alike. */
const polygon = (around, kind) => [
  s("polygon", { class: "rim", points: points(around) }),
  s("polygon", { class: kind, points: points(around) }),
];

/** A photo in a frame of one shape, with the place that was found in it, or the box that was asked for. */
export const framed = ({ src, srcset, width, height, alt = "", outline, box, lazy = true }) => {
  const marks = [...(box?.length ? polygon(corners(box), "box") : []), ...(outline?.length ? polygon(outline, "outline") : [])];
  return h("span", { class: "photo" },
    h("img", { src, srcset, alt, loading: lazy ? "lazy" : null, decoding: "async", draggable: "false" }),
    marks.length ? s("svg", { class: "over", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, marks) : null);
};

/** What of many to draw, spread evenly. */
const some = (rows, most) => {
  if (rows.length <= most) return rows;
  return Array.from({ length: most }, (_, i) => rows[Math.round((i * (rows.length - 1)) / (most - 1))]);
};

/** How many lines are drawn of so many correspondences. */
export const drawnOf = (found) => Math.min(found, MOST_LINES);

/** One photo of a drawing; what is drawn on it is cut off at its edges. */
const placed = ({ src, width, height }, scale, [x, y], marks) =>
  s("svg", { x, y, width: width * scale, height: height * scale, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" },
    s("image", { href: src, width, height, preserveAspectRatio: "none" }), marks);

/**
 * Both photos at one height, or above each other at one width, with lines between corresponding points.
 * query, hit : {src, width, height, name}; query has a box, hit an outline, where there is one
 * matches, rejected : rows of x, y in the query and x, y in the hit
 */
export const pairOf = ({ query, hit, matches, rejected }, stacked) => {
  const scales = stacked ? [1000 / query.width, 1000 / hit.width] : [750 / query.height, 750 / hit.height];
  const offset = stacked ? [0, query.height * scales[0] + 16] : [query.width * scales[0] + 16, 0];
  const size = stacked ? [1000, offset[1] + hit.height * scales[1]] : [offset[0] + hit.width * scales[1], 750];
  const ends = ([x, y, u, v]) => [x * scales[0], y * scales[0], u * scales[1] + offset[0], v * scales[1] + offset[1]].map((n) => Math.round(n * 10) / 10);
  const way = (rows) => rows.map(ends).map(([x, y, u, v]) => `M${x},${y}L${u},${v}`).join("");
  const dots = (rows) => rows.map(ends).map(([x, y, u, v]) => `M${x},${y}h0M${u},${v}h0`).join("");
  // From left to right, so that the shades let an eye follow one line.
  const kept = some([...matches].sort((a, b) => a[0] - b[0]), MOST_LINES);
  const each = Math.ceil(kept.length / SHADES) || 1;
  const lines = Array.from({ length: SHADES }, (_, i) => [i, kept.slice(i * each, (i + 1) * each)])
    .filter(([, rows]) => rows.length)
    .map(([i, rows]) => [
      s("path", { class: "rim", d: way(rows) }),
      s("path", { class: `line s${i}`, d: way(rows) }),
      s("path", { class: `dot s${i}`, d: dots(rows) }),
    ]);
  const count = matches.length ? `, ${matches.length} correspondences` : "";
  return s("svg", {
    class: `pair ${stacked ? "stacked" : "beside"}`, viewBox: `0 0 ${size[0].toFixed(1)} ${size[1].toFixed(1)}`,
    role: "img", "aria-label": `Query and ${fileName(hit.name)}${count}`,
  },
  placed(query, scales[0], [0, 0], query.box?.length ? polygon(corners(query.box), "box") : null),
  placed(hit, scales[1], offset, hit.outline?.length ? polygon(hit.outline, "outline") : null),
  rejected?.length ? s("path", { class: "line out", d: way(some(rejected, MOST_REJECTED)) }) : null,
  lines);
};

const numberAt = (x, y, size, number) => [
  s("circle", { class: "spot", cx: x, cy: y, r: size }),
  s("text", { class: "tag", x, y, "font-size": size * 1.3 }, String(number)),
];

/** A photo with numbered boxes, one colour each. */
export const numbered = ({ src, width, height }, boxes, label) => {
  const size = Math.max(width, height) / 28;
  return s("svg", { class: "photo", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    s("image", { href: src, width, height, preserveAspectRatio: "none" }),
    boxes.map(([x0, y0, x1, y1], i) => s("g", { class: `k${i}` },
      s("rect", { class: "rim", x: x0, y: y0, width: x1 - x0, height: y1 - y0 }),
      s("rect", { class: "part", x: x0, y: y0, width: x1 - x0, height: y1 - y0 }),
      numberAt(Math.min(Math.max(x0, size), width - size), Math.min(Math.max(y0, size), height - size), size, i + 1))));
};

/** A photo under a picture that is dark where little is; area is that picture's place, x0, y0, x1, y1. */
export const heated = ({ src, width, height }, heat, [x0, y0, x1, y1], label) =>
  s("svg", { class: "photo", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    s("image", { href: src, width, height, preserveAspectRatio: "none" }),
    s("image", { href: heat, x: x0, y: y0, width: x1 - x0, height: y1 - y0, preserveAspectRatio: "none" }));
