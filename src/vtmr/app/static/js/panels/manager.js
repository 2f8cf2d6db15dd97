// The manager of labels: add, rename everywhere, recolour, reorder, delete, import, export.

import { wordsOf } from "../api.js";
import { el, icon, inside } from "../dom.js";
import { labelColour } from "../palette.js";
import { counted } from "./images.js";
import { dialog, show } from "./sheet.js";

/** @import { Editor, Page, Store } from "../page.js" */
/** @import { Choices, Fields, Label } from "../wire.js" */

/** @typedef {(fields: Fields, done?: string) => Promise<boolean>} MakeChange Answers whether it was made. */
/**
 * What a row is drawn with.
 *
 * @typedef {(label: Label) => void} AskFate
 * @typedef {{ labels: Label[], store: Store, editable: boolean, change: MakeChange, askFate: AskFate }} Rows
 */

/** @param {Page} page */
export function bindManager({ store, editor, dialogs }) {
  dialogs.labels = () => openManager(store, editor);
}

/**
 * @param {Store} store
 * @param {Editor} editor
 */
async function openManager(store, editor) {
  const list = el("ul", { class: "label-rows" });
  const said = el("p", { class: "said", role: "status" });
  const editable = !store.state.project?.read_only;
  /** @type {Label[]} */
  let labels = [];
  let dying = ""; // the label whose objects' fate is being asked

  /** @param {Label[]} found */
  function draw(found) {
    labels = found;
    const rows = labels.map((label, place) => drawRow(label, place, { labels, store, editable, change, askFate }));
    const none = el("li", { class: "none", text: "No labels yet." });
    list.replaceChildren(...(rows.length ? rows : [none]));
    // The answer to an earlier change may come in between: what is being asked stays on the screen.
    const asked = labels.findIndex(({ name }) => name === dying);
    if (asked >= 0) rows[asked].append(fateOf(labels[asked], labels, change, keep));
  }

  /**
   * Makes a change and shows the labels after it; whether it was made.
   *
   * @param {Fields} fields
   */
  async function change(fields, done = "") {
    said.textContent = "Saving …";
    try {
      const answer = await editor.changeLabels(fields);
      said.textContent = [done, changedText(answer.changed), ...answer.skipped].filter(Boolean).join(" ");
      draw(answer.labels);
      return true;
    } catch (error) {
      said.textContent = wordsOf(error);
      draw(labels);
      return false;
    }
  }

  /** @param {Label} label */
  function askFate(label) {
    dying = label.name;
    draw(labels);
    inside(list, ".fate select, .fate button").focus();
  }

  function keep() {
    dying = "";
    draw(labels);
  }

  const add = editable ? [addForm(change)] : [];
  const box = dialog(
    "Labels",
    "labels",
    list,
    ...add,
    said,
    foot(change, editable, () => labels),
  );
  show(box);
  try {
    draw((await editor.labels()).labels);
  } catch (error) {
    said.textContent = wordsOf(error);
  }
}

/** @param {{ images: number, objects: number }} changed */
function changedText({ images, objects }) {
  return objects ? `${counted(objects, "object")} on ${counted(images, "image")} changed.` : "";
}

/**
 * @param {Label} label
 * @param {number} place
 * @param {Rows} rows
 */
function drawRow(label, place, { labels, store, editable, change, askFate }) {
  const { name } = label;
  const colour = field("color", labelColour(name, store.state.project), `Colour of ${name}`, editable);
  colour.addEventListener("change", () => change({ op: "change", label: name, colour: colour.value }));
  const text = field("text", name, `Name of ${name}`, editable);
  text.maxLength = 100;
  text.addEventListener("change", () => rename(name, text.value.trim(), change));
  const asked = field("text", attributesText(label.attributes), `Attributes of ${name}`, editable);
  asked.placeholder = "Attributes, as size: small, large; wet: yes, no";
  asked.addEventListener("change", () =>
    change({ op: "change", label: name, attributes: readAttributes(asked.value) }),
  );
  /** @param {number} by */
  const move = (by) => () => change({ op: "order", labels: moved(labels, place, by) });
  const item = el("li", { dataset: { label: name } });
  const remove = () => (label.objects ? askFate(label) : change({ op: "delete", label: name }));
  item.append(
    colour,
    text,
    el("span", { class: "about", text: label.objects ? counted(label.objects, "object") : "not used" }),
    button("up", `Move ${name} up`, !editable || place === 0, move(-1)),
    button("down", `Move ${name} down`, !editable || place === labels.length - 1, move(1)),
    button("bin", `Delete ${name}`, !editable, remove),
    asked,
  );
  return item;
}

/**
 * @param {string} name
 * @param {string} to
 * @param {MakeChange} change
 */
function rename(name, to, change) {
  if (to && to !== name) void change({ op: "rename", label: name, to });
}

/**
 * @param {Label[]} labels
 * @param {number} place
 * @param {number} by
 */
function moved(labels, place, by) {
  const names = labels.map(({ name }) => name);
  names.splice(place + by, 0, names.splice(place, 1)[0]);
  return names;
}

/**
 * What is to become of the objects of a label that is deleted.
 *
 * @param {Label} label
 * @param {Label[]} labels
 * @param {MakeChange} change
 * @param {() => void} keep
 */
function fateOf(label, labels, change, keep) {
  const others = labels.filter(({ name }) => name !== label.name);
  const select = el(
    "select",
    { "aria-label": "Label for its objects" },
    ...others.map(({ name }) => el("option", { value: name, text: name })),
  );
  /** @param {Fields} objects */
  const remove = (objects) => () => change({ op: "delete", label: label.name, objects });
  const give = el("button", { text: "Give them this label", onclick: () => remove({ label: select.value })() });
  return el(
    "div",
    { class: "fate" },
    el("p", { text: `${counted(label.objects, "object")} on ${counted(label.images, "image")} have this label.` }),
    ...(others.length ? [select, give] : []),
    el("button", { text: "Delete them too", onclick: remove({ delete: true }) }),
    el("button", { class: "bare", text: "Keep the label", onclick: keep }),
  );
}

/** @param {MakeChange} change */
function addForm(change) {
  const input = el("input", {
    maxlength: "100",
    placeholder: "New label",
    "aria-label": "New label",
    autocomplete: "off",
  });
  const form = el("form", { class: "field" }, icon("plus"), input);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const label = input.value.trim();
    if (label && (await change({ op: "add", label }))) input.value = "";
    input.focus();
  });
  return form;
}

/**
 * @param {MakeChange} change
 * @param {boolean} editable
 * @param {() => Label[]} labels
 */
function foot(change, editable, labels) {
  const file = el("input", { type: "file", accept: ".json,application/json", hidden: true });
  file.addEventListener("change", () => importFile(file, change));
  const load = el("button", { text: "Import JSON …", disabled: !editable, onclick: () => file.click() });
  const save = el("button", { text: "Export JSON", onclick: () => exportFile(labels()) });
  return el("div", { class: "choices" }, load, save, file);
}

/**
 * @param {HTMLInputElement} input
 * @param {MakeChange} change
 */
async function importFile(input, change) {
  const file = input.files?.[0];
  input.value = "";
  if (!file) return;
  let labels = null;
  try {
    labels = JSON.parse(await file.text());
  } catch {
    // The server says what was expected in its place.
  }
  await change({ op: "import", labels }, `Imported ${file.name}.`);
}

/** @param {Label[]} labels */
function exportFile(labels) {
  const plain = labels.map(({ name, colour, attributes }) => ({ name, colour, attributes }));
  const text = JSON.stringify({ labels: plain }, null, 1);
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  el("a", { href: url, download: "labels.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** @param {Choices} attributes */
function attributesText(attributes) {
  return Object.entries(attributes)
    .map(([name, values]) => (values.length ? `${name}: ${values.join(", ")}` : name))
    .join("; ");
}

/**
 * {size: ["small", "large"]} from "size: small, large".
 *
 * @param {string} text
 * @returns {Choices}
 */
export function readAttributes(text) {
  /** @type {Choices} */
  const attributes = {};
  for (const part of text.split(";")) {
    const [name, values = ""] = part.split(/:(.*)/s);
    const offered = values.split(",").map((value) => value.trim());
    if (name.trim()) attributes[name.trim()] = offered.filter(Boolean);
  }
  return attributes;
}

/**
 * @param {string} type
 * @param {string} value
 * @param {string} label
 * @param {boolean} editable
 */
function field(type, value, label, editable) {
  return el("input", { type, value, "aria-label": label, disabled: !editable, autocomplete: "off" });
}

/**
 * @param {string} drawing
 * @param {string} label
 * @param {boolean} disabled
 * @param {() => void} run
 */
function button(drawing, label, disabled, run) {
  return el(
    "button",
    { class: "bare small", title: label, "aria-label": label, disabled, onclick: run },
    icon(drawing),
  );
}
