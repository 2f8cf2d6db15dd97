// Dialogs: a title, a button that closes, a body; Escape and a press beside it close it too.

import { byId, el, icon } from "../dom.js";

/**
 * A <dialog>, which takes itself away when it is closed. kind: "" or a class of css/controls.css.
 *
 * @param {string} title
 * @param {string} kind
 * @param {...import("../dom.js").Child} body
 */
export function dialog(title, kind, ...body) {
  const box = el("dialog", { class: `sheet ${kind}`, "aria-label": title });
  const close = el(
    "button",
    { class: "bare square", "aria-label": "Close", onclick: () => box.close() },
    icon("close"),
  );
  box.append(el("header", {}, el("h2", { text: title }), close), el("div", { class: "body" }, ...body));
  box.addEventListener("click", (event) => event.target === box && box.close());
  box.addEventListener("close", () => {
    box.remove();
    byId("stage").focus();
  });
  return box;
}

/** @param {HTMLDialogElement} box */
export function show(box) {
  document.body.append(box);
  box.showModal();
}

/**
 * A dialog of sentences, one a line.
 *
 * @param {string} title
 * @param {string[]} sentences
 */
export function tell(title, sentences) {
  show(dialog(title, "slim", el("ul", { class: "warnings" }, ...sentences.map((text) => el("li", { text })))));
}
