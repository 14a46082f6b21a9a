// Another process may bring the gallery up to date meanwhile: how far it is, and what is then new.

import * as api from "./api.js";
import { byId, h, say } from "./dom.js";

const OFTEN = 1500;
const SELDOM = 8000;

/** Ask now and then; calls back when an update is done. */
export const start = (done) => {
  const place = byId("progress");
  let updating = false;
  const look = async () => {
    if (document.hidden) return setTimeout(look, SELDOM);
    try {
      const now = await api.progress();
      if (now.updating) {
        const far = now.of ? `${now.stage} ${now.done.toLocaleString("en")} of ${now.of.toLocaleString("en")}` : now.stage || "";
        if (!updating) say("The gallery is being brought up to date.");
        place.hidden = false;
        place.replaceChildren(h("span", {}, "The gallery is being brought up to date", far ? `: ${far}` : ""),
          h("progress", { "aria-label": "Bringing the gallery up to date", max: now.of || 1, value: now.of ? now.done : null }));
      } else if (updating) {
        place.hidden = true;
        done();
      }
      updating = now.updating;
    } catch {
      // A server that does not answer says so when something is asked of it.
    }
    return setTimeout(look, updating ? OFTEN : SELDOM);
  };
  look();
};
