// How a change reaches the server: one after another, again where the answer was lost, told where it was refused.

import { ApiError } from "../api.js";
import { createQueue } from "../queue.js";
import { objectOf } from "../store.js";
import { pause, POLL_MS } from "./connection.js";

/** @import { About, Api, Change, Documents, Images, Refused, Store } from "../page.js" */

/** @typedef {"next" | "again" | "drop"} Outcome What the queue is to do after an attempt. */
/** @typedef {About & { documents: Documents, images: Images, refused: Refused }} Parts */

/**
 * clock: milliseconds, as performance.now.
 *
 * @param {Store} store
 * @param {Api} api
 * @param {Parts} parts
 */
export function createDelivery(store, api, { documents, images, selection, refused, say, clock }) {
  const queue = createQueue(deliver, (waiting, unsaved) => store.update({ waiting, unsaved }));

  /**
   * One attempt to make a change; answers what the queue is to do.
   *
   * @param {Change} change
   * @returns {Promise<Outcome>}
   */
  async function deliver(change) {
    const begun = change.begun ?? clock();
    try {
      const revision = store.state.document?.revision;
      const answer = await api.change(change.image, { ...change.fields(), revision });
      change.answered?.(answer);
      documents.adopt(answer.document, answer.masks, change.timed ? { ms: clock() - begun } : {});
      documents.takeLabels(answer.labels);
      return "next";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return failed(error, change);
    }
  }

  /**
   * @param {ApiError} error
   * @param {Change} change
   * @returns {Promise<Outcome>}
   */
  async function failed(error, change) {
    if (error.code === "conflict") {
      const conflict = { name: change.name, again: () => repeat(change) };
      selection.trail.clear();
      documents.adopt(error.body.document, error.body.masks, { conflict });
      return dropped();
    }
    if (error.code === "busy") {
      await pause(1000 * error.retryAfter);
      return "again";
    }
    if (error.code === "not_saved") images.noteFolder();
    if (error.status === 0) return recovered(change);
    refused(error);
    return dropped();
  }

  /**
   * What waits behind goes too, and so does the object that it would have made.
   *
   * @returns {Outcome}
   */
  function dropped() {
    selection.forget();
    return "drop";
  }

  /**
   * Waits for the server; then the change is sent again unless its answer alone was lost.
   *
   * @param {Change} change
   * @returns {Promise<Outcome>}
   */
  async function recovered(change) {
    store.update({ connection: "lost" });
    for (;;) {
      await pause(POLL_MS);
      try {
        const { document, masks } = await api.open(change.image);
        const later = document.revision - (store.state.document?.revision ?? 0);
        const object = document.objects.find(({ id }) => !objectOf(store.state, id))?.id ?? store.state.selected;
        if (later === 1) change.answered?.({ document, masks, object, notes: [] }); // it was saved, its answer was lost
        documents.adopt(document, masks, { connection: "ok" });
        images.noteFolder();
        if (later) say("The server is back. What it had saved is shown.");
        if (later > 1) return dropped();
        return later ? "next" : "again";
      } catch (error) {
        if (error instanceof ApiError && (error.status === 0 || error.code === "busy")) continue;
        refused(error);
        return dropped();
      }
    }
  }

  /** @param {Change} change */
  function repeat(change) {
    if (change.target) selection.resume(change.target);
    push(change);
  }

  /** @param {Change} change */
  function push(change) {
    store.update({ preview: null });
    queue.push(change);
  }

  return {
    push,
    /** Settles when nothing waits any more, of what was pushed until now. */
    idle: () => queue.idle(),
    async settled() {
      while (queue.busy) await queue.idle();
    },
    get busy() {
      return queue.busy;
    },
    /** @param {boolean} repeated */
    dismissConflict(repeated) {
      const { conflict } = store.state;
      store.update({ conflict: null });
      if (repeated) conflict?.again();
    },
  };
}
