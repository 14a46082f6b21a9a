"use strict";
(() => {
  // What lies in a folded part cannot be reached.
  const cards = () => [...document.querySelectorAll(".card")].filter((card) => card.offsetParent);
  const views = () => [...document.querySelectorAll(".view")];
  const byHash = () => {
    const place = decodeURIComponent(location.hash.slice(1));
    return views().find((view) => view.id === place) || null;
  };
  let open = null;

  // The page under an open view neither scrolls nor takes the focus; closing gives it back to the card.
  const settle = () => {
    const before = open;
    open = byHash();
    document.documentElement.classList.toggle("covered", open !== null);
    for (const part of document.querySelectorAll("body > header, body > main, body > footer")) {
      part.inert = open !== null;
    }
    if (open) {
      open.scrollTop = 0;
      open.focus({ preventScroll: true });
    } else if (before) {
      const card = document.getElementById(before.id + "-card");
      if (card) {
        const folded = card.closest("details");
        if (folded) folded.open = true;
        card.focus();
      }
    }
  };
  // A change of history alone would leave ":target", and so the view, where it is.
  const close = () => location.replace("#" + open.id + "-card");

  // The nearest card straight above or below; rows differ in height.
  const vertical = (all, from, down) => {
    const here = from.getBoundingClientRect();
    const middle = (here.left + here.right) / 2;
    let best = null;
    let least = Infinity;
    for (const card of all) {
      const box = card.getBoundingClientRect();
      const gap = down ? box.top - here.top : here.top - box.top;
      if (gap < here.height / 2) continue;
      const cost = gap * 4 + Math.abs((box.left + box.right) / 2 - middle);
      if (cost < least) [best, least] = [card, cost];
    }
    return best;
  };

  addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const key = event.key;
    if (open) {
      if (key === "Escape") {
        event.preventDefault();
        close();
      } else if (key === "ArrowLeft" || key === "ArrowRight") {
        const turn = open.querySelector(key === "ArrowLeft" ? "[rel=prev]" : "[rel=next]");
        if (turn) {
          event.preventDefault();
          location.replace(turn.getAttribute("href"));
        }
      }
      return;
    }
    const all = cards();
    const at = all.indexOf(document.activeElement);
    const targets = {
      ArrowRight: () => all[at + 1],
      ArrowLeft: () => all[Math.max(at - 1, 0)],
      ArrowDown: () => (at < 0 ? null : vertical(all, all[at], true)),
      ArrowUp: () => (at < 0 ? null : vertical(all, all[at], false)),
      Home: () => (at < 0 ? null : all[0]),
      End: () => (at < 0 ? null : all[all.length - 1]),
    };
    const target = Object.hasOwn(targets, key) ? targets[key]() : null;
    if (target) {
      event.preventDefault();
      target.focus();
      target.scrollIntoView({ block: "nearest" });
    }
  });
  // Turning pages within a view replaces the step in the history: "back" leaves the view at once.
  addEventListener("click", (event) => {
    const turn = event.target.closest && event.target.closest("a.turn");
    if (!turn || !open) return;
    event.preventDefault();
    if (turn.classList.contains("close")) close();
    else location.replace(turn.getAttribute("href"));
  });
  // What was copied, or could not be, is shown beside the button.
  addEventListener("click", async (event) => {
    const button = event.target.closest && event.target.closest("[data-copy]");
    if (!button) return;
    const label = button.textContent;
    button.parentElement.classList.add("shown");
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1500);
    } catch {
      getSelection().selectAllChildren(button.nextElementSibling);
    }
  });
  addEventListener("hashchange", settle);
  settle();
})();
