// How a change reaches the server: one after another, again where the answer was lost, told where it was refused.

import { ApiError } from "../api.js";
import { createQueue, pause } from "../queue.js";
import { objectOf } from "../store.js";
import { POLL_MS } from "./connection.js";

/** @import { About, Api, Change, Documents, Images, Refused, Store } from "../page.js" */
/** @import { Fields } from "../wire.js" */

// What the network is asked for: it may take a while, and can be stopped.
const PLAYED = new Set(["click", "move_click", "delete_click", "edit_clicks", "box"]);
const LOOK_MS = 400;
const ALONE = new Set([400, 404, 423]); // refusals that say nothing of most that waits behind: it is made all the same

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
  let sent = 0; // changes, so that no two have the same key
  const queue = createQueue(deliver, (waiting, unsaved) => store.update({ waiting, unsaved }));

  /** @param {Change} change */
  const sayGone = ({ name }) => say(`The ${name} was for an object that is gone.`);

  /**
   * One attempt to make a change; answers what the queue is to do.
   *
   * @param {Change} change
   * @returns {Promise<Outcome>}
   */
  async function deliver(change) {
    const begun = change.begun ?? clock();
    const revision = store.state.document?.revision;
    const asked = change.fields();
    if (!asked) {
      if (!change.target?.refused) sayGone(change);
      return skipped(change);
    }
    /** @type {Fields} */
    const fields = { ...asked, revision };
    if (PLAYED.has(String(fields.op))) {
      sent += 1;
      fields.key = change.key = `c${sent}-${Math.random().toString(36).slice(2)}`;
    }
    const watched = watchPlaying(change);
    try {
      const answer = await api.change(change.image, fields);
      change.answered?.(answer);
      documents.adopt(answer.document, answer.masks, change.timed ? { ms: clock() - begun } : {});
      documents.takeLabels(answer.labels);
      change.withdrawn?.(); // too late: it was made
      return "next";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return failed(error, change);
    } finally {
      change.key = null;
      watched.end();
    }
  }

  /**
   * Tells how far the clicks are that are played again for a change, once that lasts.
   *
   * @param {Change} change
   */
  function watchPlaying({ image, key }) {
    let ended = false;
    async function look() {
      if (ended || !key) return;
      const { playing } = await api.playing(image, key).catch(() => ({ playing: null }));
      if (ended) return;
      store.update({ playing: playing && playing.of > 1 ? playing : null });
      setTimeout(look, LOOK_MS);
    }
    const timer = setTimeout(look, LOOK_MS);
    return {
      end() {
        ended = true;
        clearTimeout(timer);
        store.update({ playing: null });
      },
    };
  }

  /**
   * Ends the attempt that is being made, if it is this change's.
   *
   * @param {Change} change
   */
  function interrupt({ image, key }) {
    if (key) api.stopPlaying(image, key).catch(() => null); // the change's own answer tells what came of it
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
    if (error.code === "stopped") {
      return change.withdrawn ? skipped(change) : "again";
    }
    if (error.code === "not_saved") images.noteFolder();
    if (error.status === 0) return recovered(change);
    refused(error);
    return ALONE.has(error.status) ? skipped(change) : dropped();
  }

  /**
   * This one isn't made, nor what waits for the object that it would have begun, the undo that was meant for it, and an
   * acceptance of the image with it.
   *
   * @param {Change} change
   * @returns {Outcome}
   */
  function skipped({ target, kind }) {
    if (target && !target.id) {
      target.refused = true;
      selection.forget(target);
    }
    for (const meant of meantFor(kind, queue.behind)) queue.remove(meant);
    return "next";
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
    const { target } = change;
    if (target?.id && !objectOf(store.state, target.id)) return sayGone(change);
    if (target && !target.id) selection.resume(target);
    push(change);
  }

  /**
   * @param {Change} change being made
   * @param {() => void} tooLate
   */
  function withdraw(change, tooLate) {
    change.withdrawn = tooLate;
    change.ghost = null;
    queue.report();
    interrupt(change);
  }

  /** @param {Change} change */
  function push(change) {
    store.update({ preview: null, guess: null });
    queue.push(change);
  }

  return {
    push,
    /** @param {Change} change */
    isOnItsWay: (change) => queue.holds(change) && !change.withdrawn,
    /**
     * Makes a change on its way with the fields that it has now, whatever was sent of it.
     *
     * @param {Change} change
     */
    again(change) {
      queue.report();
      interrupt(change);
    },
    /**
     * Takes back the change that was made last, if it is an edit of clicks that isn't answered yet; whether it was.
     *
     * @param {() => void} tooLate called instead where the server has made it
     */
    takeBack(tooLate) {
      const { first, last } = queue;
      if (!last?.withdraws || last.withdrawn) return false;
      if (last === first) withdraw(last, tooLate);
      else queue.remove(last);
      return true;
    },
    /** Stops what is played again; where that is too late, it is made. */
    stopPlaying() {
      if (queue.first) withdraw(queue.first, () => undefined);
    },
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

/**
 * Of what waits behind a change that isn't made, what was done for its sake.
 *
 * @param {Change["kind"]} kind of that change
 * @param {Change[]} behind
 */
function meantFor(kind, behind) {
  if (kind === "undo" || kind === "redo") {
    // A key that is held: once there is nothing left, the others have nothing to do either.
    const other = behind.findIndex((change) => change.kind !== kind);
    return behind.slice(0, other < 0 ? behind.length : other);
  }
  const found = behind.filter((change) => change.kind === "acceptance");
  let steps = 0; // made since, and not undone
  for (const change of behind) {
    if (change.kind === "redo") break;
    if (change.kind === "undo" && steps === 0) return [...found, change];
    if (change.kind !== "acceptance") steps += change.kind === "undo" ? -1 : 1;
  }
  return found;
}
