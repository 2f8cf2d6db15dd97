// What else is known of the selected object: attributes with their values, and a note.

import { byId, el, icon } from "../dom.js";
import { canEdit, selectedObject } from "../store.js";

/** @import { Page, State } from "../page.js" */
/** @import { AnnotatedObject } from "../wire.js" */

/** @param {Page} page */
export function detailsPanel({ store, editor }) {
  const place = byId("details");
  const note = el("textarea", { rows: "2", maxlength: "2000", placeholder: "Note", "aria-label": "Note" });
  const fields = el("div", { class: "attributes" });
  const name = el("input", { maxlength: "100", placeholder: "New attribute", "aria-label": "New attribute" });
  const add = el("form", { class: "field" }, icon("plus"), name);
  place.append(fields, add, note);

  /** @type {string | null} */
  let shownOf = null; // id of the object whose fields are there

  const save = () => editor.setDetails({ attributes: valuesIn(fields) });
  note.addEventListener("change", () => editor.setDetails({ note: note.value.trim() }));
  add.addEventListener("submit", (event) => {
    event.preventDefault();
    const object = selectedObject(store.state);
    const wanted = name.value.trim();
    if (!object || !wanted) return;
    name.value = "";
    const known = [...asked(object, store.state).keys()];
    if (!known.includes(wanted)) fields.append(field(wanted, "", [], save, false));
    [...fields.querySelectorAll("input")].find((input) => input.dataset.name === wanted)?.focus();
  });

  store.watch(["document", "selected", "chosen", "project", "connection"], (state) => {
    const object = selectedObject(state);
    place.hidden = !object || state.chosen.length > 0;
    if (!object) return;
    const locked = object.locked || !canEdit(state);
    const shown = [...asked(object, state)].map(([key, values]) =>
      field(key, object.attributes[key] ?? "", values, save, locked),
    );
    const typing = shownOf === object.id && fields.contains(document.activeElement);
    if (!typing) fields.replaceChildren(...shown);
    shownOf = object.id;
    if (document.activeElement !== note) note.value = object.note;
    note.disabled = name.disabled = locked;
  });
}

/**
 * The attributes that the object has or its label asks for, with the values that are offered.
 *
 * @param {AnnotatedObject} object
 * @param {State} state
 * @returns {Map<string, string[]>}
 */
function asked(object, { project }) {
  const names = new Map(Object.entries(project?.attributes[object.label] ?? {}));
  for (const name of Object.keys(object.attributes)) if (!names.has(name)) names.set(name, []);
  return names;
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string[]} values
 * @param {() => void} save
 * @param {boolean} disabled
 */
function field(name, value, values, save, disabled) {
  const options = `values-${name}`;
  const input = el("input", { value, maxlength: "200", list: options, placeholder: "–", disabled, dataset: { name } });
  input.addEventListener("change", save);
  const offered = el("datalist", { id: options }, ...values.map((text) => el("option", { value: text })));
  return el("label", { class: "field" }, el("span", { text: name }), input, offered);
}

/**
 * The attributes with what is typed for them; those without a value aren't the object's.
 *
 * @param {HTMLElement} fields
 */
function valuesIn(fields) {
  const given = [...fields.querySelectorAll("input")].map((input) => [input.dataset.name, input.value.trim()]);
  return Object.fromEntries(given.filter(([, value]) => value));
}
