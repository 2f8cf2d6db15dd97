// The settings menu: what the page does by itself, a switch each. They are the user's, and the browser remembers them.

import { byId, el } from "../dom.js";

/** @import { Page } from "../page.js" */

/** @type {[key: "previews" | "farClicks", title: string, about: string][]} */
const SWITCHES = [
  ["previews", "Preview at rest", "Where the pointer rests, a dashed outline shows what a click would make"],
  ["farClicks", "A click far away begins a new object", "Off: every click goes to the selected object"],
];

/** @param {Page} page */
export function settings({ store }) {
  const menu = byId("settings-menu");
  for (const button of menu.querySelectorAll("[data-command]")) {
    button.addEventListener("click", () => menu.hidePopover()); // on a narrow screen it covers what they change
  }
  for (const [key, title, about] of SWITCHES) {
    const box = el("input", {
      type: "checkbox",
      role: "switch",
      dataset: { setting: key },
      onchange: () => store.update({ [key]: box.checked, preview: null }),
    });
    menu.append(el("label", { class: "switch" }, box, el("span", { text: title }), el("small", { text: about })));
    store.watch([key], (state) => (box.checked = state[key]));
  }
}
