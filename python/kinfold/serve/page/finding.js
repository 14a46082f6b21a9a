// Answers of the server to a state's question; each is asked for once.

import * as api from "./api.js";
import { filters } from "./state.js";

export const FIRST = 20; // photos of an answer, before more are wanted
const KEPT = 30;

const answers = new Map();
const pictures = new Map(); // of photos from outside, as the browser has them

const chosenFilters = (state) => Object.fromEntries(Object.entries(filters(state)).filter(([, value]) => value));

/** What a state asks with, as the API takes it. */
export const subject = (state) => ({
  ...(state.query ? { query: state.query } : { id: Number(state.id) }),
  ...(state.box.length ? { box: state.box } : {}),
});

/** What a state asks. */
export const question = (state) => ({
  ...subject(state),
  top: Number(state.top) || FIRST,
  all: true, // those that only look alike, too
  ...chosenFilters(state),
  ...(state.like.length ? { like: state.like } : {}),
  ...(state.unlike.length ? { unlike: state.unlike } : {}),
});

const keep = (key, answer) => {
  answers.set(key, answer);
  if (answers.size > KEPT) answers.delete(answers.keys().next().value);
  return answer;
};

const keyOf = (state) => JSON.stringify(question(state));

/** The answer that is known already; undefined where none is. */
export const known = (state) => answers.get(keyOf(state));

/** The answer to a state's question. */
export const find = async (state, signal) => known(state) || keep(keyOf(state), await api.search(question(state), signal));

/** Search with a photo from outside: the state that shows its answer. */
export const findFile = async (file, given, signal) => {
  const answer = await api.searchFile(file, { top: FIRST, all: true, ...chosenFilters(given) }, signal);
  const state = { ...filters(given), view: "search", query: answer.token, box: [], like: [], unlike: [], top: "", id: "" };
  keep(keyOf(state), answer);
  pictures.set(answer.token, URL.createObjectURL(file));
  if (pictures.size > KEPT) {
    const [oldest, address] = pictures.entries().next().value;
    URL.revokeObjectURL(address);
    pictures.delete(oldest);
  }
  return state;
};

/** Where the picture of a state's query is; the browser's own comes first, the server's where it can show none. */
export const pictureOf = (state, side = 1600) => {
  if (!state.query) return [api.image(state.id, side)];
  return [pictures.get(state.query), api.queryImage(state.query, side)].filter(Boolean);
};

/** After an update of the gallery no answer holds. */
export const forget = () => answers.clear();
