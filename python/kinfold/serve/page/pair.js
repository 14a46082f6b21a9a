// Why a photo was found: it and the query side by side, what corresponds, the chain, what a network finds alike.

import * as api from "./api.js";
import { refresh, tickFor } from "./chosen.js";
import { byId, h, say } from "./dom.js";
import { drawnOf, framed, heated, numbered, pairOf } from "./drawing.js";
import { pictureOf, question } from "./finding.js";
import { hitOf, judgeButtons } from "./results.js";
import { address, back, go, read, searchWith } from "./state.js";
import { fileName, matching, number, shownName, showsIt, sureness } from "./words.js";

const PARTS = 6;

let asking = null;
let opener = null;
let sequence = [];

/** What is asked: of groups by the photo that stands for the group, else by the query. */
const asked = (state, hit) => (state.with ? { id: Number(state.with), hit } : { ...question(state), hit });

const closed = (state) => ({ ...state, hit: "", with: "" });

const turnTo = (id) => go({ ...read(), hit: String(id) }, { replace: true });

const arrow = (id, label, sign, key) => id === undefined ? null
  : h("button", { class: "turn", type: "button", "aria-label": label, data: { turn: key }, onclick: () => turnTo(id) }, sign);

/** The smallest upright box around a place. */
const around = (outline) => {
  const [xs, ys] = [0, 1].map((axis) => outline.map((point) => point[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)].map((v) => Math.round(v * 10) / 10);
};

const copying = (label, text) => {
  const button = h("button", { class: "act", type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1500);
    } catch {
      // Where nothing may be copied, it is shown to be copied by hand.
      button.replaceWith(h("code", { class: "path", tabindex: "0" }, text));
    }
  } }, label);
  return button;
};

const chainOf = async (chain, similarities, state, query) => {
  const similarity = new Map(chain.map((id, i) => [id, similarities[i]]));
  // A chain may begin with the photo that was asked with.
  const steps = await api.photosByIds(chain.filter((id) => id !== query.id));
  if (!steps.length) return null;
  const small = (photo) => ({ src: api.thumbnail(photo.id), width: photo.width, height: photo.height });
  return h("section", {}, h("h3", {}, "The way through the graph"), h("ol", { class: "chain" },
    h("li", {}, framed({ src: pictureOf(state, 512).at(-1), width: query.width, height: query.height, box: query.box }), h("span", {}, "query")),
    steps.map((photo) => [
      h("li", { class: "edge" }, h("span", { class: "similarity" }, number(similarity.get(photo.id), 2)), h("span", { class: "arrow", "aria-hidden": "true" })),
      h("li", {}, h("a", { href: address(searchWith(photo.id)), "data-go": true }, framed(small(photo)), h("bdi", { class: "name" }, fileName(photo.name)))),
    ])));
};

/** A figure as wide as its photo's shape makes it, so that two beside each other are of one height. */
const asWide = ({ width, height }, drawing) => {
  const figure = h("figure", {}, drawing);
  figure.style.flex = `${width / height} 1 0`;
  return figure;
};

const twins = (first, second) => h("div", { class: "twins" }, first, second);

const networkOf = (network, query, hit) => {
  if (!network) return null;
  const parts = network.components.slice(0, PARTS);
  const most = Math.max(...parts.map((part) => part.contribution), 1e-12);
  const given = parts.reduce((sum, part) => sum + part.contribution, 0);
  const meter = (part) => h("progress", { class: "meter", value: Math.max(0, part.contribution), max: most, "aria-hidden": "true" });
  const alike = parts.length ? [
    h("h3", {}, "What the network finds alike"),
    twins(asWide(query, numbered(query, parts.map((part) => part.query_box), "Query, components")),
      asWide(hit, numbered(hit, parts.map((part) => part.hit_box), "Photo, components"))),
    h("ol", { class: "parts" }, parts.map((part, i) => h("li", { class: `k${i}` },
      h("span", { class: "swatch" }), h("b", {}, String(i + 1)), meter(part), h("span", { class: "score" }, number(part.contribution))))),
    h("p", { class: "note" }, `Boxes are around the places where one channel of the network answers most in both; bars are what it adds to the similarity, ${number(given)} together.`),
  ] : [];
  return h("section", { class: "alike" }, alike,
    h("h3", {}, "Where the network looks"),
    twins(asWide(query, heated(query, network.query, network.area, "Query, where the network looks")),
      asWide(hit, heated(hit, network.hit, [0, 0, hit.width, hit.height], "Photo, where the network looks"))),
    h("p", { class: "note" }, "The brighter, the more all channels together say of a place."));
};

/** Why no line is drawn. */
const noMatches = (hit) => hit && showsIt(hit)
  ? "Few points of these two correspond directly: others, which show the same thing as both, confirm it."
  : "Too few points of the two photos correspond to say that both show the same thing.";

const notesOf = (found, query, hit) => [
  query.box?.length ? "Solid line: the region asked for." : "",
  found.place_found?.length ? "Dashed line: around all that matches." : "",
  found.rejected?.length ? "Grey: look alike, but do not fit." : "",
  found.matches.length > drawnOf(found.matches.length) ? `${drawnOf(found.matches.length)} of ${found.matches.length} correspondences are drawn.` : "",
  found.matches.length ? "" : noMatches(hit),
].filter(Boolean).join(" ");

const sheet = (state, hit) => {
  const id = Number(state.hit);
  const at = sequence.indexOf(id);
  const close = h("button", { class: "turn close", type: "button", "aria-label": "Close", onclick: () => back(closed(read())) }, "×");
  const tags = hit?.verdict ? [
    h("span", { class: showsIt(hit) ? "badge ok" : "badge" }, showsIt(hit) ? "✓ " : "", hit.verdict),
    typeof hit.confidence === "number" ? sureness(hit).split(", ")[1] : "", hit.verified ? matching(hit.inliers) : ""].filter(Boolean) : [];
  const name = h("h2", { id: "pair-name" }, at >= 0 && !state.with ? h("span", { class: "rank" }, String(at + 1)) : null, " ", h("bdi", { class: "name" }, hit ? shownName(hit.name) : "…"));
  const spaced = tags.flatMap((tag, i) => (i > 1 ? [" · ", tag] : [tag]));
  const body = h("div", { class: "body", "aria-busy": "true" }, h("p", { class: "note" }, "Comparing the two photos …"));
  const actions = h("p", { class: "actions" });
  byId("pair").replaceChildren(
    h("div", { class: "bar" }, name, h("p", { class: "tags" }, spaced),
      h("nav", { "aria-label": "Other results" }, arrow(sequence[at - 1], "Previous result", "‹", "prev"), arrow(at < 0 ? undefined : sequence[at + 1], "Next result", "›", "next"), close)),
    actions, body);
  return { actions, body, name };
};

const fill = async (parts, state, found) => {
  const id = Number(state.hit);
  const queryState = state.with ? { query: "", id: state.with, box: [] } : state;
  const { width, height, box, name } = found.query;
  const query = { ...found.query, src: pictureOf(queryState).at(-1), width, height, box, name };
  const hit = { ...found.hit, src: api.image(id), outline: found.place_found };
  const place = found.place_found?.length ? around(found.place_found) : null;
  parts.name.querySelector("bdi").textContent = shownName(hit.name);
  const link = (label, target) => h("a", { class: "act", href: address(target), "data-go": true }, label);
  parts.actions.replaceChildren(...[
    link("Search with this photo", searchWith(id)),
    place ? link("Search with the part that was found", searchWith(id, place)) : null,
    state.with ? null : h("span", { class: "judging" }, judgeButtons(id, hit.name, state, true)),
    tickFor(id, hit.name, {}, "Choose"),
    h("a", { class: "act", href: api.image(id, 2048), target: "_blank", rel: "noopener" }, "Open the photo"),
    hit.file ? copying("Copy its path", hit.file) : null,
  ].filter(Boolean));
  refresh(parts.actions);
  const both = { query, hit, matches: found.matches, rejected: found.rejected };
  const children = [
    pairOf(both, false), pairOf(both, true), h("p", { class: "note" }, notesOf(found, query, state.with ? null : hitOf(state, id))),
    networkOf(found.network, query, hit), await chainOf(found.chain, found.similarities, queryState, found.query),
  ].filter(Boolean);
  parts.body.replaceChildren(...children);
  parts.body.removeAttribute("aria-busy");
  say(`${fileName(hit.name)} beside ${fileName(name)}: ${matching(found.matches.length) || "no matching points"}.`);
};

/** Show the pair of a state over the page. others : ids of the photos before and after, in order */
export const show = async (state, others) => {
  const dialog = byId("pair");
  const id = Number(state.hit);
  sequence = others;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const hit = state.with ? null : hitOf(state, id);
  const held = dialog.contains(document.activeElement) ? document.activeElement.dataset : {};
  const turn = held.turn;
  const judgedBy = held.focus;
  const parts = sheet(state, hit);
  if (!dialog.open) {
    opener = document.activeElement;
    dialog.showModal();
    document.documentElement.classList.add("covered");
  }
  dialog.scrollTop = 0;
  (dialog.querySelector(turn ? `[data-turn="${turn}"]` : ".close") || dialog.querySelector(".close")).focus();
  try {
    const found = await api.explain(asked(state, id), signal);
    const more = await api.photo(id).catch(() => ({}));
    if (signal.aborted) return;
    await fill(parts, state, { ...found, hit: { ...more, ...found.hit, file: more.file } });
    if (judgedBy) dialog.querySelector(`[data-focus="${judgedBy}"]`)?.focus();
  } catch (error) {
    if (error.name === "AbortError") return;
    parts.body.replaceChildren(h("p", { class: "empty" }, error.message));
  }
};

/** Take the sheet away, and give the focus back to what opened it. */
export const hide = () => {
  const dialog = byId("pair");
  if (!dialog.open) return;
  asking?.abort();
  const last = sequence.length ? dialog.dataset.last : "";
  dialog.close();
  dialog.replaceChildren();
  document.documentElement.classList.remove("covered");
  const card = last && document.querySelector(`[data-focus="hit-${last}"]`);
  (card || opener)?.focus?.({ preventScroll: false });
};

export const start = () => {
  const dialog = byId("pair");
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    back(closed(read()));
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const id = sequence[sequence.indexOf(Number(read().hit)) + step];
    if (step && id !== undefined) { event.preventDefault(); turnTo(id); }
  });
  // A photo that was turned to is the one that the focus goes back to.
  new MutationObserver(() => { if (dialog.open) dialog.dataset.last = read().hit; }).observe(dialog, { childList: true });
};
