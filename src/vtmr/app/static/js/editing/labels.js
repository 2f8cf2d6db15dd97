// The project's labels: what the manager changes, and what objects are called.

/** @import { Api, Documents, Images, Selection, Store } from "../page.js" */
/** @import { Fields } from "../wire.js" */

/** @typedef {{ documents: Documents, images: Images, selection: Selection }} Known */
/** @typedef {Known & { settle: () => void, idle: () => Promise<void> }} Parts */

/**
 * @param {Store} store
 * @param {Api} api
 * @param {Parts} parts
 */
export function labelActions(store, api, { documents, images, selection, settle, idle }) {
  return {
    /** All labels with how many objects have each. */
    labels: () => api.labels(),
    /**
     * Makes a change of docs/api.md; what is open shows it. Answers the labels after it. Throws ApiError.
     *
     * @param {Fields} change
     */
    async changeLabels(change) {
      settle();
      await idle();
      const answer = await api.changeLabels(change);
      const { label } = store.state;
      if (label && !answer.labels.some(({ name }) => name === label)) {
        store.update({ label: change.op === "rename" && change.label === label ? String(change.to) : null });
      }
      images.noteFolder();
      images.refresh();
      if (change.op === "delete") selection.trail.clear(); // its objects are parted in a step that no hand here made
      await documents.reload();
      return answer;
    },
  };
}
