// Changes leave one after another, in the order in which they were made, and never block the page. A change is
// {image, name, fields(): object, ghost}; `fields` is asked when its turn comes, `ghost` is drawn until it is answered.

/** @import { Change, Ghost } from "./page.js" */

/**
 * deliver(change) makes one attempt and tells what to do: "next", "again", or "drop" this change and all behind it.
 * waiting(ghosts, length) is told whenever the line changes.
 *
 * @param {(change: Change) => Promise<"next" | "again" | "drop">} deliver
 * @param {(ghosts: Ghost[], length: number) => void} waiting
 */
export function createQueue(deliver, waiting) {
  /** @type {Change[]} */
  const line = [];
  let idle = Promise.resolve();
  let running = false;
  const report = () =>
    waiting(
      line.flatMap(({ ghost }) => ghost ?? []),
      line.length,
    );

  async function run() {
    running = true;
    for (let [change] = line; change; [change] = line) {
      const outcome = await deliver(change);
      if (outcome === "next") line.shift();
      if (outcome === "drop") line.length = 0;
      report();
    }
    running = false;
  }

  return {
    /** @param {Change} change */
    push(change) {
      line.push(change);
      report();
      if (!running) idle = run();
    },
    /** Tells anew what waits: a change in the line has another ghost. */
    report,
    /** The change that was made last of those that wait, and the one that is being made. */
    get last() {
      return line.at(-1);
    },
    get first() {
      return line[0];
    },
    /** Those that wait behind the one that is being made, in their order. */
    get behind() {
      return line.slice(1);
    },
    /** @param {Change} change */
    holds: (change) => line.includes(change),
    /** @param {Change} change */
    remove(change) {
      line.splice(line.indexOf(change), 1);
      report();
    },
    /** Settles when nothing waits any more. */
    idle: () => idle,
    get busy() {
      return running;
    },
  };
}

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
