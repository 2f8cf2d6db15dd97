// The list of images as it is shown: filtered, searched, as a tree of folders. Pure functions, no DOM.

/** @import { ListRow, State } from "./page.js" */
/** @import { ImageEntry } from "./wire.js" */

/** @type {[filter: State["filter"], name: string][]} */
export const FILTERS = [
  ["all", "All"],
  ["todo", "To do"],
  ["review", "Review"],
  ["done", "Done"],
];

/** The images that fit, in the folder's order. `label:cup` in the search wants an object of that label. */
export const shownImages = keptLast(
  /** @type {(images: ImageEntry[], filter: State["filter"], search: string) => ImageEntry[]} */
  (images, filter, search) => {
    const wanted = readSearch(search);
    if (filter === "all" && !wanted.text && !wanted.labels.length) return images;
    return images.filter((image) => passes(image, filter) && fits(image, wanted));
  },
);

/**
 * Rows of the list: {folder, name, depth, count, done, folded} for a folder, {image, name, depth} for an image. A
 * folded folder's images have none. folded: a Set of folders, each with the slash at its end.
 */
export const rowsOf = keptLast(
  /** @type {(shown: ImageEntry[], folded: ReadonlySet<string>) => ListRow[]} */
  (shown, folded) => {
    const folders = countedFolders(shown);
    /** @type {ListRow[]} */
    const rows = [];
    let before = "";
    for (const image of shown) {
      const folder = folderOf(image.name);
      if (folder !== before) rows.push(...newFolders(before, folder, folders, folded));
      before = folder;
      if (folded.size && isHidden(folder, folded)) continue;
      rows.push({ image, name: image.name.slice(folder.length), depth: depthOf(folder) });
    }
    return rows;
  },
);

/**
 * The image `by` places further in the list that is shown; with `todo`, the next one there that isn't done, around the
 * end. An open image that isn't shown itself counts where it would stand. Null where there is none.
 *
 * @param {State} state
 * @param {number} by
 * @returns {string | null}
 */
export function neighbourOf({ images, imageId, filter, search }, by, todo = false) {
  const shown = shownImages(images, filter, search);
  const found = shown.findIndex((image) => image.id === imageId);
  const before = found < 0 ? placeAmong(shown, images, imageId) : found;
  const after = found < 0 ? before : found + 1;
  if (!todo) return (by > 0 ? shown[after + by - 1] : shown[before + by])?.id ?? null;
  const order = [...shown.slice(after), ...shown.slice(0, before)];
  return order.find((image) => image.state !== "done" && !image.error)?.id ?? null;
}

/**
 * The folders that an image lies in, the outermost first, each with the slash at its end.
 *
 * @param {string} name
 */
export function foldersAbove(name) {
  const folders = [];
  for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) folders.push(name.slice(0, at + 1));
  return folders;
}

/** @typedef {{ count: number, done: number }} Counts Of a folder: its images, and how many of them are done. */

/** @type {Counts} */
const NO_COUNTS = { count: 0, done: 0 };

/** @param {string} search */
function readSearch(search) {
  /** @type {string[]} */
  const labels = [];
  const text = search.replace(/label:(?:"([^"]*)"?|(\S*))/gi, (_, quoted, plain) => {
    const label = (quoted ?? plain).toLowerCase();
    if (label) labels.push(label);
    return "";
  });
  return { text: text.trim().toLowerCase(), labels };
}

/**
 * @param {ImageEntry} image
 * @param {State["filter"]} filter
 */
function passes(image, filter) {
  if (filter === "all") return true;
  if (filter === "todo") return image.state !== "done";
  return image.state === filter;
}

/**
 * @param {ImageEntry} image
 * @param {{ text: string, labels: string[] }} wanted
 */
function fits(image, { text, labels }) {
  if (text && !image.name.toLowerCase().includes(text)) return false;
  return labels.every((wanted) => image.labels?.some((label) => label.toLowerCase() === wanted));
}

/**
 * How many of the shown images stand before the open one in the folder's order.
 *
 * @param {ImageEntry[]} shown
 * @param {ImageEntry[]} images
 * @param {string | null} imageId
 */
function placeAmong(shown, images, imageId) {
  const open = images.findIndex((image) => image.id === imageId);
  const before = new Set(images.slice(0, Math.max(open, 0)).map((image) => image.id));
  const place = shown.findIndex((image) => !before.has(image.id));
  return place < 0 ? shown.length : place;
}

/** @param {string} name */
function folderOf(name) {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

/** @param {string} folder */
function depthOf(folder) {
  let depth = 0;
  for (const letter of folder) if (letter === "/") depth += 1;
  return depth;
}

/**
 * @param {string} folder
 * @param {ReadonlySet<string>} folded
 */
function isHidden(folder, folded) {
  return foldersAbove(folder).some((above) => folded.has(above));
}

/**
 * {count, done} of every folder, with those below it.
 *
 * @param {ImageEntry[]} shown
 * @returns {Map<string, Counts>}
 */
function countedFolders(shown) {
  /** @type {Map<string, Counts>} */
  const folders = new Map();
  for (const image of shown) {
    for (const folder of foldersAbove(image.name)) {
      const counts = folders.get(folder) ?? { count: 0, done: 0 };
      counts.count += 1;
      if (image.state === "done") counts.done += 1;
      folders.set(folder, counts);
    }
  }
  return folders;
}

/**
 * Rows for the folders that begin between an image in `before` and the next one, in `folder`.
 *
 * @param {string} before
 * @param {string} folder
 * @param {Map<string, Counts>} folders
 * @param {ReadonlySet<string>} folded
 * @returns {ListRow[]}
 */
function newFolders(before, folder, folders, folded) {
  /** @type {ListRow[]} */
  const rows = [];
  for (const path of foldersAbove(folder)) {
    if (before.startsWith(path)) continue;
    const above = path.slice(0, path.slice(0, -1).lastIndexOf("/") + 1);
    if (isHidden(above, folded)) break;
    const name = path.slice(above.length, -1);
    rows.push({
      folder: path,
      name,
      depth: depthOf(above),
      folded: folded.has(path),
      ...(folders.get(path) ?? NO_COUNTS),
    });
  }
  return rows;
}

/**
 * The function, which remembers its last answer: several places ask for the same list.
 *
 * @template {unknown[]} Given
 * @template Made
 * @param {(...values: Given) => Made} make
 * @returns {(...values: Given) => Made}
 */
function keptLast(make) {
  /** @type {{ values: Given, answer: Made } | null} */
  let last = null;
  return (...values) => {
    const known = last?.values;
    if (!last || values.some((value, i) => value !== known?.[i])) last = { values, answer: make(...values) };
    return last.answer;
  };
}
