// Below the button that accepts: what is saved, and what accepting means.

import { byId } from "../dom.js";

/** @import { Page, State } from "../page.js" */

/** @param {Page} page */
export function savedPanel({ store }) {
  store.watch(["unsaved", "connection", "document", "project"], (state) => {
    byId("saved").textContent = sentence(state);
  });
}

/** @param {State} state */
function sentence({ unsaved, connection, document, project }) {
  if (!document || project?.read_only || document.read_only) return "";
  if (connection !== "ok") return unsaved ? `${unsaved} not saved yet: the server doesn't answer.` : "";
  if (unsaved) return "Saving …";
  if (document.state === "done") return "Saved, and done. A change takes it back into work.";
  return "Every change is saved. Accept marks the image as done.";
}
