// Changes leave one after another, in the order in which they were made, and never block the page. A change is
// {image, name, fields(): object, ghost}; `fields` is asked when its turn comes, `ghost` is drawn until it is answered.

/**
 * deliver(change) makes one attempt and tells what to do: "next", "again", or "drop" this change and all behind it.
 * waiting(ghosts, length) is told whenever the line changes.
 */
export function createQueue(deliver, waiting) {
  const line = [];
  let idle = Promise.resolve();
  let running = false;
  const report = () => waiting(line.map((change) => change.ghost).filter(Boolean), line.length);

  async function run() {
    running = true;
    while (line.length) {
      const outcome = await deliver(line[0]);
      if (outcome === "next") line.shift();
      if (outcome === "drop") line.length = 0;
      report();
    }
    running = false;
  }

  return {
    push(change) {
      line.push(change);
      report();
      if (!running) idle = run();
    },
    /** Settles when nothing waits any more. */
    idle: () => idle,
    get busy() {
      return running;
    },
  };
}
