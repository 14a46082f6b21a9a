// Where photos were taken: drawn from their positions alone, no map of the world is fetched.

import * as api from "./api.js";
import { choose, refresh, tickFor } from "./chosen.js";
import { byId, h, moveByKeys, s, say, soon, trouble } from "./dom.js";
import { framed } from "./drawing.js";
import { metresAt, round, toPlane, toSphere } from "./plane.js";
import { address, go, read, searchWith } from "./state.js";
import { count, degrees, fileName, metres, shownName } from "./words.js";

const CELL = 68; // pixels: photos in one cell are one mark
const APART = 54; // and so are marks nearer than that
const MOST = 60; // photos of a mark that are shown
const LEAST_ZOOM = 0.5;
const MOST_ZOOM = 21;

let places = null; // {ids, xs, ys}
let view = null; // {x, y, zoom} of the middle
let parts = null;
let picked = "";

const scale = () => 256 * 2 ** view.zoom;

/** The view that shows these positions. */
const fit = (rows) => {
  const xs = rows.map((row) => places.xs[row]);
  const ys = rows.map((row) => places.ys[row]);
  const [x0, x1] = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b))];
  const [y0, y1] = [ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))];
  const { clientWidth: width, clientHeight: height } = parts.map;
  const room = Math.min((width - 110) / Math.max(x1 - x0, 1e-9), (height - 110) / Math.max(y1 - y0, 1e-9));
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, zoom: Math.min(Math.max(Math.log2(Math.max(room, 1) / 256), LEAST_ZOOM), 18) };
};

const all = () => Array.from(places.ids.keys());

/** The marks in sight: cells of the plane with the rows that lie in them. */
const cells = () => {
  const [width, height] = [parts.map.clientWidth, parts.map.clientHeight];
  const size = CELL / scale();
  const [left, top] = [view.x - (width / 2 + CELL) / scale(), view.y - (height / 2 + CELL) / scale()];
  const [right, bottom] = [view.x + (width / 2 + CELL) / scale(), view.y + (height / 2 + CELL) / scale()];
  const found = new Map();
  for (let row = 0; row < places.ids.length; row++) {
    const [x, y] = [places.xs[row], places.ys[row]];
    if (x < left || x > right || y < top || y > bottom) continue;
    const key = `${Math.floor(x / size)} ${Math.floor(y / size)}`;
    const cell = found.get(key);
    if (cell) cell.push(row);
    else found.set(key, [row]);
  }
  return found;
};

/** Marks that would cover each other become one: the larger takes in the smaller. */
const joined = (marks) => {
  const kept = [];
  for (const mark of marks.sort((a, b) => b.rows.length - a.rows.length)) {
    const near = kept.find(({ at }) => Math.abs(at[0] - mark.at[0]) < APART && Math.abs(at[1] - mark.at[1]) < APART);
    if (near) near.rows = near.rows.concat(mark.rows);
    else kept.push(mark);
  }
  return kept.sort((a, b) => a.at[0] - b.at[0]);
};

const toScreen = (x, y) => [(x - view.x) * scale() + parts.map.clientWidth / 2, (y - view.y) * scale() + parts.map.clientHeight / 2];

/** Lines of round degrees, a bar of round metres. */
const net = () => {
  const [width, height] = [parts.map.clientWidth, parts.map.clientHeight];
  const span = (360 * 160) / scale();
  const step = Math.min(30, round(span));
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const [north, west] = toSphere(view.x - width / 2 / scale(), view.y - height / 2 / scale());
  const [south, east] = toSphere(view.x + width / 2 / scale(), view.y + height / 2 / scale());
  const lines = [];
  for (let k = Math.ceil(Math.max(west, -180) / step); k * step <= Math.min(east, 180); k++) {
    const [at] = toScreen(toPlane(0, k * step)[0], 0);
    const value = Math.abs(k * step).toFixed(digits);
    lines.push(s("line", { class: "grid", x1: at, x2: at, y1: 0, y2: height }), s("text", { x: at + 4, y: 14 }, `${value}° ${k < 0 ? "W" : "E"}`));
  }
  for (let k = Math.ceil(Math.max(south, -85) / step); k * step <= Math.min(north, 85); k++) {
    const [, at] = toScreen(0, toPlane(k * step, 0)[1]);
    const value = Math.abs(k * step).toFixed(digits);
    lines.push(s("line", { class: "grid", x1: 0, x2: width, y1: at, y2: at }), at > 30 && at < height - 50 && s("text", { x: 4, y: at - 4 }, `${value}° ${k < 0 ? "S" : "N"}`));
  }
  const far = metresAt(view.y) / scale();
  const long = round(140 * far);
  return [...lines.filter(Boolean), s("path", { class: "bar", d: `M16 ${height - 16}h${long / far}` }),
    s("text", { class: "axis", x: 16, y: height - 24 }, metres(long)), s("text", { class: "axis", x: width - 96, y: height - 18 }, "N ↑")];
};

const draw = () => {
  if (!parts.map.clientWidth) return;
  const [width, height] = [parts.map.clientWidth, parts.map.clientHeight];
  parts.net.setAttribute("viewBox", `0 0 ${width} ${height}`);
  parts.net.replaceChildren(...net());
  const held = document.activeElement?.dataset?.cell;
  const marks = joined([...cells()].map(([key, rows]) => {
    const mean = (values) => rows.reduce((sum, row) => sum + values[row], 0) / rows.length;
    return { key: `${view.zoom.toFixed(2)} ${key} ${rows.length}`, rows, at: toScreen(mean(places.xs), mean(places.ys)), mean: [mean(places.xs), mean(places.ys)] };
  }));
  const old = new Map([...parts.marks.children].map((mark) => [mark.dataset.cell, mark]));
  parts.marks.replaceChildren(...marks.map(({ key, rows, at, mean }) => {
    const label = `${count(rows.length, "photo")} at ${degrees(toSphere(...mean))}`;
    const mark = (old.get(key)?.dataset.count === String(rows.length) && old.get(key)) || h("button", { class: "mark-at", type: "button", "aria-label": label, data: { cell: key, count: rows.length }, onclick: () => pick(key, rows) },
      h("img", { src: api.thumbnail(places.ids[rows[0]], 128), alt: "", draggable: "false" }), rows.length > 1 ? h("span", { class: "how-many" }, rows.length.toLocaleString("en")) : null);
    mark.style.transform = `translate(${at[0] - 24}px, ${at[1] - 24}px)`;
    mark.setAttribute("aria-pressed", String(key === picked));
    return mark;
  }));
  if (held) [...parts.marks.children].find((mark) => mark.dataset.cell === held)?.focus({ preventScroll: true });
};

/** Show the photos of a mark beside the map. */
const pick = async (key, rows) => {
  picked = key;
  for (const mark of parts.marks.children) mark.setAttribute("aria-pressed", String(mark.dataset.cell === key));
  const ids = rows.map((row) => places.ids[row]);
  let photos;
  try {
    photos = await api.photosByIds(ids.slice(0, MOST));
  } catch (error) {
    trouble(error.message);
    return;
  }
  const apart = rows.some((row) => places.xs[row] !== places.xs[rows[0]] || places.ys[row] !== places.ys[rows[0]]);
  parts.here.replaceChildren(
    h("div", { class: "above" }, h("h2", {}, `${count(ids.length, "photo")} here`),
      apart ? h("button", { class: "act small", type: "button", onclick: () => move(fit(rows)) }, "Nearer") : null,
      h("button", { class: "act small", type: "button", onclick: () => choose(ids) }, ids.length === 1 ? "Choose it" : `Choose these ${ids.length}`)),
    h("ol", { class: "strip many" }, photos.map((photo) => h("li", { class: "card small", data: { id: photo.id } },
      h("a", { class: "open", href: address(searchWith(photo.id)), "data-go": true, title: shownName(photo.name) },
        framed({ src: api.thumbnail(photo.id), width: photo.width, height: photo.height }),
        h("span", { class: "line" }, h("bdi", { class: "name" }, fileName(photo.name)))),
      tickFor(photo.id, photo.name)))),
    ids.length > MOST ? h("p", { class: "hint" }, `The first ${MOST} are shown.`) : "");
  refresh(parts.here);
  say(`${count(ids.length, "photo")} here`);
};

const keepAddress = soon(300, () => {
  if (read().view !== "map") return;
  const [latitude, longitude] = toSphere(view.x, view.y);
  go({ ...read(), at: [latitude.toFixed(5), longitude.toFixed(5), view.zoom.toFixed(2)].join(",") }, { replace: true });
});

const move = (next) => {
  view = { ...next, zoom: Math.min(Math.max(next.zoom, LEAST_ZOOM), MOST_ZOOM), x: Math.min(Math.max(next.x, 0), 1), y: Math.min(Math.max(next.y, 0), 1) };
  draw();
  keepAddress();
};

/** Zoom so that what lies under a point of the map stays there. */
const zoom = (by, px = parts.map.clientWidth / 2, py = parts.map.clientHeight / 2) => {
  const to = Math.min(Math.max(view.zoom + by, LEAST_ZOOM), MOST_ZOOM);
  const [dx, dy] = [px - parts.map.clientWidth / 2, py - parts.map.clientHeight / 2];
  const grown = 1 / scale() - 1 / (256 * 2 ** to);
  move({ x: view.x + dx * grown, y: view.y + dy * grown, zoom: to });
};

const listen = (map) => {
  const fingers = new Map();
  let spread = 0;
  const gap = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  map.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button")) return;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2) spread = gap();
    map.setPointerCapture(event.pointerId);
  });
  map.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const share = 1 / fingers.size;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    move({ ...view, x: view.x - (share * (event.clientX - before[0])) / scale(), y: view.y - (share * (event.clientY - before[1])) / scale() });
    if (fingers.size !== 2) return;
    const frame = map.getBoundingClientRect();
    const [a, b] = [...fingers.values()];
    zoom(Math.log2(gap() / spread), (a[0] + b[0]) / 2 - frame.left, (a[1] + b[1]) / 2 - frame.top);
    spread = gap();
  });
  for (const kind of ["pointerup", "pointercancel"]) map.addEventListener(kind, (event) => fingers.delete(event.pointerId));
  map.addEventListener("wheel", (event) => {
    event.preventDefault();
    const frame = map.getBoundingClientRect();
    zoom(-event.deltaY / (event.deltaMode ? 12 : 300), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });
  map.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const way = { ArrowLeft: [-80, 0], ArrowRight: [80, 0], ArrowUp: [0, -80], ArrowDown: [0, 80] }[event.key];
    if (event.key === "+" || event.key === "=") zoom(1);
    else if (event.key === "-") zoom(-1);
    else if (way && event.target === map) move({ ...view, x: view.x + way[0] / scale(), y: view.y + way[1] / scale() });
    else return;
    event.preventDefault();
  });
};

const build = () => {
  const netting = s("svg", { class: "net", "aria-hidden": "true" });
  const marks = h("div", { class: "marks-at" });
  moveByKeys(marks, "button");
  const button = (label, sign, call) => h("button", { class: "turn", type: "button", "aria-label": label, title: label, onclick: call }, sign);
  const map = h("div", { class: "plot map-plot", tabindex: "0", role: "group", "aria-label": "Map of the photos. Arrow keys move it, plus and minus change how much it shows; Tab leads to the photos." },
    netting, marks, h("div", { class: "zooms" }, button("Nearer", "+", () => zoom(1)), button("Farther", "−", () => zoom(-1)), button("Show all", "⤢", () => move(fit(all())))));
  const here = h("div", { class: "here" }, h("p", { class: "hint" }, "Choose a place on the map to see its photos."));
  const total = h("h1", { class: "total" }, count(places.ids.length, "photo with a position", "photos with a position"));
  byId("map").replaceChildren(h("div", { class: "above" }, total, h("p", { class: "hint" }, "Drawn here from the positions alone: no map is fetched.")), h("div", { class: "mapped" }, map, here));
  parts = { map, net: netting, marks, here };
  listen(map);
  new ResizeObserver(() => view && draw()).observe(map);
};

/** Show the map, around the place that the state says. */
export const show = async (state) => {
  if (!places) {
    let rows;
    try {
      rows = await api.places();
    } catch (error) {
      trouble(error.message);
      return;
    }
    const on = rows.map((row) => toPlane(row.lat, row.lon));
    places = { ids: rows.map((row) => row.id), xs: Float64Array.from(on, ([x]) => x), ys: Float64Array.from(on, ([, y]) => y) };
    build();
  }
  if (!places.ids.length) {
    byId("map").replaceChildren(h("p", { class: "empty" }, "No photo says where it was taken."));
    return;
  }
  const [latitude, longitude, zoomed] = state.at.split(",").map(Number);
  if (Number.isFinite(latitude) && Number.isFinite(longitude)) {
    const [x, y] = toPlane(latitude, longitude);
    view = { x, y, zoom: Math.min(Math.max(zoomed || 15, LEAST_ZOOM), MOST_ZOOM) };
  } else view = fit(all());
  draw();
};

export const renew = () => { places = null; view = null; picked = ""; };
