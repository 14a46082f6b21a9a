// A photo from outside: dropped, pasted or chosen.

import { byId, trouble } from "./dom.js";

const files = (transfer) => [...(transfer?.files || [])];
const carries = (event) => [...(event.dataTransfer?.types || [])].includes("Files");

/** Calls back with a file whenever somebody gives one, in whichever way. */
export const start = (call) => {
  const given = (all) => {
    // What the browser knows no type of may still be a photo: the server looks.
    const photo = all.find((file) => file.type.startsWith("image/")) || all.find((file) => !file.type);
    if (photo) call(photo);
    else trouble("That is no photo.");
  };
  const drop = byId("drop");
  let depth = 0;
  addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth++;
    drop.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!carries(event)) return;
    depth = Math.max(0, depth - 1);
    drop.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    drop.hidden = true;
    given(files(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const pasted = files(event.clipboardData);
    if (!pasted.length) return;
    event.preventDefault();
    given(pasted);
  });
  byId("file").addEventListener("change", (event) => {
    const chosen = [...event.target.files];
    event.target.value = "";
    if (chosen.length) given(chosen);
  });
};
