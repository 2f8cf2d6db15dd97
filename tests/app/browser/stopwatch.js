// From a press of the mouse to the mask on the screen: the clock starts with the event's own time stamp and stops when,
// in the first task after an animation frame's callbacks, the overlay read back has changed beyond the disc that marks
// the click: in the click's row or in one of those around it, every 32nd. Nothing is read while the page says that it
// is busy, as reading costs time too. A click that changed no such pixel once the page is at rest counts as null.
() => {
  const stage = document.getElementById("stage");
  const canvas = document.getElementById("overlay");
  const context = canvas.getContext("2d");
  const BESIDE = 24; // CSS pixels around the click that its own disc may change
  const ROWS = [0, -1, 1, -2, 2, -3, 3].map((place) => 32 * place);
  const rowOf = (y) => new Uint32Array(context.getImageData(0, y, canvas.width, 1).data.buffer);
  const afterFrame = (task) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = task;
    requestAnimationFrame(() => port2.postMessage(null));
  };
  globalThis.measured = [];
  stage.addEventListener(
    "pointerdown",
    (event) => {
      const { left, top } = stage.getBoundingClientRect();
      const [x, y] = [event.clientX - left, event.clientY - top].map((value) => Math.round(value * devicePixelRatio));
      const before = ROWS.map((offset) => rowOf(y + offset));
      const away = (i, offset) => Math.max(Math.abs(i - x), Math.abs(offset)) > BESIDE * devicePixelRatio;
      const changed = (offset, n) => rowOf(y + offset).some((value, i) => value !== before[n][i] && away(i, offset));
      let still = 0; // frames since the page came to rest
      const look = () => {
        if (stage.ariaBusy === "true") return afterFrame(look);
        still += 1;
        if (ROWS.some(changed)) globalThis.measured.push(performance.now() - event.timeStamp);
        else if (still > 2) globalThis.measured.push(null);
        else afterFrame(look);
      };
      afterFrame(look);
    },
    { capture: true },
  );
}
