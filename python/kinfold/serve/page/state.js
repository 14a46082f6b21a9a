// What is shown stands in the address, so that back, forward, reload and a copied address all work.

const NUMBERS = ["like", "unlike", "box"];
const PLAIN = ["view", "id", "query", "top", "hit", "with", "folder", "since", "until", "order", "near", "at"];
const FILTERS = ["folder", "since", "until"];
const heard = [];

/** The state that an address tells; absent parts are empty. */
export const read = (search = location.search) => {
  const given = new URLSearchParams(search);
  const state = Object.fromEntries(PLAIN.map((key) => [key, given.get(key) || ""]));
  for (const key of NUMBERS) {
    state[key] = (given.get(key) || "").split(",").filter(Boolean).map(Number).filter(Number.isFinite);
  }
  if (state.box.length !== 4) state.box = [];
  if (!state.view) state.view = state.id || state.query ? "search" : "photos";
  return state;
};

/** The address of a state. */
export const address = (state) => {
  const given = new URLSearchParams();
  for (const key of PLAIN) {
    const implied = key === "view" && (state.view === "photos" || (state.view === "search" && (state.id || state.query)));
    if (state[key] && !implied) given.set(key, state[key]);
  }
  for (const key of NUMBERS) if (state[key] && state[key].length) given.set(key, state[key].join(","));
  const query = given.toString().replaceAll("%2C", ",");
  return query ? `/?${query}` : "/";
};

/** The folder and dates of a state, to be kept on the way to another. */
export const filters = (state = read()) => Object.fromEntries(FILTERS.map((key) => [key, state[key]]));

/** A search with a photo of the gallery. */
export const searchWith = (id, box = []) => ({ ...filters(), view: "search", id: String(id), box });

/** Calls back with the state and whether history led here, from now on at every change. */
export const onState = (call) => heard.push(call);

const tell = (back) => heard.forEach((call) => call(read(), back));

/** Go to a state: a new step of history, or in the place of this one. */
export const go = (state, { replace = false } = {}) => {
  if (!replace) history.replaceState({ ...history.state, y: scrollY }, "");
  const depth = (history.state?.depth || 0) + (replace ? 0 : 1);
  history[replace ? "replaceState" : "pushState"]({ depth, y: replace ? scrollY : 0 }, "", address(state));
  tell(false);
};

/** One step back if that stays on this page; else what closing would show. */
export const back = (otherwise) => {
  if (history.state?.depth) history.back();
  else go(otherwise, { replace: true });
};

export const start = () => {
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => tell(true));
  // Where the page was before a reload.
  addEventListener("pagehide", () => history.replaceState({ ...history.state, y: scrollY }, ""));
  addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest?.("a[data-go]");
    if (!link) return;
    event.preventDefault();
    go(read(new URL(link.href).search));
  });
  tell(true);
};
