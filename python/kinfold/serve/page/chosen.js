// Photos that are ticked, in whichever view, and what can be made of them: a list, a table, a zip of links.

import * as api from "./api.js";
import { byId, h, save, say, trouble } from "./dom.js";
import { count, fileName } from "./words.js";

const chosen = new Set();
const FORMS = [["list", "List of paths", "txt"], ["csv", "Table (CSV)", "csv"], ["zip", "Links (zip)", "zip"]];

const changed = () => {
  for (const tick of document.querySelectorAll("input[data-choose]")) {
    tick.checked = chosen.has(Number(tick.dataset.choose));
    tick.closest("li")?.classList.toggle("is-chosen", tick.checked);
  }
  const bar = byId("chosen");
  bar.hidden = !chosen.size;
  document.body.classList.toggle("has-chosen", chosen.size > 0);
  bar.querySelector("b").textContent = `${count(chosen.size, "photo")} chosen`;
};

/** Tick photos, or take the ticks away. */
export const choose = (ids, on = true) => {
  for (const id of ids) chosen[on ? "add" : "delete"](id);
  changed();
  say(`${count(chosen.size, "photo")} chosen`);
};

/** A tick for a photo; extra attributes are those of its input. */
export const tickFor = (id, name, extra = {}, word = "") =>
  h("label", { class: "tick" }, h("input", {
    type: "checkbox", data: { choose: id }, "aria-label": `Choose ${fileName(name)}`, ...extra,
    onchange: (event) => choose([id], event.target.checked),
  }), word);

/** After cards were made: those that are ticked show it. */
export const refresh = (place) => {
  for (const tick of place.querySelectorAll("input[data-choose]")) {
    tick.checked = chosen.has(Number(tick.dataset.choose));
    tick.closest("li")?.classList.toggle("is-chosen", tick.checked);
  }
};

/** A download of photos in one of the forms. */
export const download = async (ids, form, name = "photos") => {
  trouble("");
  try {
    save(await api.exported(ids, form), `${name}.${FORMS.find(([one]) => one === form)[2]}`);
  } catch (error) {
    trouble(error.message);
  }
};

export const start = () => {
  byId("chosen").append(
    h("b", {}), h("span", { class: "push" }),
    ...FORMS.map(([form, label]) => h("button", { class: "act", type: "button", data: { form }, onclick: () => download([...chosen], form) }, label)),
    h("button", { class: "turn", type: "button", "aria-label": "Choose none", onclick: () => choose([...chosen], false) }, "×"),
  );
};
