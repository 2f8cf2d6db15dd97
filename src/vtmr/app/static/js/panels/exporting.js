// The export menu, and what an export has to say.

import { byId, el } from "../dom.js";
import { openImport } from "./importing.js";
import { dialog, show, tell } from "./sheet.js";

/** @import { Page } from "../page.js" */

/** @param {Pick<Page, "store" | "editor" | "api">} page */
export function exportMenu({ store, editor, api }) {
  const menu = byId("export-menu");
  const onlyDone = el("input", { type: "checkbox", id: "only-done" });
  store.watch(["project"], ({ project }) => {
    const about = project?.about_formats ?? {};
    const formats = project?.formats ?? [];
    menu.replaceChildren(
      el("label", { class: "note between" }, el("span", { text: "Accepted images only" }), onlyDone),
      ...formats.map((format) =>
        choice(about[format].title, about[format].about, format, () => save({ editor, api }, format, onlyDone.checked)),
      ),
      ...(project && !project.read_only
        ? [
            el("hr"),
            choice("Import …", "Annotations of other programs, and mask files", "import", () =>
              openImport({ store, editor, api }),
            ),
          ]
        : []),
    );
  });
}

/**
 * @param {string} title
 * @param {string} about
 * @param {string} name
 * @param {() => void} run
 */
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

/**
 * @param {Pick<Page, "editor" | "api">} page
 * @param {string} format
 * @param {boolean} onlyDone
 */
async function save({ editor, api }, format, onlyDone) {
  try {
    await editor.idle();
    const { url, name, warnings, losses } = await api.exportAs(format, onlyDone);
    const link = el("a", { href: api.fileUrl(url), download: name });
    link.click();
    if (losses.length) tellLosses(name, losses, warnings);
    else if (warnings.length) tell("Exported, with notes", warnings);
    else editor.say(`Exported ${name}.`);
  } catch (error) {
    editor.refused(error);
  }
}

/**
 * The sums first: of a thousand images nobody reads a sentence each.
 *
 * @param {string} name
 * @param {string[]} losses
 * @param {string[]} warnings
 */
function tellLosses(name, losses, warnings) {
  const sums = el("ul", { class: "losses" }, ...losses.map((text) => el("li", { text })));
  const each = el(
    "details",
    {},
    el("summary", { text: `Image by image (${warnings.length})` }),
    el("ul", { class: "warnings" }, ...warnings.map((text) => el("li", { text }))),
  );
  const about = el("p", { text: `${name} is saved. What this format can't hold, over all images:` });
  show(dialog("Exported, with losses", "slim", about, sums, warnings.length ? each : null));
}
