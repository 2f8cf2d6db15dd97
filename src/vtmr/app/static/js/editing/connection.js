// What an answer that isn't one means: the server is away, the address is no longer valid, or it said no.

export const POLL_MS = 1500;

/** `back` is called when the server answers again. */
export function createConnection(store, api, say, back) {
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
        const [project, { images, left_out: leftOut }] = await Promise.all([api.project(), api.images()]);
        store.update({ project, images, leftOut, connection: "ok" });
        back();
        return;
      } catch (error) {
        if (error.status === 401) return store.update({ connection: "closed" });
      }
    }
  }

  return { refused };
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
