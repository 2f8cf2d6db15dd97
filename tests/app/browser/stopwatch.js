// From a press of the mouse to the mask on the screen: the clock starts with the event's own time stamp and stops when,
// after an animation frame, the overlay read back has changed in the click's row beyond the disc that marks the click.
() => {
  const stage = document.getElementById("stage");
  const canvas = document.getElementById("overlay");
  const context = canvas.getContext("2d");
  const BESIDE = 24; // CSS pixels on both sides that the click's own disc may change
  const rowOf = (y) => context.getImageData(0, y, canvas.width, 1).data;
  globalThis.measured = [];
  stage.addEventListener(
    "pointerdown",
    (event) => {
      const { left, top } = stage.getBoundingClientRect();
      const [x, y] = [event.clientX - left, event.clientY - top].map((value) => Math.round(value * devicePixelRatio));
      const before = rowOf(y);
      const look = () => {
        const now = rowOf(y);
        const changed = now.some((value, i) => value !== before[i] && Math.abs((i >> 2) - x) > BESIDE * devicePixelRatio);
        if (changed) globalThis.measured.push(performance.now() - event.timeStamp);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    },
    { capture: true },
  );
}
