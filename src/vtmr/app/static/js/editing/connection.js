// What an answer that isn't one means: the server is away, the address is no longer valid, or it said no.

import { ApiError, wordsOf } from "../api.js";
import { pause } from "../queue.js";

/** @import { Api, Refused, Say, Store } from "../page.js" */

export const POLL_MS = 1500;

/**
 * `back` is called when the server answers again.
 *
 * @param {Store} store
 * @param {Api} api
 * @param {Say} say
 * @param {() => void} back
 */
export function createConnection(store, api, say, back) {
  /** @type {Refused} */
  function refused(error) {
    const status = error instanceof ApiError ? error.status : null;
    if (status === 401) store.update({ connection: "closed" });
    else if (status === 0) {
      store.update({ connection: "lost" });
      void lookForServer();
    } else say(wordsOf(error), "bad");
  }

  /** For losses outside a change: asks until the server answers. */
  async function lookForServer() {
    for (;;) {
      await pause(POLL_MS);
      try {
        const [project, { images, left_out: leftOut }] = await Promise.all([api.project(), api.images()]);
        store.update({ project, images, leftOut, connection: "ok" });
        back();
        return;
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return store.update({ connection: "closed" });
      }
    }
  }

  return { refused };
}
