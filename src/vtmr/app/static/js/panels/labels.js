// The label of the selected objects and of new ones: chips, and a field for a label that isn't there yet.

import { byId, el, inside, swatch } from "../dom.js";
import { labelColour, numberOf } from "../palette.js";
import { canEdit, selectedObject } from "../store.js";

/** @import { Editor, Page, State, Store } from "../page.js" */

/** @param {Page} page */
export function labelsPanel({ store, editor, dialogs }) {
  bindField(store, editor);
  byId("manage-labels").addEventListener("click", () => dialogs.labels());
  store.watch(["project", "selected", "document", "label", "connection"], (state) => {
    const labels = state.project?.labels ?? [];
    const current = selectedObject(state)?.label ?? state.label ?? labels[0];
    const shown = state.label && !labels.includes(state.label) ? [...labels, state.label] : labels;
    byId("labels").replaceChildren(...shown.map((label, i) => chip(label, i, label === current, state, editor)));
    byId("labels").hidden = !shown.length;
  });
}

/**
 * @param {string} label
 * @param {number} place
 * @param {boolean} pressed
 * @param {State} state
 * @param {Editor} editor
 */
function chip(label, place, pressed, state, editor) {
  return el(
    "button",
    {
      class: "chip",
      "aria-pressed": String(pressed),
      title: label,
      disabled: !canEdit(state),
      onclick: () => editor.setLabel(label),
    },
    swatch(labelColour(label, state.project)),
    el("span", { text: label }),
    place < 9 ? el("b", { text: String(place + 1) }) : null,
  );
}

/**
 * Typed while an object is selected a label may be meant for that one or for those to come: both are offered.
 *
 * @param {Store} store
 * @param {Editor} editor
 */
function bindField(store, editor) {
  const form = byId("new-label");
  const input = inside(form, "input", HTMLInputElement);
  const rename = el("button", { type: "submit" });
  const fresh = el("button", { type: "button", text: "New objects", onclick: () => take(editor.labelNew) });
  const choice = el("div", { class: "between", id: "label-for", hidden: true }, rename, fresh);
  form.append(choice);

  /** @param {(label: string) => void} use */
  function take(use) {
    const label = input.value.trim();
    if (!label) return;
    input.value = "";
    show();
    use(label);
    byId("stage").focus();
  }

  function show() {
    const { chosen } = store.state;
    const object = selectedObject(store.state);
    choice.hidden = !input.value.trim() || !object;
    if (!object) return;
    const which = chosen.length > 1 ? `these ${chosen.length} objects` : `object ${numberOf(object)}`;
    rename.replaceChildren(el("span", { text: `Label ${which}` }), el("kbd", { text: "↵", "aria-hidden": "true" }));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take(editor.setLabel);
  });
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    input.value = "";
    show();
    byId("stage").focus();
  });
  store.watch(["selected", "chosen", "document"], show);
  store.watch(["document", "project", "connection"], (state) => {
    input.disabled = !canEdit(state);
  });
}
