// From a press of the mouse to the mask on the screen: the clock starts with the event's own time stamp and stops when,
// after an animation frame, the overlay read back has changed beyond the disc that marks the click: in the click's row or
// in one of those around it, every 32nd. A click that changed no such pixel once the page is at rest counts as null.
() => {
  const stage = document.getElementById("stage");
  const canvas = document.getElementById("overlay");
  const context = canvas.getContext("2d");
  const BESIDE = 24; // CSS pixels around the click that its own disc may change
  const ROWS = [0, -1, 1, -2, 2, -3, 3].map((place) => 32 * place);
  const rowOf = (y) => context.getImageData(0, y, canvas.width, 1).data;
  globalThis.measured = [];
  stage.addEventListener(
    "pointerdown",
    (event) => {
      const { left, top } = stage.getBoundingClientRect();
      const [x, y] = [event.clientX - left, event.clientY - top].map((value) => Math.round(value * devicePixelRatio));
      const before = ROWS.map((offset) => rowOf(y + offset));
      const away = (i, offset) => Math.max(Math.abs((i >> 2) - x), Math.abs(offset)) > BESIDE * devicePixelRatio;
      const changed = (offset, n) => rowOf(y + offset).some((value, i) => value !== before[n][i] && away(i, offset));
      let still = 0; // frames since the page came to rest
      const look = () => {
        still = stage.ariaBusy === "false" ? still + 1 : 0;
        if (ROWS.some(changed)) globalThis.measured.push(performance.now() - event.timeStamp);
        else if (still > 2) globalThis.measured.push(null);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    },
    { capture: true },
  );
}
