// The list of images and the folder that they are in, as the server knows them.

import { neighbourOf } from "../imagelist.js";

/** @import { Api, Refused, Store } from "../page.js" */
/** @import { ImageEntry } from "../wire.js" */

const REFRESH_MS = 300;

/**
 * @param {Store} store
 * @param {Api} api
 * @param {Refused} refused
 */
export function createImages(store, api, refused) {
  let refreshing = 0;

  async function start() {
    try {
      const [project, { images, left_out: leftOut }] = await Promise.all([api.project(), api.images()]);
      store.update({ project, images, leftOut, connection: "ok" });
    } catch (error) {
      refused(error);
    }
  }

  /**
   * @param {string} id
   * @param {Partial<ImageEntry>} patch
   */
  function note(id, patch) {
    const known = store.state.images.find((image) => image.id === id);
    if (!known || same(known, patch)) return;
    store.update({ images: store.state.images.map((image) => (image === known ? { ...image, ...patch } : image)) });
  }

  /** Asks for the list again: the server knows more by now, of files that it couldn't read for one. */
  function refresh() {
    clearTimeout(refreshing);
    refreshing = setTimeout(
      () => api.images().then(({ images }) => store.update({ images: merged(images) }), refused),
      REFRESH_MS,
    );
  }

  /** Asks what has become of the folder: it may have been taken away. */
  function noteFolder() {
    api.project().then((project) => store.update({ project }), refused);
  }

  /**
   * Entries that are as before stay the same objects, so that their rows aren't drawn anew.
   *
   * @param {ImageEntry[]} images
   */
  function merged(images) {
    const before = new Map(store.state.images.map((image) => [image.id, image]));
    return images.map((image) => {
      const known = before.get(image.id);
      return known && same(known, image) ? known : image;
    });
  }

  /** @param {number} by */
  const neighbour = (by, todo = false) => neighbourOf(store.state, by, todo);

  return { start, note, refresh, noteFolder, neighbour };
}

/**
 * Whether `known` has all of `patch`'s values.
 *
 * @param {ImageEntry} known
 * @param {Partial<ImageEntry>} patch
 */
function same(known, patch) {
  const keys = /** @type {(keyof ImageEntry)[]} */ (Object.keys(patch));
  return keys.every((key) => String(known[key]) === String(patch[key]));
}
