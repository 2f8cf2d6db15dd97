// Thumbnails come a few at a time: the open image's first, then those in sight; none while an image is opened.

import { el } from "./dom.js";

/** @import { Api, Store } from "./page.js" */
/** @import { ImageEntry } from "./wire.js" */

const AT_ONCE = 3;
const KEPT = 60; // loaded ones, so that a row that is drawn anew doesn't flicker; each keeps the row that it was in

/** @typedef {{ image: ImageEntry, failed: () => void }} Wanted */

/**
 * @param {Store} store
 * @param {Api} api
 */
export function createThumbnails(store, api) {
  const waiting = new Map(); // <img> → {image, failed}
  const loaded = new Map(); // image id and version → <img>
  let loading = 0;

  /**
   * An <img> that gets the image's thumbnail as soon as it is its turn; failed() where it can't be had.
   *
   * @param {ImageEntry} image
   * @param {() => void} failed
   */
  function pictureOf(image, failed) {
    const known = loaded.get(keyOf(image));
    if (known) return known;
    const picture = el("img", { alt: "", decoding: "async" });
    waiting.set(picture, { image, failed });
    queueMicrotask(pump); // once the row is in the document
    return picture;
  }

  function pump() {
    while (loading < AT_ONCE && store.state.imageId && !store.state.opening) {
      const picture = next();
      if (!picture) return;
      load(picture, waiting.get(picture));
      waiting.delete(picture);
    }
  }

  /** Rows that were scrolled out of sight meanwhile need none any more. */
  function next() {
    for (const picture of waiting.keys()) if (!picture.isConnected) waiting.delete(picture);
    const { imageId } = store.state;
    for (const [picture, { image }] of waiting) if (image.id === imageId) return picture;
    return waiting.keys().next().value ?? null;
  }

  /**
   * @param {HTMLImageElement} picture
   * @param {Wanted} wanted
   */
  function load(picture, { image, failed }) {
    loading += 1;
    /** @param {boolean} came */
    const over = (came) => () => {
      loading -= 1;
      if (came) keep(picture, image);
      else failed();
      pump();
    };
    picture.addEventListener("load", over(true), { once: true });
    picture.addEventListener("error", over(false), { once: true });
    picture.src = api.thumbnailUrl(image.id, image.version);
  }

  /**
   * @param {HTMLImageElement} picture
   * @param {ImageEntry} image
   */
  function keep(picture, image) {
    loaded.set(keyOf(image), picture);
    if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
  }

  store.watch(["opening", "imageId"], pump);
  return { pictureOf };
}

/** @param {ImageEntry} image */
function keyOf(image) {
  return `${image.id} ${image.version}`;
}
