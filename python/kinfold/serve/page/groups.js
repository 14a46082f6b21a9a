// Sets of photos of the same thing; near-duplicates in them, to be marked for keeping or rejecting.

import * as api from "./api.js";
import { download, refresh, tickFor } from "./chosen.js";
import { byId, h, moveByKeys, save, say, trouble } from "./dom.js";
import { framed } from "./drawing.js";
import * as marks from "./marks.js";
import { address, go, read, searchWith } from "./state.js";
import { count, fileName, shownName } from "./words.js";

const AT_ONCE = 20; // groups that are made before more come into sight
const MOST = 40; // photos of a group that are shown before the rest is asked for

let groups = null;
let asked = 0;
let bar = null;

const dimensions = (photo) => (photo.width ? `${photo.width} × ${photo.height}` : "");

const changed = () => {
  for (const button of byId("groups").querySelectorAll("button[data-mark]")) {
    const on = marks.of(Number(button.dataset.id)) === button.dataset.mark;
    button.setAttribute("aria-pressed", String(on));
    button.closest("li").classList.toggle(`is-${button.dataset.mark}`, on);
  }
  const [keep, reject] = [marks.ids("keep").length, marks.ids("reject").length];
  bar.hidden = !keep && !reject;
  bar.querySelector("b").textContent = `${keep} to keep, ${reject} to reject`;
};

const markButtons = (photo) => [["keep", "Keep", "✓"], ["reject", "Reject", "✕"]].map(([mark, label, sign]) =>
  h("button", {
    class: `mark ${mark}`, type: "button", "aria-pressed": "false", "aria-label": `${label}: ${fileName(photo.name)}`, data: { mark, id: photo.id },
    onclick: () => { marks.toggle(photo.id, mark); changed(); },
  }, h("span", { "aria-hidden": "true" }, sign), ` ${mark}`));

const member = (photo, group, copies) => {
  const first = photo.id === group.representative;
  const target = first ? searchWith(photo.id) : { view: "groups", with: String(group.representative), hit: String(photo.id) };
  const label = first ? `Search with ${fileName(photo.name)}` : `Compare ${fileName(photo.name)} with the photo that stands for the group`;
  return h("li", { class: "card small", data: { id: photo.id } },
    h("a", { class: "open", href: address(target), "data-go": true, "aria-label": label, title: shownName(photo.name), data: { focus: `hit-${photo.id}` } },
      framed({ src: api.thumbnail(photo.id), width: photo.width, height: photo.height }),
      h("span", { class: "line" }, h("bdi", { class: "name" }, fileName(photo.name)))),
    copies ? h("span", { class: "line quiet" }, dimensions(photo)) : null,
    tickFor(photo.id, photo.name),
    copies ? h("span", { class: "line tools" }, markButtons(photo)) : null);
};

const largest = (photos) => photos.reduce((best, photo) => (photo.width * photo.height > best.width * best.height ? photo : best));

const copiesOf = (photos, group) => h("div", { class: "copies" },
  h("div", { class: "above" },
    h("h3", {}, h("span", { class: "badge junk" }, h("span", { "aria-hidden": "true" }, "≈"), " nearly the same picture"), ` ${photos.length} photos`),
    h("button", { class: "act small", type: "button", onclick: () => {
      const best = largest(photos);
      marks.set(photos.map((photo) => [photo.id, photo === best ? "keep" : "reject"]));
      changed();
      say(`${fileName(best.name)} is marked to keep, ${count(photos.length - 1, "other")} to reject.`);
    } }, "Keep the largest")),
  h("ol", { class: "strip many" }, photos.map((photo) => member(photo, group, true))));

/** The row of a group: what stands for it, the others, and sets of near-duplicates apart. */
const row = async (group, whole = false) => {
  const photos = new Map((await api.photosByIds(group.photos)).map((photo) => [photo.id, photo]));
  const copies = group.duplicates.map((ids) => ids.map((id) => photos.get(id)).filter(Boolean)).filter((set) => set.length > 1);
  const inSets = new Set(copies.flat().map((photo) => photo.id));
  const first = photos.get(group.representative);
  const others = group.photos.filter((id) => id !== group.representative && !inSets.has(id)).map((id) => photos.get(id)).filter(Boolean);
  const shown = whole ? others : others.slice(0, MOST);
  const rest = others.length - shown.length;
  const element = h("section", { class: "example" },
    first ? h("figure", {}, h("a", { href: address(searchWith(first.id)), "data-go": true, class: "open", "aria-label": `Search with ${fileName(first.name)}`, title: shownName(first.name) },
      framed({ src: api.thumbnail(first.id, 512), width: first.width, height: first.height })),
    h("figcaption", {}, h("bdi", { class: "name" }, fileName(first.name)))) : h("span", {}),
    h("div", {}, h("h2", {}, count(photos.size, "photo")),
      h("ol", { class: "strip many" }, shown.map((photo) => member(photo, group, false))),
      rest ? h("button", { class: "act small", type: "button", onclick: async () => { element.replaceWith(await row(group, true)); changed(); } }, `Show ${rest} more`) : null,
      copies.map((set) => copiesOf(set, group))));
  refresh(element);
  return element;
};

const exportMarks = async () => {
  trouble("");
  try {
    const photos = await api.photosByIds(marks.all().map(([id]) => id));
    save(new Blob([marks.csv(new Map(photos.map((photo) => [photo.id, photo.name])))], { type: "text/csv" }), "marks.csv");
  } catch (error) {
    trouble(error.message);
  }
};

const marksBar = () => h("div", { class: "marks", role: "group", "aria-label": "Marks", hidden: true },
  h("b", {}), h("span", { class: "push" }),
  h("button", { class: "act small", type: "button", onclick: () => download(marks.ids("reject"), "list", "reject") }, "List of the rejected"),
  h("button", { class: "act small", type: "button", onclick: () => download(marks.ids("keep"), "list", "keep") }, "List of the kept"),
  h("button", { class: "act small", type: "button", onclick: exportMarks }, "All marks (CSV)"),
  h("button", { class: "act small", type: "button", onclick: () => { marks.clear(); changed(); say("There are no marks."); } }, "Clear"));

/** Rows come as they come into sight. */
const fill = (wanted) => {
  const place = byId("groups");
  const only = h("input", { type: "checkbox", onchange: (event) => go({ view: "groups", order: event.target.checked ? "copies" : "" }) });
  only.checked = wanted === "copies";
  const kept = wanted === "copies" ? groups.filter((group) => group.duplicates.length) : groups;
  const rows = h("div", {});
  const end = h("div", { class: "end" });
  bar = marksBar();
  const title = groups.length ? count(kept.length, "group") : "No two photos show the same thing.";
  place.replaceChildren(
    h("div", { class: "above" }, h("h1", { class: "total" }, title),
      groups.some((group) => group.duplicates.length) ? h("label", { class: "only" }, only, " only those with nearly the same picture twice") : null),
    h("p", { class: "hint" }, "Photos of the same thing, the largest set first. Marks are a list for you to export: nothing is moved or deleted."),
    bar, rows, end);
  moveByKeys(rows, "a.open");
  changed();
  say(title);
  let at = 0;
  let busy = false;
  const more = async () => {
    if (busy || at >= kept.length) return;
    busy = true;
    try {
      const next = kept.slice(at, at + AT_ONCE);
      await api.photosByIds(next.flatMap((group) => group.photos));
      rows.append(...await Promise.all(next.map((group) => row(group))));
      at += AT_ONCE;
      changed();
    } catch (error) {
      trouble(error.message);
    }
    busy = false;
    // What is still in sight is not told of again.
    if (end.getBoundingClientRect().top < innerHeight + 800) await more();
  };
  new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) more(); }, { rootMargin: "800px" }).observe(end);
  return more();
};

/** Show the groups; while they are made, how far that is. */
export const show = async (state) => {
  const turn = ++asked;
  const place = byId("groups");
  if (groups && place.dataset.order === state.order) return;
  while (!groups) {
    let answer;
    try {
      answer = await api.groups();
    } catch (error) {
      place.replaceChildren(h("h1", { class: "total" }, "Groups"));
      trouble(error.message);
      return;
    }
    if (answer.state === "ready") {
      groups = answer.groups;
      break;
    }
    if (turn !== asked) return;
    if (answer.state === "failed") {
      place.replaceChildren(h("h1", { class: "total" }, "Groups"), h("p", { class: "empty" }, `No groups could be made: ${answer.reason || "the server does not say why"}.`));
      return;
    }
    const done = typeof answer.done === "number" ? answer.done : null;
    const bar = h("progress", { "aria-label": "Comparing photos", max: 1, value: done });
    place.replaceChildren(h("h1", { class: "total" }, "Comparing photos with each other …"), h("p", { class: "hint" }, "This is done once; what is found is kept."), bar);
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    if (turn !== asked || read().view !== "groups") return;
  }
  place.dataset.order = state.order;
  await fill(state.order);
};

/** The photos of the group that a photo stands for, in the order in which they are shown. */
export const order = (representative) => {
  const group = (groups || []).find((one) => one.representative === representative);
  if (!group) return [];
  const inSets = new Set(group.duplicates.flat());
  return [...group.photos.filter((id) => !inSets.has(id)), ...group.duplicates.flat()].filter((id) => id !== representative);
};

export const renew = () => { groups = null; byId("groups").dataset.order = ""; };
