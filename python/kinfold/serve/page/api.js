// The server's API: one function for each question. Errors are told in the server's own words.

export class ServerError extends Error {
  constructor(status, error) {
    super(error.message || `The server answered ${status}.`);
    this.status = status;
    this.code = error.code || "";
  }
}

const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); });
  });

// A busy server says when to come again; it is asked so often before that is told.
const TRIES = 4;

const ask = async (path, { signal, ...options } = {}) => {
  for (let tried = 1; ; tried++) {
    let answer;
    try {
      answer = await fetch(path, { signal, ...options });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServerError(0, { message: "The server does not answer. Is it still running?" });
    }
    if (answer.ok) return answer;
    const { error = {} } = await answer.json().catch(() => ({}));
    if (answer.status !== 429 || tried === TRIES) throw new ServerError(answer.status, error);
    await pause(Number(answer.headers.get("Retry-After")) || tried, signal);
  }
};

const json = async (path, options) => (await ask(path, options)).json();

const posted = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

const parameters = (given) => {
  const filled = Object.entries(given).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return new URLSearchParams(filled).toString();
};

export const info = () => json("/api/info");
export const progress = () => json("/api/progress");
export const groups = () => json("/api/groups");
export const places = () => json("/api/places");
export const photo = (id) => json(`/api/photos/${Number(id)}`);
export const photos = (given, signal) => json(`/api/photos?${parameters(given)}`, { signal });
export const search = (options, signal) => json("/api/search", { ...posted(options), signal });
export const explain = (options, signal) => json("/api/explain", { ...posted(options), signal });
export const locate = (options, signal) => json("/api/locate", { ...posted(options), signal });

export const searchFile = (file, options, signal) => {
  const form = new FormData();
  form.append("photo", file, file.name || "photo");
  form.append("options", JSON.stringify(options));
  return json("/api/search", { method: "POST", body: form, signal });
};

/** A download of photos as a list of paths, a table or a zip of links: a blob. */
export const exported = async (ids, as) => (await ask("/api/export", posted({ ids, as }))).blob();

export const thumbnail = (id, side = 256) => `/api/photos/${Number(id)}/thumbnail?side=${side}`;
export const image = (id, side = 1600) => `/api/photos/${Number(id)}/image?side=${side}`;
export const queryImage = (token, side = 1600) => `/api/queries/${encodeURIComponent(token)}/image?side=${side}`;

// Photos that were asked for by id, so that each is asked for once; many at a time.
const known = new Map();
const MOST = 200;

/** Photos by id, in that order; those that are gone are left out. */
export const photosByIds = async (ids) => {
  const missing = [...new Set(ids)].filter((id) => !known.has(id));
  for (let at = 0; at < missing.length; at += MOST) {
    const answer = await photos({ ids: missing.slice(at, at + MOST).join(",") });
    for (const one of answer.photos) known.set(one.id, one);
  }
  return ids.map((id) => known.get(id)).filter(Boolean);
};

/** After an update of the gallery nothing of this holds. */
export const forget = () => known.clear();
