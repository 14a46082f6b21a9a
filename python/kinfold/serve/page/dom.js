// Elements by name, attributes and children. Text is only ever text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

const fill = (element, attributes, children) => {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

/** An element of HTML; what is null, undefined or false among the children is left out. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An element of SVG. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

/** Told to screen readers, once what is being said has been said. */
export const say = (text) => {
  byId("said").textContent = "";
  requestAnimationFrame(() => { byId("said").textContent = text; });
};

/** A line that something went wrong, which stays until the next step; none takes it away. */
export const trouble = (text) => {
  const place = byId("trouble");
  place.hidden = !text;
  place.replaceChildren(...(text ? [h("span", {}, text), h("button", { class: "turn", type: "button", "aria-label": "Close this message", onclick: () => trouble("") }, "×")] : []));
};

/** The first call at once or after a while; calls in between are one. */
export const soon = (wait, call) => {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), wait);
  };
};

/** The card straight above or below; rows differ in height. */
const vertical = (all, from, down) => {
  const here = from.getBoundingClientRect();
  const middle = (here.left + here.right) / 2;
  let best = null;
  let least = Infinity;
  for (const one of all) {
    const box = one.getBoundingClientRect();
    const gap = down ? box.top - here.top : here.top - box.top;
    if (gap < here.height / 2) continue;
    const cost = gap * 4 + Math.abs((box.left + box.right) / 2 - middle);
    if (cost < least) [best, least] = [one, cost];
  }
  return best;
};

/** Arrow keys, Home and End move among the elements of a place that a selector names. */
export const moveByKeys = (place, selector) => {
  place.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const all = [...place.querySelectorAll(selector)].filter((one) => one.offsetParent);
    const at = all.indexOf(document.activeElement);
    if (at < 0) return;
    const targets = {
      ArrowRight: () => all[at + 1],
      ArrowLeft: () => all[at - 1],
      ArrowDown: () => vertical(all, all[at], true),
      ArrowUp: () => vertical(all, all[at], false),
      Home: () => all[0],
      End: () => all[all.length - 1],
    };
    const target = Object.hasOwn(targets, event.key) ? targets[event.key]() : null;
    if (!target) return;
    event.preventDefault();
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  });
};

/** A file that the browser saves. */
export const save = (blob, name) => {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
};
