// Which photos: a folder, from one day, to another.

import { h } from "./dom.js";
import { filters, go, read } from "./state.js";
import { count, shownName } from "./words.js";

/** Controls of the filters that a gallery has use for; what is set goes into the address at once. */
export const controls = (info, prefix) => {
  const change = (key) => (event) => {
    const { hit: _hit, ...state } = read();
    go({ ...state, [key]: event.target.value });
  };
  const parts = [];
  if (info.folders?.length > 1) {
    parts.push(h("label", {}, h("span", {}, "Folder"), h("select", { id: `${prefix}-folder`, onchange: change("folder") },
      h("option", { value: "" }, "All folders"),
      info.folders.map(({ name, photos }) => h("option", { value: name }, `${shownName(name)} (${photos.toLocaleString("en")})`)))));
  }
  if (info.since) {
    const bounds = { min: info.since, max: info.until, type: "date" };
    parts.push(
      h("label", {}, h("span", {}, "From"), h("input", { id: `${prefix}-since`, ...bounds, onchange: change("since") })),
      h("label", {}, h("span", {}, "To"), h("input", { id: `${prefix}-until`, ...bounds, onchange: change("until") })),
    );
  }
  const clear = h("button", {
    class: "act", type: "button",
    onclick: () => { const { hit: _hit, ...state } = read(); go({ ...state, folder: "", since: "", until: "" }); },
  }, "Show all");
  const element = h("div", { class: "filters", role: "group", "aria-label": "Which photos" }, parts, clear);

  /** Show what the address says. */
  const show = (state) => {
    for (const key of ["folder", "since", "until"]) {
      const control = element.querySelector(`#${prefix}-${key}`);
      if (control && control.value !== state[key]) control.value = state[key];
    }
    clear.hidden = !Object.values(filters(state)).some(Boolean);
  };
  return { element, show, empty: !parts.length };
};

/** The filters of a state in words; empty where there are none. */
export const said = ({ folder, since, until }) => [
  folder && `in ${shownName(folder)}`, since && `from ${since}`, until && `to ${until}`,
].filter(Boolean).join(" ");

export const photosIn = (total, state) => [count(total, "photo"), said(state)].filter(Boolean).join(" ");
