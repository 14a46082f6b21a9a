// Where the photo that was asked with was taken, by the photos of the same thing that say so.

import * as api from "./api.js";
import { h, say } from "./dom.js";
import { address, filters, read } from "./state.js";
import { count, degrees, metres } from "./words.js";

/** A button and the place where its answer appears. asked() gives the question. */
export const whereTaken = (asked) => {
  const element = h("p", { class: "where", hidden: true });
  const tell = (...children) => {
    element.hidden = false;
    element.replaceChildren(...children);
    say(element.textContent);
  };
  const button = h("button", { class: "act", type: "button", onclick: async () => {
    tell("Looking …");
    try {
      const found = await api.locate(asked());
      if (!found.located) return tell(`Not enough evidence: ${found.reason}.`);
      const position = [found.latitude, found.longitude];
      return tell(h("b", {}, degrees(position)), `, within ${metres(found.radius_m)}: ${count(found.agreeing_users, "photo agrees", "photos agree")}. `,
        h("a", { class: "link", "data-go": true, href: address({ ...filters(read()), view: "map", at: [...position, 15].join(",") }) }, "On the map"));
    } catch (error) {
      return tell(error.message);
    }
  } }, "Where was it taken?");
  return { button, element };
};
