// The import dialog: other programs' files are looked at first, and come onto the images when the user says so.

import { ApiError, wordsOf } from "../api.js";
import { el } from "../dom.js";
import { zipOf } from "../zip.js";
import { dialog, show, tell } from "./sheet.js";

/** @import { Api, Page } from "../page.js" */
/** @import { Look, Project, Wish } from "../wire.js" */

const WANTED = /\.(json|xml|txt|ya?ml|names|png|bmp|tiff?|gif|webp|zip)$/i;
const MOST_BYTES = 256 * 2 ** 20;
const PICTURES = 12;
const BY_PATTERN = ["auto", "png", "indexed-png"];
const PATTERN = "{name}.mask.png";

/** @typedef {ReturnType<typeof drawParts>} Parts */
/**
 * Beside the images, or chosen.
 *
 * @typedef {{ folder: true } | { folder?: undefined, files: File[], left: number }} Source
 */

/**
 * One opened dialog. turn: counts questions, so that an older one's answer is dropped.
 *
 * @typedef {Pick<Page, "store" | "editor" | "api"> & {
 *   project: Project, box: HTMLDialogElement, parts: Parts, source: Source | null, look: Look | null, turn: number,
 * }} Session
 */

/**
 * Opens the dialog. Nothing changes before its button "Import" is pressed.
 *
 * @param {Pick<Page, "store" | "editor" | "api">} page
 */
export function openImport({ store, editor, api }) {
  const { project } = store.state;
  if (!project) return;
  const parts = drawParts(project);
  const box = dialog("Import", "import", parts.from, parts.how, parts.result, parts.actions);
  /** @type {Session} */
  const session = { store, editor, api, project, box, parts, source: null, look: null, turn: 0 };
  parts.beside.addEventListener("click", () => choose(session, parts.beside, { folder: true }));
  parts.files.addEventListener("change", () => take(session, parts.filesButton, parts.files));
  parts.folder.addEventListener("change", () => take(session, parts.folderButton, parts.folder));
  parts.filesButton.addEventListener("click", () => parts.files.click());
  parts.folderButton.addEventListener("click", () => parts.folder.click());
  parts.format.addEventListener("change", () => {
    showPattern(parts);
    void look(session);
  });
  parts.pattern.addEventListener("change", () => look(session));
  parts.run.addEventListener("click", () => make(session));
  parts.cancel.addEventListener("click", () => box.close());
  box.addEventListener("close", () => (session.turn += 1));
  show(box);
}

/** @param {Project} project */
function drawParts(project) {
  const about = project.about_formats;
  /**
   * @param {string} value
   * @param {string} text
   */
  const option = (value, text) => el("option", { value, text });
  const formats = project.import_formats.map((name) => option(name, about[name].title));
  const format = el("select", { id: "import-format" }, option("auto", "Found out by itself"), ...formats);
  const pattern = el("input", {
    id: "import-pattern",
    placeholder: PATTERN,
    maxlength: 200,
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "import-pattern-help",
  });
  const files = el("input", { type: "file", multiple: true, hidden: true, id: "import-files" });
  const folder = el("input", { type: "file", webkitdirectory: true, hidden: true, id: "import-folder" });
  const beside = sourceButton("In this folder", "Beside the images: masks, LabelMe, labels …");
  const filesButton = sourceButton("Files …", "One or more, or a ZIP");
  const folderButton = sourceButton("A folder …", "With everything below it");
  const patternRow = el(
    "label",
    { class: "setting" },
    el("span", { text: "Mask files are called" }),
    pattern,
    el("small", {
      id: "import-pattern-help",
      text: "{name} is the image's, {label} the object's, {number} digits, * anything: {name}_mask.png",
    }),
  );
  const run = el("button", { class: "primary", text: "Import", disabled: true, id: "import-run" });
  const cancel = el("button", { text: "Cancel" });
  return {
    ...{ format, pattern, patternRow, files, folder, beside, filesButton, folderButton, run, cancel },
    from: el(
      "div",
      { class: "sources", role: "group", "aria-label": "From where" },
      beside,
      filesButton,
      folderButton,
      files,
      folder,
    ),
    how: el(
      "div",
      { class: "settings" },
      el("label", { class: "setting" }, el("span", { text: "Format" }), format),
      patternRow,
    ),
    result: el("div", { class: "result", "aria-live": "polite", id: "import-result" }),
    actions: el("div", { class: "choices" }, cancel, run),
  };
}

/**
 * @param {string} title
 * @param {string} about
 */
function sourceButton(title, about) {
  return el("button", { "aria-pressed": "false" }, el("span", { text: title }), el("small", { text: about }));
}

/** @param {Parts} parts */
function showPattern({ format, patternRow }) {
  patternRow.hidden = !BY_PATTERN.includes(format.value);
}

/**
 * @param {Session} session
 * @param {HTMLElement} button
 * @param {HTMLInputElement} input
 */
function take(session, button, input) {
  const files = [...(input.files ?? [])];
  const chosen = files.filter((file) => WANTED.test(file.name));
  const left = files.length - chosen.length;
  input.value = "";
  if (chosen.length) choose(session, button, { files: chosen, left });
  else if (left) say(session, "None of these files is of a kind that annotations come in.");
}

/**
 * @param {Session} session
 * @param {HTMLElement} button
 * @param {Source} source
 */
function choose(session, button, source) {
  const { beside, filesButton, folderButton } = session.parts;
  for (const one of [beside, filesButton, folderButton]) one.setAttribute("aria-pressed", String(one === button));
  session.source = source;
  void look(session);
}

/**
 * Asks what the files would bring, and shows it; a newer question overtakes an older one.
 *
 * @param {Session} session
 */
async function look(session) {
  const { source, parts, api } = session;
  if (!source) return;
  const turn = ++session.turn;
  session.look = null;
  parts.run.disabled = true;
  say(session, "Looking at the files …");
  try {
    const wish = wishOf(parts);
    const answer = source.folder ? await api.lookInFolder(wish) : await api.lookAt(await sent(source.files), wish);
    if (turn !== session.turn) return;
    session.look = answer;
    showLook(session);
  } catch (error) {
    if (turn === session.turn) showRefusal(session, error);
  }
}

/**
 * @param {Parts} parts
 * @returns {Wish}
 */
function wishOf({ format, pattern, patternRow }) {
  const written = patternRow.hidden ? "" : pattern.value.trim();
  return { format: format.value, ...(written ? { pattern: written } : {}) };
}

/**
 * The files as one ZIP. A ZIP that the user chose goes as it is.
 *
 * @param {File[]} files
 * @returns {Blob | Promise<Blob>}
 */
function sent(files) {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > MOST_BYTES) {
    const megabytes = Math.round(size / 2 ** 20);
    throw new Error(`These are ${megabytes} MB: the page takes 256. vtmr import-annotations takes any size.`);
  }
  if (files.length === 1 && /\.zip$/i.test(files[0].name)) return files[0];
  return zipOf(files.map((file) => ({ name: file.webkitRelativePath || file.name, file })));
}

/**
 * @param {Session} session
 * @param {string} text
 */
function say({ parts }, text) {
  parts.result.replaceChildren(el("p", { class: "note", text }));
}

/**
 * Several formats become buttons, anything else is told.
 *
 * @param {Session} session
 * @param {unknown} error
 */
function showRefusal(session, error) {
  const { parts } = session;
  /** @type {string[]} */
  const formats = error instanceof ApiError && error.code === "several_formats" ? error.body.formats : [];
  const about = session.project.about_formats;
  const buttons = formats.map((name) => {
    const chosen = () => {
      parts.format.value = name;
      showPattern(parts);
      void look(session);
    };
    return el("button", { text: about[name].title, dataset: { format: name }, onclick: chosen });
  });
  parts.result.replaceChildren(
    el("p", { class: "warn", text: wordsOf(error) }),
    el("div", { class: "choices" }, ...buttons),
  );
}

/** @param {Session} session */
function showLook(session) {
  const { parts, look: found, project, source } = session;
  if (!found) return;
  const title = project.about_formats[found.format].title;
  const images = plural(found.image_count, "image");
  const sum = `${title}: ${plural(found.objects, "object")} for ${images}.`;
  const left =
    source && !source.folder && source.left ? [`${plural(source.left, "file")} of other kinds were left out.`] : [];
  const labels = Object.entries(found.labels).map(([name, count]) => el("li", { text: `${name}: ${count}` }));
  parts.result.replaceChildren(
    ...[
      el("p", { class: "sum", text: sum }),
      labels.length ? el("ul", { class: "chips counts", "aria-label": "Labels" }, ...labels) : null,
      found.repeated ? repeatChoice(found) : null,
      pictures(session.api, found),
      [...found.skipped, ...left].length ? skippedList([...found.skipped, ...left]) : null,
    ].filter((part) => part !== null),
  );
  parts.run.disabled = !found.objects;
  parts.run.textContent = found.objects ? `Import ${plural(found.objects, "object")}` : "Import";
}

/**
 * @param {number} count
 * @param {string} what
 */
function plural(count, what) {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

/** @param {Look} found */
function repeatChoice({ repeated }) {
  /**
   * @param {string} value
   * @param {string} text
   * @param {boolean} checked
   */
  const radio = (value, text, checked) =>
    el("label", {}, el("input", { type: "radio", name: "repeated", value, checked }), el("span", { text }));
  return el(
    "div",
    { class: "repeats", role: "radiogroup", "aria-label": "Objects that are there already" },
    el("p", { class: "warn", text: `${plural(repeated, "object")} of these are on their images already.` }),
    radio("skip", "Leave those out", true),
    radio("add", "Add all again", false),
  );
}

/**
 * The first images, with what would come drawn on them.
 *
 * @param {Api} api
 * @param {Look} found
 */
function pictures(api, found) {
  /** @type {HTMLElement[]} */
  const shown = found.images
    .slice(0, PICTURES)
    .map(({ id, name, objects }) =>
      el(
        "figure",
        {},
        el("img", { src: api.lookPictureUrl(found.id, id), alt: "", loading: "lazy" }),
        el("figcaption", { title: name, text: `${name} · ${objects}` }),
      ),
    );
  const more = found.image_count - shown.length;
  if (more > 0) shown.push(el("p", { class: "note", text: `and ${plural(more, "more image")}` }));
  return el("div", { class: "previews" }, ...shown);
}

/** @param {string[]} sentences */
function skippedList(sentences) {
  return el(
    "details",
    {},
    el("summary", { text: `What doesn't come, and why (${sentences.length})` }),
    el("ul", { class: "warnings" }, ...sentences.map((text) => el("li", { text }))),
  );
}

/** @param {Session} session */
async function make(session) {
  const { api, editor, store, box, parts, look: found } = session;
  if (!found) return;
  const chosen = parts.result.querySelector("input[name=repeated]:checked");
  parts.run.disabled = true;
  try {
    await editor.idle();
    const { imported, skipped } = await api.makeImport(
      found.id,
      chosen instanceof HTMLInputElement ? chosen.value : "skip",
    );
    box.close();
    const { imageId } = store.state;
    editor.refresh();
    if (imageId && imageId in imported) await editor.open(imageId);
    const total = Object.values(imported).reduce((sum, count) => sum + count, 0);
    const came = `Imported ${plural(total, "object")} into ${plural(Object.keys(imported).length, "image")}`;
    if (skipped.length) tell(`${came}, skipped some`, skipped);
    else editor.say(`${came}. Undo takes an image's back.`);
  } catch (error) {
    showRefusal(session, error);
  }
}
