// The answer to a query: what was asked, the photos that show the same thing, those that only look alike.

import * as api from "./api.js";
import { boxOn } from "./box.js";
import { choose, refresh, tickFor } from "./chosen.js";
import { byId, h, moveByKeys, say, trouble } from "./dom.js";
import { framed } from "./drawing.js";
import * as filtering from "./filters.js";
import { FIRST, find, known, pictureOf, subject } from "./finding.js";
import { whereTaken } from "./locating.js";
import { address, filters, go, read } from "./state.js";
import { count, fileName, matching, said, shownName, showsIt, sureness } from "./words.js";

const MOST = 200;

let controls = null;
let panel = null; // what was asked, for as long as it is the same photo
let asking = null;
let focusWanted = "";

const panelKey = (state) => state.query || state.id;

/** The state with a photo counted as more of the same, or as not that; again takes it back. */
const judged = (state, id, kind) => {
  const other = kind === "like" ? "unlike" : "like";
  const without = (ids) => ids.filter((one) => one !== id);
  const mine = state[kind].includes(id) ? without(state[kind]) : [...state[kind], id];
  return { ...state, hit: "", [kind]: mine, [other]: without(state[other]) };
};

const judge = (id, kind) => go(judged(read(), id, kind));

/** Buttons that say whether a photo shows what is meant. */
export const judgeButtons = (id, name, state, whole = false) => [["like", "More like this", "+", "more"], ["unlike", "Not this", "−", "not this"]].map(([kind, label, sign, short]) =>
  h("button", {
    class: `mark ${kind}`, type: "button", "aria-pressed": String(state[kind].includes(id)), title: label, "aria-label": `${label}: ${fileName(name)}`,
    onclick: () => { focusWanted = `${kind}-${id}`; judge(id, kind); }, data: { focus: `${kind}-${id}` },
  }, h("span", { "aria-hidden": "true" }, sign), ` ${whole ? label : short}`));

const badge = (hit) =>
  showsIt(hit) ? h("span", { class: "badge ok" }, h("span", { "aria-hidden": "true" }, "✓"), ` ${hit.verdict}`) : h("span", { class: "badge" }, hit.verdict);

const card = (hit, rank, state) => {
  const notes = [
    typeof hit.confidence === "number" ? sureness(hit).split(", ")[1] : "", hit.verified ? matching(hit.inliers) : "",
    hit.through !== null && hit.through !== undefined && showsIt(hit) ? "by way of another" : "",
    hit.missing ? "the file is no longer there" : "",
  ].filter(Boolean);
  return h("li", { class: "card", data: { id: hit.id } },
    h("a", { href: address({ ...state, hit: String(hit.id) }), "data-go": true, class: "open", data: { focus: `hit-${hit.id}` }, title: shownName(hit.name) },
      framed({ src: api.thumbnail(hit.id, 512), width: hit.width, height: hit.height, outline: showsIt(hit) ? hit.place_found : null }),
      h("span", { class: "line" }, h("span", { class: "rank" }, String(rank)), badge(hit)),
      h("span", { class: "line" }, h("bdi", { class: "name" }, fileName(hit.name))),
      h("span", { class: "line quiet" }, notes.join(" · "))),
    h("span", { class: "line tools" }, tickFor(hit.id, hit.name), h("span", { class: "push" }), judgeButtons(hit.id, hit.name, state)));
};

/** The hits as they are shown, [of the same thing, alike]: what was asked with, and what is not meant, stands beside them. */
const parted = (answer, state) => {
  const others = answer.hits.filter((hit) => !hit.is_query && !state.unlike.includes(hit.id));
  return [others.filter(showsIt), others.filter((hit) => !showsIt(hit))];
};

const section = (title, hits, before, state) => {
  if (!hits.length) return null;
  const ids = hits.map((hit) => hit.id);
  return h("section", { class: "found", "aria-label": title },
    h("div", { class: "above" }, h("h2", {}, title), h("button", { class: "act small", type: "button", onclick: () => choose(ids) }, ids.length === 1 ? "Choose it" : `Choose these ${ids.length}`)),
    h("ol", { class: "cards" }, hits.map((hit, i) => card(hit, before + i + 1, state))));
};

const fillResults = (state, answer) => {
  const place = panel.results;
  // What is shown already stays: the focus may be in it.
  const filled = address({ ...state, hit: "" });
  if (panel.filled === filled) return;
  panel.filled = filled;
  const [same, alike] = parted(answer, state);
  const verdict = state.unlike.length ? said(same.length) : answer.verdict;
  const top = Number(state.top) || FIRST;
  const more = answer.hits.length >= top && top < MOST
    ? h("button", { class: "act more", type: "button", onclick: () => { focusWanted = `hit-${alike.at(-1)?.id ?? same.at(-1)?.id}`; go({ ...state, top: String(Math.min(MOST, top * 3)) }, { replace: true }); } }, "Show more")
    : null;
  panel.verdict.textContent = verdict;
  panel.verdict.className = `said ${same.length ? "ok" : "none"}`;
  const alikeTitle = same.length ? `${count(alike.length, "more photo")} that only look${alike.length === 1 ? "s" : ""} alike` : "The nearest photos";
  place.replaceChildren(...[
    section("Of the same thing", same, 0, state), section(alikeTitle, alike, same.length, state),
    same.length || alike.length ? null : h("p", { class: "empty" }, "Nothing was found", filtering.said(state) ? ` ${filtering.said(state)}.` : "."), more,
  ].filter(Boolean));
  refresh(place);
  say(`${verdict} ${alike.length ? `${count(alike.length, "photo")} only look${alike.length === 1 ? "s" : ""} alike.` : ""}`);
};

/** The photos that were said to be more of the same, or not that. */
const fillFeedback = async (state) => {
  const ids = [...state.like, ...state.unlike];
  const place = panel.feedback;
  place.hidden = !ids.length;
  if (!ids.length) return place.replaceChildren();
  const photos = await api.photosByIds(ids).catch(() => []);
  const byNumber = new Map(photos.map((photo) => [photo.id, photo]));
  const list = (kind, title) => state[kind].length
    ? [h("h2", { class: "small" }, title), h("ul", { class: "judged" }, state[kind].map((id) => {
      const name = byNumber.get(id)?.name || `photo ${id}`;
      return h("li", {}, h("button", {
        type: "button", class: kind, title: shownName(name), "aria-label": `Take back: ${fileName(name)}`, data: { focus: `back-${id}` },
        onclick: () => { focusWanted = `hit-${id}`; judge(id, kind); },
      }, h("img", { src: api.thumbnail(id, 128), alt: "" }), h("span", { "aria-hidden": "true" }, "×")));
    }))]
    : [];
  place.replaceChildren(...list("like", "More like"), ...list("unlike", "Not"));
  return undefined;
};

const build = (state, size, name, info) => {
  const place = byId("search");
  controls = filtering.controls(info, "search");
  const verdict = h("h1", { class: "said" }, "Searching …");
  const results = h("div", { class: "results" });
  const feedback = h("div", { class: "feedback", hidden: true });
  moveByKeys(results, "a.open");
  const sources = pictureOf(state);
  let tried = 0;
  let box = state.box;
  const part = h("button", { class: "act strong", type: "button", onclick: () => searchPart() }, "Search with this part");
  const mark = h("button", { class: "act", type: "button", onclick: () => picture.mark() }, "Mark a part");
  const whole = h("button", { class: "act", type: "button", onclick: () => { picture.clear(); if (read().box.length) searchPart(); } }, "Whole photo");
  const searchPart = () => go({ ...read(), hit: "", box, top: "" });
  const offer = () => {
    const same = box.join() === read().box.join();
    part.hidden = !box.length || same;
    mark.hidden = box.length > 0;
    whole.hidden = !box.length;
  };
  const picture = boxOn({
    src: sources[0], ...size, label: `Query: ${fileName(name)}`, box,
    onbox: (next) => { box = next; offer(); },
    onsearch: () => searchPart(),
    // A format that this browser does not show: the server makes a JPEG of it.
    onerror: (event) => { if (++tried < sources.length) event.target.src = sources[tried]; },
  });
  const where = info.has_places ? whereTaken(() => subject(read())) : null;
  place.replaceChildren(h("div", { class: "query" },
    h("div", { class: "asked" }, picture.element,
      h("p", { class: "caption" }, h("bdi", { class: "name" }, shownName(name)), h("span", { class: "hint" }, "Draw a box on the photo to search with a part of it.")),
      h("p", { class: "actions" }, part, mark, whole, where?.button), where?.element, feedback,
      controls.empty ? null : h("details", { class: "which" }, h("summary", {}, "Folder and dates"), controls.element)),
    h("div", { class: "answers" }, verdict, results)));
  panel = { key: panelKey(state), box: state.box.join(), verdict, results, feedback };
  offer();
};

const refocus = () => {
  if (!focusWanted) return;
  const place = byId("search");
  const wanted = [focusWanted, focusWanted.replace(/^[a-z]+/, "back"), focusWanted.replace(/^[a-z]+/, "hit")];
  const target = wanted.map((one) => place.querySelector(`[data-focus="${one}"]`)).find(Boolean) || place.querySelector("a.open");
  focusWanted = "";
  target?.focus({ preventScroll: true });
};

/** Show a photo from outside while its answer is waited for. */
export const wait = (file, info) => {
  const name = file.name || "pasted photo";
  const source = URL.createObjectURL(file);
  byId("search").replaceChildren(h("div", { class: "query" },
    h("div", { class: "asked" }, h("div", { class: "stage" }, h("img", { src: source, alt: `Query: ${fileName(name)}`, onload: () => URL.revokeObjectURL(source) }))),
    h("div", { class: "answers" }, h("h1", { class: "said" }, `Searching ${count(info.photos, "photo")} …`))));
  panel = null;
  say("Searching");
};

/** Show the answer to a state's question. */
export const show = async (state, info) => {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const same = panel && panel.key === panelKey(state) && panel.box === state.box.join();
  const place = byId("search");
  let answer = known(state);
  if (!answer && same) place.setAttribute("aria-busy", "true");
  if (!same) panel = null;
  if (!same && !answer) {
    place.replaceChildren(h("h1", { class: "said" }, "Searching …"));
    say("Searching");
  }
  try {
    answer ||= await find(state, signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    trouble(error.code === "unknown_query" ? "The server has forgotten this photo: drop it again." : error.message);
    if (!panel) place.replaceChildren(h("h1", { class: "said none" }, "There is no answer."), h("p", {}, h("a", { class: "act", href: address({ ...filters(state), view: "photos" }), "data-go": true }, "To all photos")));
    place.removeAttribute("aria-busy");
    return;
  }
  const { width, height, name } = answer.query;
  if (!panel) build(state, { width, height }, name, info);
  place.removeAttribute("aria-busy");
  controls.show(state);
  fillResults(state, answer);
  await fillFeedback(state);
  refocus();
};

/** The photos of the answer that is shown, in its order. */
export const order = (state) => {
  const answer = known(state);
  return answer ? parted(answer, state).flat().map((hit) => hit.id) : [];
};

export const hitOf = (state, id) => known(state)?.hits.find((hit) => hit.id === id);

export const renew = () => { panel = null; };
