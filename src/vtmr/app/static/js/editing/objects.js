// What is done to objects as a whole: label, order, copies, and masks that lie beside the image.

/** @import { Answer, Changes, Selection, Store } from "../page.js" */
/** @import { AnnotatedObject, Fields } from "../wire.js" */

/** @typedef {{ selection: Selection, changeAll: (name: string, fields: Fields) => void }} Parts */

/**
 * @param {Store} store
 * @param {Changes} changes
 * @param {Parts} parts
 */
export function objectActions(store, { change, onSelected, follow }, { selection, changeAll }) {
  /** @param {Answer} answer */
  const selectTop = (answer) => store.update({ selected: answer.document.objects.at(-1)?.id ?? null });

  return {
    /** @param {string} label */
    setLabel(label) {
      store.update({ label });
      if (store.state.chosen.length) changeAll("labels", { op: "set", label });
      else onSelected("label", { op: "set", label });
    },
    /**
     * The label of objects to come; the selected one keeps its own.
     *
     * @param {string} label
     */
    labelNew(label) {
      selection.select(null);
      store.update({ label, chosen: [] });
    },
    /**
     * details: {attributes, note}, either or both.
     *
     * @param {Partial<Pick<AnnotatedObject, "attributes" | "note">>} details
     */
    setDetails(details) {
      onSelected("details", { op: "set", ...details });
    },
    /**
     * @param {string} object
     * @param {boolean} visible
     */
    setVisible(object, visible) {
      change("visibility", { op: "set", object, visible });
    },
    /**
     * @param {string} object
     * @param {boolean} locked
     */
    setLocked(object, locked) {
      change("lock", { op: "set", object, locked });
    },
    duplicate() {
      onSelected("copy", { op: "duplicate" }, { answered: follow });
    },
    remove() {
      if (store.state.chosen.length) changeAll("deletion", { op: "delete" });
      else onSelected("deletion", { op: "delete" });
    },
    /**
     * Moves the selected object one place towards the top (+1) or the bottom (-1).
     *
     * @param {number} by
     */
    reorder(by) {
      const { document, selected } = store.state;
      const ids = document?.objects.map((object) => object.id) ?? [];
      const from = selected ? ids.indexOf(selected) : -1;
      if (from < 0 || from + by < 0 || from + by >= ids.length) return;
      ids.splice(from + by, 0, ids.splice(from, 1)[0]);
      change("order", { op: "order", objects: ids });
    },
    importBeside: () => change("import", { op: "import_mask" }, { answered: selectTop }),
  };
}
