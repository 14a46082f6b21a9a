// What the page says, in the words of the commands and reports.

const ALIKE = "only looks alike";

// Control characters, half surrogates and marks that turn the direction of writing would make a name seem another.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export const shownName = (name) => String(name).replace(UNSEEN, "\ufffd");

/** The last part of a path: what a card has room for. */
export const fileName = (name) => shownName(name).split("/").pop();

export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** A probability for eyes, which is never nothing and never all. */
const percent = (share) => (share >= 0.01 ? `${Math.min(99, Math.round(100 * share))} %` : "< 1 %");

export const showsIt = (hit) => hit.verdict !== ALIKE;

/** The verdict on a hit and how sure it is. */
export const sureness = (hit) =>
  typeof hit.confidence === "number"
    ? `${hit.verdict}, ${percent(hit.confidence)} ${showsIt(hit) ? "sure" : "likely"}`
    : hit.verdict;

/** What an answer comes to. */
export const said = (found) =>
  found ? `${count(found, "photo shows", "photos show")} the same thing.` : "No photo of the same thing was found.";

export const matching = (inliers) => (inliers ? count(inliers, "matching point") : "");

export const number = (value, digits = 3) =>
  Number.isFinite(value) ? value.toFixed(digits).replace("-", "\u2212") : "–";

/** A distance for eyes: two digits, metres or kilometres. */
export const metres = (value) => {
  if (value >= 995) return `${(value / 1000).toFixed(value < 9950 ? 1 : 0)} km`;
  return `${Number(value.toPrecision(2))} m`;
};

/** A position for eyes, to a metre. */
export const degrees = ([latitude, longitude]) =>
  `${Math.abs(latitude).toFixed(5)}° ${latitude >= 0 ? "N" : "S"}, ${Math.abs(longitude).toFixed(5)}° ${longitude >= 0 ? "E" : "W"}`;

export const day = (taken) => (taken ? taken.slice(0, 10).replaceAll(":", "-") : "");
