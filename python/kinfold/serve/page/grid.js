// A grid over any number of photos: only those near the window exist, and only these are asked for.

import { h, soon } from "./dom.js";

const PAGE = 100; // photos that are asked for together
const PAGES = 60; // that are kept
const BEYOND = 500; // pixels above and below the window that are made beforehand
const GAP = 12;
const CAPTION = 30;

/**
 * load(offset, limit, signal) resolves to {total, photos}; cell(photo, focusable) gives what stands in an item, whose
 * first link takes the focus. ontotal is told how many there are, ontrouble what went wrong.
 */
export class Grid {
  constructor({ label, load, cell, ontotal, ontrouble }) {
    this.load = load;
    this.cell = cell;
    this.ontotal = ontotal;
    this.ontrouble = ontrouble;
    this.element = h("ul", { class: "window", "aria-label": label });
    this.pages = new Map();
    this.asked = new Map();
    this.items = new Map();
    this.total = 0;
    this.at = 0; // the item that Tab comes to
    this.wanted = -1; // the item that is to have the focus once it is there
    this.fetchSoon = soon(60, () => this.#fetch());
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", (event) => {
      const item = event.target.closest("li");
      if (item) this.#point(Number(item.dataset.at));
    });
    this.ended = new AbortController();
    addEventListener("scroll", () => this.#soon(), { passive: true, signal: this.ended.signal });
    this.resized = new ResizeObserver(() => { this.#measure(); this.render(); });
    this.resized.observe(this.element);
  }

  /** Listen no longer: another grid takes its place. */
  end() {
    for (const asked of this.asked.values()) asked.abort();
    this.ended.abort();
    this.resized.disconnect();
  }

  /** Ask anew, from the first on. */
  async reset() {
    for (const asked of this.asked.values()) asked.abort();
    this.asked.clear();
    this.pages.clear();
    for (const item of this.items.values()) this.#drop(item);
    this.items.clear();
    this.at = 0;
    this.element.setAttribute("aria-busy", "true");
    await this.#ask(0);
  }

  #measure() {
    const width = this.element.clientWidth;
    if (!width) return;
    const least = width < 520 ? 104 : 172;
    this.columns = Math.max(2, Math.floor((width + GAP) / (least + GAP)));
    this.side = (width - GAP * (this.columns - 1)) / this.columns;
    this.tall = Math.round(this.side * 0.75) + CAPTION + GAP;
    this.element.style.height = `${Math.ceil(this.total / this.columns) * this.tall}px`;
  }

  #soon() {
    if (this.ticking) return;
    this.ticking = true;
    requestAnimationFrame(() => { this.ticking = false; this.render(); });
  }

  #range() {
    const top = -this.element.getBoundingClientRect().top;
    const rows = [Math.floor((top - BEYOND) / this.tall), Math.ceil((top + innerHeight + BEYOND) / this.tall)];
    return rows.map((row) => Math.min(Math.max(row * this.columns, 0), this.total));
  }

  /** Make the items near the window, take the others away. */
  render() {
    if (!this.columns || !this.element.clientWidth) return;
    const [from, to] = this.#range();
    for (const [at, item] of this.items) {
      if ((at < from || at >= to) && !item.contains(document.activeElement)) {
        this.#drop(item);
        this.items.delete(at);
      }
    }
    for (let at = from; at < to; at++) this.#item(at);
    if (this.focusable !== this.at) this.#point(this.at);
    // What is passed over in great leaps is not asked for.
    const leap = Math.abs(scrollY - (this.passed ?? scrollY)) > innerHeight;
    this.passed = scrollY;
    if (leap) this.fetchSoon();
    else this.#fetch();
  }

  #photo(at) {
    return this.pages.get(Math.floor(at / PAGE))?.[at % PAGE];
  }

  #item(at) {
    let item = this.items.get(at);
    if (!item) {
      item = h("li", { class: "cell", data: { at }, "aria-posinset": at + 1, "aria-setsize": this.total, tabindex: "-1" });
      this.items.set(at, item);
      // In their order, which is that of Tab and of screen readers.
      let next = this.element.lastElementChild;
      while (next && Number(next.dataset.at) > at) next = next.previousElementSibling;
      if (next) next.after(item);
      else this.element.prepend(item);
    }
    const photo = this.#photo(at);
    if (photo && item.dataset.id !== String(photo.id)) {
      item.dataset.id = photo.id;
      item.replaceChildren(...this.cell(photo, at === this.at));
    }
    item.style.width = `${this.side}px`;
    item.style.height = `${this.tall - GAP}px`;
    item.style.transform = `translate(${(at % this.columns) * (this.side + GAP)}px, ${Math.floor(at / this.columns) * this.tall}px)`;
    if (photo && this.wanted === at) {
      this.wanted = -1;
      item.querySelector("a").focus({ preventScroll: true });
    }
  }

  #drop(item) {
    // A thumbnail that has not come yet need not come any more.
    item.querySelector("img")?.removeAttribute("src");
    item.remove();
  }

  #fetch() {
    const [from, to] = this.#range();
    const first = Math.floor(from / PAGE);
    const last = Math.floor(Math.max(to - 1, from) / PAGE);
    for (const [page, asked] of this.asked) {
      if (page < first || page > last) { asked.abort(); this.asked.delete(page); }
    }
    for (let page = first; page <= last; page++) {
      if (!this.pages.has(page) && !this.asked.has(page) && page * PAGE < this.total) this.#ask(page);
    }
    if (this.pages.size > PAGES) {
      const far = [...this.pages.keys()].sort((a, b) => Math.abs(b - first) - Math.abs(a - first));
      for (const page of far.slice(0, this.pages.size - PAGES)) this.pages.delete(page);
    }
  }

  async #ask(page) {
    const asked = new AbortController();
    this.asked.set(page, asked);
    try {
      const answer = await this.load(page * PAGE, PAGE, asked.signal);
      this.pages.set(page, answer.photos);
      if (this.total !== answer.total || page === 0) {
        this.total = answer.total;
        this.ontotal(answer.total);
      }
      this.#measure();
      this.render();
    } catch (error) {
      if (error.name !== "AbortError") this.ontrouble(error.message);
    } finally {
      if (this.asked.get(page) === asked) this.asked.delete(page);
      this.element.setAttribute("aria-busy", String(this.asked.size > 0));
    }
  }

  /** Tab comes to this item, and to its tick. */
  #point(at) {
    for (const one of [this.items.get(this.at), this.items.get(at)]) {
      one?.querySelectorAll("a, input").forEach((part) => part.setAttribute("tabindex", one.dataset.at === String(at) ? "0" : "-1"));
    }
    this.at = at;
    this.focusable = at;
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const item = event.target.closest("li");
    if (!item) return;
    const at = Number(item.dataset.at);
    if (event.key === " " && event.target.tagName === "A") {
      event.preventDefault();
      item.querySelector("input").click();
      return;
    }
    const rows = Math.max(1, Math.floor(innerHeight / this.tall) - 1);
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: rows * this.columns, PageUp: -rows * this.columns, Home: -at, End: this.total - 1 - at };
    if (!Object.hasOwn(steps, event.key)) return;
    event.preventDefault();
    const page = event.key.startsWith("Page");
    const next = at + steps[event.key];
    const target = page ? Math.min(Math.max(next, 0), this.total - 1) : next;
    if (target >= 0 && target < this.total && target !== at) this.focus(target);
  }

  /** Bring an item into the window and give it the focus, at the latest when its photo is known. */
  focus(at) {
    const top = this.element.getBoundingClientRect().top + Math.floor(at / this.columns) * this.tall;
    const bar = document.querySelector("header.top").offsetHeight + 8;
    if (top < bar) scrollBy(0, top - bar);
    else if (top + this.tall > innerHeight - 64) scrollBy(0, top + this.tall - innerHeight + 64);
    this.wanted = at;
    this.render();
    if (this.wanted === at) this.items.get(at)?.focus({ preventScroll: true });
  }
}
