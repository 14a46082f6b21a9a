// The page: which view is shown follows from the address; see state.js.

import * as api from "./api.js";
import * as asking from "./asking.js";
import * as chosen from "./chosen.js";
import { byId, h, say, trouble } from "./dom.js";
import * as finding from "./finding.js";
import * as groups from "./groups.js";
import * as map from "./map.js";
import * as marks from "./marks.js";
import * as pair from "./pair.js";
import * as photos from "./photos.js";
import * as results from "./results.js";
import { filters, go, onState, read, start } from "./state.js";
import * as updating from "./updating.js";
import { shownName } from "./words.js";

const VIEWS = { photos, search: results, groups, map };
const TITLES = { photos: "Photos", search: "Search", groups: "Groups", map: "Map" };

let info = null;
let shown = "";
let waiting = null;

const otherPhotos = (state) => (state.with ? groups.order(Number(state.with)) : results.order(state));

const show = async (state, back) => {
  const view = Object.hasOwn(VIEWS, state.view) ? state.view : "photos";
  waiting?.abort();
  waiting = null;
  trouble("");
  if (!state.hit) pair.hide();
  const y = back ? history.state?.y || 0 : scrollY;
  const moved = view !== shown;
  shown = view;
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[view]} · ${shownName((info.gallery || "Kinfold").split("/").pop())}`;
  const done = VIEWS[view].show(state, info);
  if (moved && !back) { scrollTo(0, 0); byId("content").focus({ preventScroll: true }); }
  await done;
  if (back && !state.hit) scrollTo(0, y);
  if (state.hit) await pair.show(state, otherPhotos(state));
};

/** A photo from outside: its answer, or where the page was if there is none. */
const searchFile = async (file) => {
  const before = read();
  pair.hide();
  waiting?.abort();
  waiting = new AbortController();
  const { signal } = waiting;
  trouble("");
  for (const name of Object.keys(VIEWS)) byId(name).hidden = name !== "search";
  shown = "";
  results.wait(file, info);
  scrollTo(0, 0);
  try {
    const state = await finding.findFile(file, filters(before), signal);
    if (!signal.aborted) go(state);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    results.renew();
    await show(before, false);
    trouble(error.message);
  }
};

/** Without its token the server says nothing: it is asked for. */
const askToken = () => {
  const token = h("input", { name: "token", type: "password", required: true, autocomplete: "off" });
  const open = (event) => {
    event.preventDefault();
    location.assign(`/?token=${encodeURIComponent(token.value)}`);
  };
  byId("content").replaceChildren(h("form", { class: "token", onsubmit: open },
    h("h1", {}, "This server asks for its token"),
    h("p", {}, "It is the one that the server was started with: the address that it printed holds it."),
    h("p", {}, h("label", {}, "Token ", token), " ", h("button", { class: "act strong" }, "Open"))));
};

const learn = async () => {
  info = await api.info();
  marks.open(info.gallery || "");
  document.querySelector('nav a[data-view="map"]').hidden = !info.has_places;
};

/** The gallery is another one now: nothing that was known holds. */
const renew = async () => {
  api.forget();
  finding.forget();
  for (const view of Object.values(VIEWS)) view.renew();
  await learn();
  await show(read(), true);
  say(`The gallery is up to date: ${info.photos} photos.`);
};

const begin = async () => {
  await learn();
  chosen.start();
  pair.start();
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    (document.querySelector('.cell a[tabindex="0"], section:not([hidden]) :is(a.open, .map-plot)') || byId("content")).focus();
  });
  onState(show);
  updating.start(() => renew().catch((error) => trouble(error.message)));
  start();
};

// A photo that is given before the first answer is there waits for it.
const begun = begin();
asking.start((file) => begun.then(() => searchFile(file), () => {}));
begun.catch((error) => {
  if (error.status === 401) askToken();
  else trouble(error.message);
});
