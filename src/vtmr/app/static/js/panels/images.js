// The list of images: folders, thumbnails, names, states; search and filter.

import { byId, el, icon, inside } from "../dom.js";
import { FILTERS, foldersAbove, rowsOf, shownImages } from "../imagelist.js";
import { createThumbnails } from "../thumbnails.js";
import { createVirtualList } from "./virtuallist.js";

/** @import { ListRow, Page, State, Store, VirtualList } from "../page.js" */
/** @import { ImageEntry } from "../wire.js" */

const STATES = {
  untouched: "untouched",
  in_work: "in work",
  review: "to review",
  done: "done",
  damaged: "annotations damaged",
};
const HEIGHTS = { image: 56, folder: 32, largeFolder: 44 }; // CSS pixels, as in css/lists.css
const COARSE = matchMedia("(pointer: coarse)");
const INDENT = 12;

/** @typedef {Extract<ListRow, { folder: string }>} FolderRow */
/** @typedef {Exclude<ListRow, { folder: string }>} ImageRow */
/** @typedef {VirtualList<ListRow>} Rows */
/**
 * @typedef {Pick<Page, "store" | "editor"> & {
 *   thumbnails: ReturnType<typeof createThumbnails>, setDrawer: (open: boolean) => void,
 * }} Parts
 */

/** @param {Page} page */
export function imagesPanel({ store, editor, api }) {
  const list = byId("image-list");
  const thumbnails = createThumbnails(store, api);
  /** @type {Rows} */
  const rows = createVirtualList(list, {
    keyOf,
    isSame: (before, now) =>
      now.folder && before.folder
        ? before.count === now.count && before.done === now.done && before.folded === now.folded
        : before.image === now.image,
    heightOf(row) {
      if (!row.folder) return HEIGHTS.image;
      return COARSE.matches ? HEIGHTS.largeFolder : HEIGHTS.folder;
    },
    draw: (row) =>
      row.folder !== undefined ? drawFolder(row, store) : drawImage(row, { store, editor, thumbnails, setDrawer }),
    painted: (drawn) => markCurrent(drawn, store.state),
  });

  /** @param {boolean} open */
  function setDrawer(open) {
    byId("images").classList.toggle("open", open);
    byId("drawer").ariaExpanded = String(open);
    if (open) rows.reveal(store.state.imageId)?.querySelector("button")?.focus(); // in sight only from now on
  }
  byId("images").addEventListener("keydown", (event) => {
    const drawer = byId("drawer");
    if (drawer.ariaExpanded !== "true" || !drawer.checkVisibility()) return; // on a wide screen it is no drawer
    event.stopPropagation(); // nothing that lies behind the drawer is meant
    if (event.key !== "Escape") return;
    setDrawer(false);
    byId("stage").focus();
  });

  byId("drawer").addEventListener("click", () => setDrawer(byId("drawer").ariaExpanded !== "true"));
  bindSearch(store, editor, () =>
    focusRow(
      rows,
      rows.rows.findIndex((row) => row.image),
    ),
  );
  list.addEventListener("keydown", (event) => walk(event, rows));

  store.watch(["images", "search", "filter", "folded"], (state) => {
    const shown = shownImages(state.images, state.filter, state.search);
    rows.show(rowsOf(shown, state.folded));
    showEmpty(state, shown, store);
  });
  store.watch(["images"], ({ images }) => {
    const done = images.filter((image) => image.state === "done").length;
    const bar = byId("done-bar", HTMLProgressElement);
    bar.max = Math.max(images.length, 1);
    bar.value = done;
    byId("done-text").textContent = images.length ? `${done} of ${images.length} done` : "";
  });
  store.watch(["imageId"], (state) => {
    unfoldTo(store, state);
    if (!rows.reveal(state.imageId)) rows.paint();
  });
  store.watch(["project"], ({ project }) => {
    byId("folder").textContent = project?.name ?? "";
    document.title = project ? `${project.name} – vtmr` : "vtmr";
  });
}

/** @param {ListRow} row */
function keyOf(row) {
  return row.folder ?? row.image.id;
}

/**
 * Enter opens the first image found and keeps to what was found; Escape ends the search.
 *
 * @param {Store} store
 * @param {Page["editor"]} editor
 * @param {() => void} goToList
 */
function bindSearch(store, editor, goToList) {
  const search = byId("search", HTMLInputElement);
  search.addEventListener("input", () => store.update({ search: search.value }));
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") goToList();
    if (event.key === "Escape") {
      // The browser empties the field without an input event where the focus leaves meanwhile.
      event.preventDefault();
      store.update({ search: "" });
      byId("stage").focus();
    }
    if (event.key === "Enter" && !event.isComposing && !event.ctrlKey && !event.metaKey) {
      const [first] = shownImages(store.state.images, store.state.filter, store.state.search);
      if (!first) return;
      void editor.open(first.id);
      byId("stage").focus();
    }
  });
  const chips = FILTERS.map(([filter, text]) =>
    el("button", { class: "chip", text, dataset: { filter }, onclick: () => store.update({ filter }) }),
  );
  byId("filters").append(...chips);
  store.watch(["filter", "search"], (state) => {
    for (const chip of chips) chip.ariaPressed = String(chip.dataset.filter === state.filter);
    if (search.value !== state.search) search.value = state.search;
  });
}

/**
 * @param {ImageRow} row
 * @param {Parts} parts
 */
function drawImage({ image, name, depth }, { store, editor, thumbnails, setDrawer }) {
  const thumb = el("span", { class: "thumb" });
  if (image.error) thumb.append(icon("warn"));
  else {
    const failed = () => {
      thumb.replaceChildren(icon("warn"));
      editor.refresh();
    };
    thumb.append(thumbnails.pictureOf(image, failed));
  }
  const choose = () => {
    setDrawer(false);
    void editor.open(image.id);
    byId("stage").focus();
  };
  const dot = el("span", { class: `dot ${image.error ? "bad" : image.state}` });
  const about = el("span", { class: "about" }, dot, el("span", { text: aboutImage(image) }));
  const what = el("span", { class: "what" }, el("span", { class: "name", text: name }), about);
  const properties = { class: "row bare", title: image.name, tabindex: "-1", onclick: choose };
  const button = el("button", properties, thumb, what);
  const item = el("li", { dataset: { image: image.id } }, button);
  item.style.paddingLeft = `${depth * INDENT}px`;
  markRow(item, image.id === store.state.imageId);
  return item;
}

/** @param {ImageEntry} image */
function aboutImage(image) {
  if (image.error) return image.state === "damaged" ? STATES.damaged : "can't be read";
  return STATES[image.state] + (image.objects ? ` · ${counted(image.objects, "object")}` : "");
}

/**
 * @param {FolderRow} row
 * @param {Store} store
 */
function drawFolder({ folder, name, depth, count, done, folded }, store) {
  const fold = () => {
    const next = new Set(store.state.folded);
    if (!next.delete(folder)) next.add(folder);
    store.update({ folded: next });
  };
  const button = el(
    "button",
    { class: "folder-row bare", title: folder, tabindex: "-1", "aria-expanded": String(!folded), onclick: fold },
    icon(folded ? "closed" : "opened"),
    el("span", { class: "name", text: name }),
    el("span", { class: "about", text: `${done} of ${count.toLocaleString("en")}` }),
  );
  const item = el("li", { class: "folder", dataset: { folder } }, button);
  item.style.paddingLeft = `${depth * INDENT}px`;
  return item;
}

/**
 * @param {{ row: ListRow, element: HTMLElement }[]} drawn
 * @param {State} state
 */
function markCurrent(drawn, { imageId }) {
  let reachable = false; // one row can be reached by Tab, arrows go on from there
  for (const { row, element } of drawn) {
    const current = row.image?.id === imageId;
    markRow(element, current);
    reachable ||= current;
  }
  const [first] = drawn;
  if (!reachable && first) inside(first.element, "button").tabIndex = 0;
}

/**
 * @param {HTMLElement} item
 * @param {boolean} current
 */
function markRow(item, current) {
  const button = inside(item, "button");
  button.classList.toggle("current", current);
  button.tabIndex = current ? 0 : -1;
  if (current) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}

/**
 * @param {KeyboardEvent} event
 * @param {Rows} rows
 */
function walk(event, rows) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const item = event.target instanceof Element ? event.target.closest("li") : null;
  if (!item) return;
  const key = item.dataset.folder ?? item.dataset.image;
  const at = rows.rows.findIndex((row) => keyOf(row) === key);
  if (by) {
    event.preventDefault();
    focusRow(rows, at + by);
  }
  const row = rows.rows[at];
  if (row?.folder && event.key === (row.folded ? "ArrowRight" : "ArrowLeft")) {
    event.preventDefault();
    inside(item, "button").click();
    focusRow(rows, at);
  }
}

/**
 * @param {Rows} rows
 * @param {number} at
 */
function focusRow(rows, at) {
  const row = rows.rows[at];
  if (row) rows.reveal(keyOf(row))?.querySelector("button")?.focus();
}

/**
 * An image that is opened is shown, however its folders were folded.
 *
 * @param {Store} store
 * @param {State} state
 */
function unfoldTo(store, { images, imageId, folded }) {
  const open = folded.size ? images.find((image) => image.id === imageId) : null;
  const above = open ? foldersAbove(open.name).filter((folder) => folded.has(folder)) : [];
  if (!above.length) return;
  const next = new Set(folded);
  for (const folder of above) next.delete(folder);
  store.update({ folded: next });
}

/**
 * Says that nothing fits, what was looked for, and how to see everything again.
 *
 * @param {State} state
 * @param {ImageEntry[]} shown
 * @param {Store} store
 */
function showEmpty({ images, filter, search }, shown, store) {
  const place = byId("none-fits");
  place.hidden = !images.length || shown.length > 0;
  if (place.hidden) return place.replaceChildren();
  const name = FILTERS.find(([key]) => key === filter)?.[1];
  const among = filter === "all" ? "" : ` among “${name}”`;
  const text = search.trim() ? `Nothing fits “${search.trim()}”${among}.` : `No images${among}.`;
  const all = () => store.update({ filter: "all", search: "" });
  place.replaceChildren(el("p", { text }), el("button", { text: "Show all images", onclick: all }));
}

/**
 * @param {number} number
 * @param {string} word
 */
export function counted(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}
