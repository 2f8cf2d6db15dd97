// The list of images: thumbnail, name, state; search and filter.

import { byId, el, icon } from "../dom.js";

const FILTERS = [
  ["all", "All"],
  ["todo", "To do"],
  ["done", "Done"],
];
const STATES = { untouched: "untouched", in_work: "in work", done: "done", damaged: "annotations damaged" };

export function imagesPanel({ store, editor, api }) {
  const list = byId("image-list");
  const rows = new Map(); // image id → {image, item}

  byId("search").addEventListener("input", (event) => store.update({ search: event.target.value }));
  byId("search").addEventListener("keydown", (event) => {
    if (event.key === "Escape") byId("stage").focus();
    if (event.key === "ArrowDown") list.querySelector("li:not([hidden]) button")?.focus();
  });
  byId("filters").append(
    ...FILTERS.map(([filter, text]) =>
      el("button", { class: "chip", text, dataset: { filter }, onclick: () => store.update({ filter }) }),
    ),
  );
  byId("drawer").addEventListener("click", () => setDrawer(byId("drawer").ariaExpanded !== "true"));
  list.addEventListener("keydown", (event) => {
    const by = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!by) return;
    event.preventDefault();
    let item = event.target.closest("li")[by];
    while (item?.hidden) item = item[by];
    item?.querySelector("button").focus();
  });

  function setDrawer(open) {
    byId("images").classList.toggle("open", open);
    byId("drawer").ariaExpanded = String(open);
  }

  function rowOf(image) {
    const known = rows.get(image.id);
    if (known?.image === image) return known.item;
    const fresh = drawRow(image);
    known?.item.replaceWith(fresh);
    rows.set(image.id, { image, item: fresh });
    return fresh;
  }

  function drawRow(image) {
    const about = image.error
      ? image.state === "damaged"
        ? STATES.damaged
        : "can't be read"
      : STATES[image.state] + (image.objects ? ` · ${counted(image.objects, "object")}` : "");
    const thumb = el("span", { class: "thumb" });
    if (image.error) thumb.append(icon("warn"));
    else
      thumb.append(
        el("img", {
          src: api.thumbnailUrl(image.id),
          alt: "",
          loading: "lazy",
          decoding: "async",
          onerror: () => {
            thumb.replaceChildren(icon("warn"));
            editor.refresh();
          },
        }),
      );
    const choose = () => {
      setDrawer(false);
      editor.open(image.id);
      byId("stage").focus();
    };
    const button = el(
      "button",
      { class: "row bare", title: image.name, tabindex: "-1", onclick: choose },
      thumb,
      el(
        "span",
        { class: "what" },
        el("span", { class: "name", text: image.name }),
        el(
          "span",
          { class: "about" },
          el("span", { class: `dot ${image.error ? "bad" : image.state}` }),
          el("span", { text: about }),
        ),
      ),
    );
    return el("li", { dataset: { image: image.id } }, button);
  }

  function markCurrent({ imageId }) {
    for (const [id, { item }] of rows) {
      const button = item.firstElementChild;
      const current = id === imageId;
      if (current !== button.classList.contains("current")) {
        button.classList.toggle("current", current);
        button.tabIndex = current ? 0 : -1;
        if (current) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      }
    }
  }

  store.watch(["images"], (state) => {
    const items = state.images.map(rowOf);
    if (items.length !== list.children.length) list.replaceChildren(...items);
    markCurrent(state);
    if (!state.imageId && items[0]) items[0].firstElementChild.tabIndex = 0;
    const done = state.images.filter((image) => image.state === "done").length;
    byId("done-bar").max = Math.max(state.images.length, 1);
    byId("done-bar").value = done;
    byId("done-text").textContent = state.images.length ? `${done} of ${state.images.length} done` : "";
  });
  store.watch(["images", "search", "filter"], ({ images, search, filter }) => {
    const wanted = search.trim().toLowerCase();
    for (const image of images) {
      const fits = filter === "all" || (image.state === "done") === (filter === "done");
      rows.get(image.id).item.hidden = !fits || !image.name.toLowerCase().includes(wanted);
    }
    for (const chip of byId("filters").children) chip.ariaPressed = String(chip.dataset.filter === filter);
  });
  store.watch(["imageId"], (state) => {
    markCurrent(state);
    rows.get(state.imageId)?.item.scrollIntoView({ block: "nearest" });
  });
  store.watch(["project"], ({ project }) => {
    byId("folder").textContent = project?.name ?? "";
    document.title = project ? `${project.name} – vtmr` : "vtmr";
  });
}

export function counted(number, word) {
  return `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
}
