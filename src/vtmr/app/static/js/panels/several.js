// What can be done to several chosen objects at once, where there are several.

import { byId, el } from "../dom.js";
import { canEdit } from "../store.js";

/** @import { Page } from "../page.js" */

/** @param {Page} page */
export function severalPanel({ store, editor }) {
  const place = byId("several");
  const text = el("span", { id: "several-count" });
  const buttons = [
    el("button", { text: "Hide / show", onclick: () => editor.flipChosen("visible") }),
    el("button", { text: "Lock / unlock", onclick: () => editor.flipChosen("locked") }),
    el("button", { text: "Delete", onclick: () => editor.remove() }),
  ];
  const none = el("button", { class: "bare", text: "One only", onclick: () => editor.choose([]) });
  place.append(el("div", { class: "between" }, text, none), el("div", { class: "three" }, ...buttons));
  store.watch(["chosen", "document", "project", "connection"], (state) => {
    place.hidden = state.chosen.length < 2;
    text.textContent = `${state.chosen.length} chosen`;
    for (const button of buttons) button.disabled = !canEdit(state);
  });
}
