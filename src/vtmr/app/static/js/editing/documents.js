// The open image's document: opened, and taken over whole from each answer of the server.

import { ApiError, wordsOf } from "../api.js";
import { areLayers, hasPixels } from "../masks.js";
import { CLOSED } from "../store.js";

/** @import { Api, Images, Mask, Refused, Selection, State, Store } from "../page.js" */
/** @import { ImageDocument, WireMasks } from "../wire.js" */

/** @typedef {{ images: Images, selection: Selection, refused: Refused, settled: () => Promise<void> }} Parts */

/**
 * `settled` is a promise that no change waits any more.
 *
 * @param {Store} store
 * @param {Api} api
 * @param {Parts} parts
 */
export function createDocuments(store, api, { images, selection, refused, settled }) {
  let opened = 0; // counts openings, so that a late answer of an earlier one is dropped

  /** @param {string} id */
  async function open(id) {
    const turn = (opened += 1);
    await settled();
    if (turn !== opened || !store.state.images.some((image) => image.id === id)) return;
    selection.select(null);
    selection.trail.clear();
    store.update({ ...CLOSED, imageId: id, opening: true });
    try {
      const { document, masks } = await api.open(id);
      if (turn === opened) adopt(document, masks, { opening: false });
    } catch (error) {
      if (turn !== opened) return;
      store.update({ opening: false, openError: wordsOf(error) });
      if (error instanceof ApiError && error.code === "unreadable") images.note(id, { error: error.message });
      else refused(error);
    }
  }

  /** Opens the image that couldn't be opened while the server was away. */
  function reopen() {
    const { imageId, document } = store.state;
    if (imageId && !document) void open(imageId);
  }

  /**
   * Takes over a whole document; masks of objects that are gone go too.
   *
   * @param {ImageDocument} document
   * @param {WireMasks} masks
   * @param {Partial<State>} [more]
   */
  function adopt(document, masks, more = {}) {
    /** @type {State["masks"]} */
    const kept = {};
    for (const object of document.objects) {
      const mask = masks[object.id] ?? store.state.masks[object.id] ?? null;
      kept[object.id] = hasPixels(mask) ? mask : null;
    }
    noteLabels(document);
    const opens = store.state.document?.image !== document.image;
    /** @param {string | null} object */
    const has = (object) => document.objects.some(({ id }) => id === object);
    if (selection.draft.id && !has(selection.draft.id)) selection.forget();
    const { selected } = store.state;
    const stillThere = has(selected) ? selected : null;
    if (selected && !stillThere) selection.forget(); // nor does the next click go to the one before it
    store.update({
      document,
      masks: kept,
      preview: null,
      either: null,
      selected: stillThere,
      selectedClick: null,
      ...more,
    });
    if (opens) store.update({ layers: areLayers(document, kept) });
    const labels = [...new Set(document.objects.map((object) => object.label))];
    images.note(document.image, { state: document.state, objects: document.objects.length, labels });
  }

  /** The open image as the server has it now, after something else than a change of this page. */
  async function reload() {
    await settled();
    const { imageId } = store.state;
    if (!imageId || !store.state.document) return;
    try {
      const { document, masks } = await api.open(imageId);
      const known = store.state.document;
      if (known?.image === imageId && known.revision <= document.revision) adopt(document, masks);
    } catch (error) {
      refused(error);
    }
  }

  /**
   * Labels that the document brings up are the project's from now on.
   *
   * @param {ImageDocument} document
   */
  function noteLabels(document) {
    const { project } = store.state;
    const labels = new Set([...(project?.labels ?? []), ...document.objects.map((object) => object.label)]);
    labels.delete("");
    if (project && labels.size > project.labels.length) store.update({ project: { ...project, labels: [...labels] } });
  }

  /**
   * The project's labels, of which one may be gone: it came with an object that was undone.
   *
   * @param {string[]} labels
   */
  function takeLabels(labels) {
    const { project } = store.state;
    if (project && project.labels.join("\n") !== labels.join("\n")) store.update({ project: { ...project, labels } });
  }

  return { open, reopen, reload, adopt, takeLabels };
}
