// The shortcut sheet, the export menu, and what an export has to say.

import { byId, el } from "../dom.js";
import { dialog, show } from "./sheet.js";

const FORMATS = {
  coco: ["COCO JSON", "Masks as run lengths, exact"],
  "coco-polygons": ["COCO JSON, polygons", "For programs that read no run lengths"],
  png: ["PNG per object", "Black and white, exact"],
  "indexed-png": ["Indexed PNG", "One picture, a number per object"],
  yolo: ["YOLO polygons", "A line per object: holes are lost"],
  labelme: ["LabelMe JSON", "With masks, exact"],
};

export function createDialogs() {
  return {
    /** Set by `bindSheet`, once the commands exist that the sheet lists. */
    help() {},
    /** Set by `bindManager`. */
    labels() {},
    search() {
      const drawer = byId("drawer");
      if (drawer.checkVisibility() && drawer.ariaExpanded !== "true") drawer.click();
      byId("search").focus();
    },
  };
}

export function bindSheet(dialogs, commands, again) {
  const sheet = drawSheet(commands);
  const lesson = el("button", { text: "Show the first minute again" });
  lesson.addEventListener("click", () => {
    sheet.close();
    again();
  });
  sheet.querySelector("header h2").after(lesson);
  dialogs.help = () => show(sheet);
}

function drawSheet(commands) {
  const groups = Map.groupBy(
    commands.filter((command) => command.name),
    (command) => command.group,
  );
  const sections = [...groups].map(([group, members]) =>
    el(
      "section",
      {},
      el("h3", { text: group }),
      ...members.map((command) => el("div", { class: "keys" }, el("span", { text: command.name }), keys(command))),
    ),
  );
  return dialog("Shortcuts", "", el("div", { class: "columns" }, ...sections));
}

function keys({ key, held = [], shown }) {
  const names = { control: "Ctrl", shift: "Shift", alt: "Alt" };
  const parts = shown ?? [[...held.map((name) => names[name]), key.length === 1 ? key.toUpperCase() : key].join(" + ")];
  return el("span", {}, ...parts.flatMap((part, i) => [i ? " " : null, el("kbd", { text: part })]));
}

export function exportMenu({ store, editor, api }) {
  const menu = byId("export-menu");
  const onlyDone = el("input", { type: "checkbox", id: "only-done" });
  const file = el("input", { type: "file", accept: ".json,application/json", hidden: true });
  file.addEventListener("change", () => importFile({ store, editor, api }, file));
  store.watch(["project"], ({ project }) => {
    const formats = (project?.formats ?? []).filter((format) => FORMATS[format]);
    menu.replaceChildren(
      el("label", { class: "note between" }, el("span", { text: "Accepted images only" }), onlyDone),
      ...formats.map((format) =>
        choice(...FORMATS[format], format, () => save({ editor, api }, format, onlyDone.checked)),
      ),
      ...(project && !project.read_only
        ? [
            el("hr"),
            choice("Import COCO JSON …", "Adds objects to the images it names", "import", () => file.click()),
            file,
          ]
        : []),
    );
  });
}

function choice(title, about, name, run) {
  const chosen = () => {
    byId("export-menu").hidePopover();
    run();
  };
  return el(
    "button",
    { dataset: { format: name }, onclick: chosen },
    el("span", { text: title }),
    el("small", { text: about }),
  );
}

async function save({ editor, api }, format, onlyDone) {
  try {
    await editor.idle();
    const { url, name, warnings } = await api.exportAs(format, onlyDone);
    const link = el("a", { href: api.fileUrl(url), download: name });
    link.click();
    if (warnings.length) tell("Exported, with losses", warnings);
    else editor.say(`Exported ${name}.`);
  } catch (error) {
    editor.refused(error);
  }
}

async function importFile({ store, editor, api }, input) {
  const [file] = input.files;
  input.value = "";
  if (!file) return;
  try {
    const answer = await importOnce(api, file);
    if (!answer) return;
    const { imported, skipped } = answer;
    const { imageId } = store.state;
    editor.refresh();
    if (imageId) await editor.open(imageId);
    const total = Object.values(imported).reduce((sum, count) => sum + count, 0);
    if (skipped.length) tell(`Imported ${total}, skipped some`, skipped);
    else editor.say(`Imported ${total} objects into ${Object.keys(imported).length} images.`);
  } catch (error) {
    editor.refused(error);
  }
}

/** The server's answer; null when objects are there already and the user lets it be. */
async function importOnce(api, file) {
  try {
    return await api.importCoco(file);
  } catch (error) {
    if (error.code !== "already_imported") throw error;
    const repeated = await askAboutRepeats(error);
    return repeated ? api.importCoco(file, repeated) : null;
  }
}

function askAboutRepeats({ message, body }) {
  return new Promise((resolve) => {
    const box = dialog("Imported before?", "slim", el("p", { text: message }));
    const answer = (value) => () => {
      resolve(value);
      box.close();
    };
    const fresh = body.new ? [el("button", { text: `Add the ${body.new} others`, onclick: answer("skip") })] : [];
    box.lastChild.append(
      el(
        "div",
        { class: "between" },
        ...fresh,
        el("button", { text: "Add all again", onclick: answer("add") }),
        el("button", { text: "Leave it", onclick: answer(null) }),
      ),
    );
    box.addEventListener("close", () => resolve(null));
    show(box);
  });
}

function tell(title, sentences) {
  const box = dialog(title, "slim", el("ul", { class: "warnings" }, ...sentences.map((text) => el("li", { text }))));
  show(box);
}
