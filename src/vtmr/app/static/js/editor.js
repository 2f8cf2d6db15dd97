// What the user does, in the words of the page: opens images, changes documents. Knows the server, knows no DOM.

import { ApiError } from "./api.js";
import { createQueue } from "./queue.js";
import { canEdit, howToCorrect, objectOf } from "./store.js";

const POLL_MS = 1500;
const REFRESH_MS = 300;

export function createEditor(store, api, clock = () => performance.now()) {
  let draft = newDraft(); // the object that the next click begins; what comes before its answer shares it
  let refreshing = 0;
  let opened = 0; // counts openings, so that a late answer of an earlier one is dropped
  const queue = createQueue(deliver, (waiting, unsaved) => store.update({ waiting, unsaved }));

  const say = (text, kind = "plain") => store.update({ toast: { text, kind } });

  // --- documents ---------------------------------------------------------------------------------------------------

  async function start() {
    try {
      const [project, images] = await Promise.all([api.project(), api.images()]);
      store.update({ project, images, connection: "ok" });
    } catch (error) {
      return refused(error);
    }
  }

  async function open(id) {
    const turn = (opened += 1);
    while (queue.busy) await queue.idle();
    if (turn !== opened || !store.state.images.some((image) => image.id === id)) return;
    select(null);
    store.update({ ...CLOSED, imageId: id, opening: true });
    try {
      const { document, masks } = await api.open(id);
      if (turn === opened) adopt(document, masks, { opening: false, selected: document.objects.at(-1)?.id ?? null });
    } catch (error) {
      if (turn !== opened) return;
      store.update({ opening: false, openError: error.message });
      if (error.code === "unreadable") noteImage(id, { error: error.message });
      else refused(error);
    }
  }

  /** Takes over a whole document; masks of objects that are gone go too. */
  function adopt(document, masks, more = {}) {
    const kept = {};
    for (const object of document.objects) {
      const mask = masks[object.id] ?? store.state.masks[object.id] ?? null;
      kept[object.id] = mask?.box ? mask : null;
    }
    const { selected, project } = store.state;
    const labels = new Set([...(project?.labels ?? []), ...document.objects.map((object) => object.label)]);
    labels.delete("");
    if (project && labels.size > project.labels.length) store.update({ project: { ...project, labels: [...labels] } });
    const has = (object) => document.objects.some(({ id }) => id === object);
    if (draft.id && !has(draft.id)) draft = newDraft();
    const stillThere = has(selected) ? selected : null;
    store.update({ document, masks: kept, preview: null, selected: stillThere, selectedClick: null, ...more });
    noteImage(document.image, { state: document.state, objects: document.objects.length });
  }

  function noteImage(id, patch) {
    const known = store.state.images.find((image) => image.id === id);
    if (!known || same(known, patch)) return;
    store.update({ images: store.state.images.map((image) => (image === known ? { ...image, ...patch } : image)) });
  }

  /** Asks for the list again: the server knows more by now, of files that it couldn't read for one. */
  function refresh() {
    clearTimeout(refreshing);
    refreshing = setTimeout(
      () => api.images().then((images) => store.update({ images: merged(images) }), refused),
      REFRESH_MS,
    );
  }

  /** Asks what has become of the folder: it may have been taken away. */
  function noteFolder() {
    api.project().then((project) => store.update({ project }), refused);
  }

  /** Entries that are as before stay the same objects, so that their rows aren't drawn anew. */
  function merged(images) {
    const before = new Map(store.state.images.map((image) => [image.id, image]));
    return images.map((image) => (same(before.get(image.id), image) ? before.get(image.id) : image));
  }

  /** The image `by` places further in the list; with `todo`, the next one that isn't done, around the end. */
  function neighbour(by, todo = false) {
    const { images, imageId } = store.state;
    const at = images.findIndex((image) => image.id === imageId);
    if (!todo) return images[at + by]?.id ?? null;
    const order = [...images.slice(at + 1), ...images.slice(0, Math.max(at, 0))];
    return order.find((image) => image.state !== "done" && !image.error)?.id ?? null;
  }

  // --- changes -----------------------------------------------------------------------------------------------------

  /** One attempt to make a change; answers what the queue is to do. */
  async function deliver(change) {
    const begun = change.begun ?? clock();
    try {
      const { document } = store.state;
      const answer = await api.change(change.image, { ...change.fields(), revision: document.revision });
      change.answered?.(answer);
      adopt(answer.document, answer.masks, change.timed ? { ms: clock() - begun } : {});
      return "next";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return failed(error, change);
    }
  }

  async function failed(error, change) {
    if (error.code === "conflict") {
      adopt(error.body.document, error.body.masks, { conflict: { name: change.name, again: () => repeat(change) } });
      return dropped();
    }
    if (error.code === "busy") {
      await pause(1000 * error.retryAfter);
      return "again";
    }
    if (error.code === "not_saved") noteFolder();
    if (error.status === 0) return recovered(change);
    refused(error);
    return dropped();
  }

  /** What waits behind goes too, and so does the object that it would have made. */
  function dropped() {
    draft = newDraft();
    return "drop";
  }

  /** Waits for the server; then the change is sent again unless its answer alone was lost. */
  async function recovered(change) {
    store.update({ connection: "lost" });
    for (;;) {
      await pause(POLL_MS);
      try {
        const { document, masks } = await api.open(change.image);
        const later = document.revision - store.state.document.revision;
        const object = document.objects.find(({ id }) => !objectOf(store.state, id))?.id ?? store.state.selected;
        if (later === 1) change.answered?.({ document, masks, object, notes: [] }); // it was saved, its answer was lost
        adopt(document, masks, { connection: "ok" });
        noteFolder();
        if (later) say("The server is back. What it had saved is shown.");
        if (later > 1) return dropped();
        return later ? "next" : "again";
      } catch (error) {
        if (error.status === 0 || error.code === "busy") continue;
        refused(error);
        return dropped();
      }
    }
  }

  function refused(error) {
    if (error.status === 401) store.update({ connection: "closed" });
    else if (error.status === 0) {
      store.update({ connection: "lost" });
      lookForServer();
    } else say(error.message, "bad");
  }

  /** For losses outside a change: asks until the server answers. */
  async function lookForServer() {
    for (;;) {
      await pause(POLL_MS);
      try {
        const [project, images] = await Promise.all([api.project(), api.images()]);
        store.update({ project, images, connection: "ok" });
        const { imageId, document } = store.state;
        if (imageId && !document) open(imageId);
        return;
      } catch (error) {
        if (error.status === 401) return store.update({ connection: "closed" });
      }
    }
  }

  function repeat(change) {
    if (change.target) draft = change.target;
    push(change);
  }

  function push(change) {
    store.update({ preview: null });
    queue.push(change);
  }

  /** A change of the open document; without effect where nothing may be changed. */
  function change(name, fields, more = {}) {
    if (!canEdit(store.state)) return;
    push({ image: store.state.document.image, name, fields: () => fields, ghost: null, ...more });
  }

  /** A change that goes to the selected object, or begins one. */
  function paintChange(name, fields, more = {}) {
    const { label, selected } = store.state;
    const target = selected ? { id: selected } : draft;
    target.coming = true;
    change(name, null, {
      target: selected ? null : target,
      fields: () => ({ ...fields, object: target.id, ...(target.id || !label ? {} : { label }) }),
      answered: (answer) => {
        if (target !== draft || target.id) return;
        target.id = answer.object;
        store.update({ selected: answer.object });
      },
      ...more,
    });
  }

  function select(id) {
    if (!id || id !== draft.id) draft = newDraft();
    store.update({ selected: id, selectedClick: null, preview: null });
  }

  /** A change of the selected object, or of the one that a click on its way is about to make. */
  function onSelected(name, fields, more) {
    const { selected } = store.state;
    const target = selected ? { id: selected } : draft;
    if (selected || draft.coming) change(name, null, { fields: () => ({ ...fields, object: target.id }), ...more });
  }

  const selectTop = (answer) => store.update({ selected: answer.document.objects.at(-1)?.id ?? null });
  /** A mask file may mean more than one thing: what it was taken for is said. */
  const imported = (answer) => {
    selectTop(answer);
    if (answer.notes.length) say(answer.notes.join(" "));
  };
  const follow = (answer) => answer.object && store.update({ selected: answer.object });

  return {
    start,
    open,
    select,
    say,
    neighbour,
    refused,
    refresh,
    idle: () => queue.idle(),
    get busy() {
      return queue.busy;
    },

    click(point, positive, region) {
      const click = { x: point[0], y: point[1], positive };
      const fields = { op: "click", clicks: [click], region, ...howToCorrect(store.state) };
      paintChange("click", fields, { ghost: { clicks: [click] }, timed: true, begun: clock() });
    },
    moveClick(object, index, [x, y]) {
      const positive = objectOf(store.state, object)?.clicks[index]?.positive ?? true;
      const ghost = { clicks: [{ x, y, positive }], instead: { object, index } };
      change("moved click", { op: "move_click", object, index, x, y }, { ghost, timed: true, begun: clock() });
    },
    deleteClick(index) {
      onSelected("deleted click", { op: "delete_click", index });
    },
    brush(stroke) {
      paintChange(
        stroke.mode === "add" ? "brush stroke" : "eraser stroke",
        { op: "brush", ...stroke },
        { ghost: { stroke } },
      );
    },
    refine(op) {
      onSelected({ fill_holes: "filled holes", drop_small: "dropped parts", smooth: "smoothing" }[op], { op });
    },
    setLabel(label) {
      store.update({ label });
      onSelected("label", { op: "set", label });
    },
    setVisible(object, visible) {
      change("visibility", { op: "set", object, visible });
    },
    setLocked(object, locked) {
      change("lock", { op: "set", object, locked });
    },
    duplicate() {
      onSelected("copy", { op: "duplicate" }, { answered: follow });
    },
    remove() {
      onSelected("deletion", { op: "delete" });
    },
    /** Moves the selected object one place towards the top (+1) or the bottom (-1). */
    reorder(by) {
      const { document, selected } = store.state;
      const ids = document?.objects.map((object) => object.id) ?? [];
      const from = ids.indexOf(selected);
      if (from < 0 || from + by < 0 || from + by >= ids.length) return;
      ids.splice(from + by, 0, ids.splice(from, 1)[0]);
      change("order", { op: "order", objects: ids });
    },
    undo: () => change("undo", { op: "undo" }, { answered: follow }),
    redo: () => change("redo", { op: "redo" }, { answered: follow }),
    importBeside: () => change("import", { op: "import_mask" }, { answered: imported }),
    /** Accepts the image, then goes on to the next one that isn't done. */
    async accept() {
      if (!canEdit(store.state)) return;
      const { document } = store.state;
      change("acceptance", { op: "done", done: document.state !== "done" });
      if (document.state === "done") return;
      await queue.idle();
      if (store.state.document?.state !== "done" || store.state.document.image !== document.image) return;
      const next = neighbour(1, true);
      if (next) open(next);
      else say("All images are done.");
    },
    dismissConflict(repeat) {
      const { conflict } = store.state;
      store.update({ conflict: null });
      if (repeat) conflict?.again();
    },
  };
}

const CLOSED = {
  document: null,
  masks: {},
  openError: null,
  preview: null,
  stroke: null,
  dragged: null,
  cursor: null,
  conflict: null,
  ms: null,
};

/** Whether `known` has all of `patch`'s values. */
function same(known, patch) {
  return Boolean(known) && Object.keys(patch).every((key) => known[key] === patch[key]);
}

function newDraft() {
  return { id: null, coming: false };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
