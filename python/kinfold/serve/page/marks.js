// Keep and reject, as this browser remembers them for a gallery. They are a list to be exported: no photo is touched.

let key = "";
let marks = new Map();

/** Marks of a gallery, by the name that the server gives it. */
export const open = (gallery) => {
  key = `kinfold marks ${gallery}`;
  try {
    marks = new Map(JSON.parse(localStorage.getItem(key) || "[]"));
  } catch {
    marks = new Map();
  }
};

const store = () => {
  try {
    localStorage.setItem(key, JSON.stringify([...marks]));
  } catch {
    // Without storage marks last as long as the page.
  }
};

export const of = (id) => marks.get(id) || "";

/** Mark a photo "keep" or "reject"; the same again takes the mark away. */
export const toggle = (id, mark) => {
  if (marks.get(id) === mark) marks.delete(id);
  else marks.set(id, mark);
  store();
};

export const set = (pairs) => {
  for (const [id, mark] of pairs) marks.set(id, mark);
  store();
};

export const clear = () => { marks.clear(); store(); };

export const ids = (mark) => [...marks].filter(([, one]) => one === mark).map(([id]) => id).sort((a, b) => a - b);

export const all = () => [...marks].sort(([a], [b]) => a - b);

/** A table with one photo a row. names : id -> path */
export const csv = (names) => {
  // A cell that begins like a formula would be run by a spreadsheet.
  const cell = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  return ["mark,id,name", ...all().map(([id, mark]) => `${mark},${id},${cell(names.get(id) || "")}`)].map((line) => `${line}\r\n`).join("");
};
