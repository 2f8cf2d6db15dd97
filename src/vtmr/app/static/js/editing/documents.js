// The open image's document: opened, and taken over whole from each answer of the server.

import { areLayers } from "../masks.js";

const CLOSED = {
  document: null,
  masks: {},
  openError: null,
  preview: null,
  either: null,
  intent: null,
  stroke: null,
  drawn: null,
  nudge: null,
  picking: null,
  dragged: null,
  cursor: null,
  conflict: null,
  values: null,
  window: null,
  ms: null,
};

/** `settled` is a promise that no change waits any more. */
export function createDocuments(store, api, { images, selection, refused, settled }) {
  let opened = 0; // counts openings, so that a late answer of an earlier one is dropped

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
      store.update({ opening: false, openError: error.message });
      if (error.code === "unreadable") images.note(id, { error: error.message });
      else refused(error);
    }
  }

  /** Opens the image that couldn't be opened while the server was away. */
  function reopen() {
    const { imageId, document } = store.state;
    if (imageId && !document) open(imageId);
  }

  /** Takes over a whole document; masks of objects that are gone go too. */
  function adopt(document, masks, more = {}) {
    const kept = {};
    for (const object of document.objects) {
      const mask = masks[object.id] ?? store.state.masks[object.id] ?? null;
      kept[object.id] = mask?.box ? mask : null;
    }
    noteLabels(document);
    const opens = store.state.document?.image !== document.image;
    const has = (object) => document.objects.some(({ id }) => id === object);
    if (selection.draft.id && !has(selection.draft.id)) selection.forget();
    const { selected } = store.state;
    const stillThere = has(selected) ? selected : null;
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

  /** Labels that the document brings up are the project's from now on. */
  function noteLabels(document) {
    const { project } = store.state;
    const labels = new Set([...(project?.labels ?? []), ...document.objects.map((object) => object.label)]);
    labels.delete("");
    if (project && labels.size > project.labels.length) store.update({ project: { ...project, labels: [...labels] } });
  }

  /** The project's labels, of which one may be gone: it came with an object that was undone. */
  function takeLabels(labels) {
    const { project } = store.state;
    if (project && project.labels.join("\n") !== labels.join("\n")) store.update({ project: { ...project, labels } });
  }

  return { open, reopen, reload, adopt, takeLabels };
}
