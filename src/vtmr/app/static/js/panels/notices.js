// What is shown instead of a blank: empty folder, unreadable image, read-only, conflict, a server that is away.

import { byId, el, icon } from "../dom.js";

/** @import { Editor, Page, State, Store } from "../page.js" */

const TOAST_MS = 6000;

/** @param {Page} page */
export function notices({ store, editor }) {
  const [inPlace, above] = [byId("notices"), byId("banner")];
  /** @type {(keyof State)[]} */
  const keys = [
    "project",
    "images",
    "document",
    "opening",
    "openError",
    "connection",
    "conflict",
    "imageId",
    "noticed",
  ];
  store.watch(keys, (state) => {
    inPlace.replaceChildren(...[full(state)].filter((one) => one !== null));
    above.replaceChildren(...[banner(state, editor) ?? told(state, store)].filter((one) => one !== null));
  });

  let timer = 0;
  store.watch(["toast"], ({ toast }) => {
    clearTimeout(timer);
    byId("toasts").replaceChildren(...(toast ? [el("p", { class: `toast ${toast.kind}`, text: toast.text })] : []));
    if (toast) timer = setTimeout(() => store.update({ toast: null }), TOAST_MS);
  });
}

/**
 * In the middle of the stage, when there is no image to show.
 *
 * @param {State} state
 */
function full({ project, images, document, opening, openError, connection, imageId }) {
  if (connection === "closed") {
    return notice(
      "lock",
      "This address is no longer valid",
      "The server was started with another token. Open the address that it printed; all accepted work is saved.",
    );
  }
  if (document) return null;
  if (openError) return notice("warn", "This image can't be shown", openError, "The other images are not affected.");
  if (connection === "lost") return null;
  if (!project) return notice(null, "Opening the folder …");
  if (!images.length) {
    return notice(
      "images",
      "No images here yet",
      `Put images (JPEG, PNG, TIFF, WebP …) into the folder “${project.name}” and start vtmr annotate again.`,
      ...project.notices,
    );
  }
  return opening || imageId ? notice(null, "", "Opening …") : null;
}

/**
 * @param {string | null} picture
 * @param {string} title
 * @param {...string} details
 */
function notice(picture, title, ...details) {
  return el(
    "div",
    { class: "notice", role: "status" },
    picture ? icon(picture) : null,
    title ? el("h2", { text: title }) : null,
    ...details.map((text) => el("p", { class: "detail", text })),
  );
}

/**
 * Above the image, of which it covers nothing: things that need attention while it stays visible.
 *
 * @param {State} state
 * @param {Editor} editor
 */
function banner({ project, document, connection, conflict }, editor) {
  if (connection === "lost") return strip("bad", "The server doesn't answer. Trying again; your work is kept.");
  if (conflict) {
    return strip(
      "bad",
      `This image was changed elsewhere. Its newest state is shown; your last step (${conflict.name}) was not applied.`,
      el("button", { text: "Apply my step", onclick: () => editor.dismissConflict(true) }),
      el("button", { class: "primary", text: "OK", onclick: () => editor.dismissConflict(false) }),
    );
  }
  if (project?.read_only) return strip("quiet", project.read_only);
  if (document?.read_only) return strip("quiet", document.read_only);
  if (document?.mask_beside) {
    return strip(
      "",
      `Masks lie beside this image: ${document.mask_beside}`,
      el("button", { class: "primary", text: "Import", onclick: () => editor.importBeside() }),
    );
  }
  return null;
}

/**
 * What was found damaged or happened to the folder, until it is put away; something new comes back.
 *
 * @param {State} state
 * @param {Store} store
 */
function told({ project, images, noticed, connection }, store) {
  const text = (project?.notices ?? []).join(" ");
  if (!text || text === noticed || !images.length || connection !== "ok") return null;
  return strip("quiet", text, el("button", { text: "OK", onclick: () => store.update({ noticed: text }) }));
}

/**
 * @param {"" | "quiet" | "bad"} kind
 * @param {string} text
 * @param {...HTMLElement} buttons
 */
function strip(kind, text, ...buttons) {
  const urgent = kind === "bad";
  return el(
    "div",
    { class: `banner ${kind}`, role: urgent ? "alert" : "note" },
    urgent ? icon("warn") : null,
    el("span", { text }),
    ...buttons,
  );
}
