// All photos of the gallery; a click searches with one.

import * as api from "./api.js";
import { byId, h, say, trouble } from "./dom.js";
import * as filtering from "./filters.js";
import { Grid } from "./grid.js";
import { refresh, tickFor } from "./chosen.js";
import { address, filters, go, read, searchWith } from "./state.js";
import { day, fileName, shownName } from "./words.js";

let grid = null;
let controls = null;
let shown = null;

const cell = (photo, focusable) => {
  const tabindex = focusable ? "0" : "-1";
  const parts = [
    h("a", { href: address(searchWith(photo.id)), "data-go": true, tabindex, title: shownName(photo.name) },
      h("img", { src: api.thumbnail(photo.id), srcset: `${api.thumbnail(photo.id)} 1x, ${api.thumbnail(photo.id, 512)} 2x`, alt: "", loading: "lazy", decoding: "async" }),
      h("span", { class: "under" }, h("bdi", { class: "name" }, fileName(photo.name)), h("span", { class: "quiet" }, day(photo.taken)))),
    tickFor(photo.id, photo.name, { tabindex }),
  ];
  // The tick shows whether the photo is chosen once it stands in the page.
  queueMicrotask(() => refresh(grid.element));
  return parts;
};

const build = (info) => {
  const place = byId("photos");
  const total = h("h1", { class: "total" }, "Photos");
  const order = h("label", {}, h("span", {}, "Order"), h("select", {
    onchange: (event) => go({ ...read(), order: event.target.value }),
  }, h("option", { value: "" }, "by name"), h("option", { value: "date" }, "by date")));
  controls = filtering.controls(info, "photos");
  controls.element.insertBefore(order, controls.element.lastChild);
  controls.order = order.lastChild;
  // On a phone the photos come first.
  const folded = h("details", { class: "narrowing", open: !matchMedia("(max-width: 44rem)").matches || Object.values(filters(shown)).some(Boolean) },
    h("summary", {}, "Folder, dates, order"), controls.element);
  grid = new Grid({
    label: "Photos of the gallery",
    load: (offset, limit, signal) => api.photos({ offset, limit, order: shown.order || "name", ...filters(shown) }, signal),
    cell,
    ontotal: (n) => {
      total.textContent = filtering.photosIn(n, shown);
      empty.hidden = n > 0;
      say(total.textContent);
    },
    ontrouble: trouble,
  });
  const empty = h("p", { class: "empty", hidden: true }, "No photo is in that folder and between those days.");
  place.replaceChildren(
    h("div", { class: "invite" },
      h("p", {}, h("b", {}, "Find every photo of the same thing."), " Drop a photo anywhere on this page, paste one, or click one below."),
      h("p", { class: "hint" }, h("kbd", {}, "←"), " ", h("kbd", {}, "→"), " ", h("kbd", {}, "↑"), " ", h("kbd", {}, "↓"), " move, ", h("kbd", {}, "Enter"), " searches, ", h("kbd", {}, "Space"), " chooses")),
    h("div", { class: "above" }, total, folded),
    empty, grid.element,
  );
};

/** Show the photos that the state says; resolves once the first are there. */
export const show = async (state, info) => {
  const key = JSON.stringify([filters(state), state.order]);
  const before = shown && JSON.stringify([filters(shown), shown.order]);
  shown = state;
  if (!grid) build(info);
  controls.show(state);
  if (controls.order.value !== state.order) controls.order.value = state.order;
  if (key !== before) await grid.reset();
  else grid.render();
};

/** The gallery has changed: everything is made anew. */
export const renew = () => { grid?.end(); grid = null; shown = null; };
