// A picture on which a box can be drawn: by mouse, by finger, by keys.

import { h, s, say } from "./dom.js";

const STEP = 0.02; // of the sides, by key
const LEAST = 0.02; // smaller boxes are slips
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const held = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * The picture with its box. Boxes are x0, y0, x1, y1 in pixels of a photo of width and height; empty for none.
 * onbox is told of every change, onsearch of Enter on a box.
 */
export const boxOn = ({ src, width, height, label, box = [], onbox, onsearch, onerror }) => {
  let at = box.length ? [box[0] / width, box[1] / height, box[2] / width, box[3] / height] : null;
  const drawn = s("g");
  const over = s("svg", { class: "over", viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true" }, drawn);
  const picture = h("img", { src, alt: "", width, height, draggable: "false", onerror });
  const stage = h("div", {
    class: "stage", tabindex: "0", role: "application", "aria-roledescription": "picture to mark",
    "aria-label": `${label}. Enter marks a part; then arrow keys move it, with Shift they change its size, Enter searches with it, Delete removes it.`,
  }, picture, over);

  const pixels = () => (at ? at.map((v, i) => Math.round(v * (i % 2 ? height : width) * 10) / 10) : []);

  const draw = () => {
    drawn.replaceChildren();
    if (!at) return;
    const [x0, y0, x1, y1] = at.map((v) => 1000 * v);
    const sides = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
    drawn.append(
      s("path", { class: "shade", d: `M0 0H1000V1000H0ZM${x0} ${y0}V${y1}H${x1}V${y0}Z` }),
      s("rect", { class: "rim", ...sides }), s("rect", { class: "box", ...sides }),
      ...[[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map(([x, y]) => s("path", { class: "grip", d: `M${x} ${y}h0` })),
    );
  };

  const set = (next, settled) => {
    at = next;
    draw();
    onbox(pixels(), settled);
  };

  const told = () => {
    if (!at) return say("No part is marked: the whole photo is searched with.");
    const [x0, y0, x1, y1] = at.map((v) => Math.round(100 * v));
    return say(`Marked from ${x0} to ${x1} % across and ${y0} to ${y1} % down.`);
  };

  const middle = () => [0.25, 0.25, 0.75, 0.75];

  // Pointers: a corner is pulled, the inside moved, anything else begins a new box.
  let drag = null;
  const where = (event) => {
    const frame = stage.getBoundingClientRect();
    return [held((event.clientX - frame.left) / frame.width, 0, 1), held((event.clientY - frame.top) / frame.height, 0, 1), frame];
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const [x, y, frame] = where(event);
    const reach = event.pointerType === "touch" ? 26 : 12;
    const before = at;
    drag = { x, y, before, fixed: [x, y] };
    if (at) {
      const [x0, y0, x1, y1] = at;
      const near = (u, v) => Math.hypot((x - u) * frame.width, (y - v) * frame.height) < reach;
      const corner = [[x0, y0, x1, y1], [x1, y0, x0, y1], [x1, y1, x0, y0], [x0, y1, x1, y0]].find(([u, v]) => near(u, v));
      if (corner) drag.fixed = corner.slice(2);
      else if (x > x0 && x < x1 && y > y0 && y < y1) drag.moves = true;
    }
    stage.setPointerCapture(event.pointerId);
    event.preventDefault();
    stage.focus({ preventScroll: true });
  });
  stage.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = where(event);
    if (drag.moves) {
      const [x0, y0, x1, y1] = drag.before;
      const dx = held(x - drag.x, -x0, 1 - x1);
      const dy = held(y - drag.y, -y0, 1 - y1);
      set([x0 + dx, y0 + dy, x1 + dx, y1 + dy], false);
    } else {
      const [u, v] = drag.fixed;
      set([Math.min(u, x), Math.min(v, y), Math.max(u, x), Math.max(v, y)], false);
    }
  });
  const release = () => {
    if (!drag) return;
    const slip = at && (at[2] - at[0] < LEAST || at[3] - at[1] < LEAST);
    const { before } = drag;
    drag = null;
    // A click beside the box takes it away.
    set(slip ? null : at, true);
    if (at || before) told();
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("dblclick", () => at && onsearch());

  stage.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const way = KEYS[event.key];
    if (event.key === "Enter") {
      if (at) onsearch();
      else { set(middle(), true); told(); }
    } else if (at && (event.key === "Delete" || event.key === "Backspace")) {
      set(null, true);
      told();
    } else if (at && way) {
      const [dx, dy] = way.map((v) => v * STEP);
      const [x0, y0, x1, y1] = at;
      if (event.shiftKey) set([x0, y0, held(x1 + dx, x0 + LEAST, 1), held(y1 + dy, y0 + LEAST, 1)], true);
      else {
        const [mx, my] = [held(dx, -x0, 1 - x1), held(dy, -y0, 1 - y1)];
        set([x0 + mx, y0 + my, x1 + mx, y1 + my], true);
      }
      told();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  draw();
  return {
    element: stage,
    mark: () => { if (!at) set(middle(), true); stage.focus(); told(); },
    clear: () => set(null, true),
  };
};
