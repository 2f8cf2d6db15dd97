// Fingers: one that taps is a click, one that rests takes away, one that drags draws or moves the view, two zoom and
// pan. What could be the beginning of something else waits, so that no click is made by mistake.

import { distance, isInside, panBy, toImage } from "../geometry.js";
import { onPicture } from "../stage.js";

/** @import { Begin, Finger, Gesture, Page, Pinch, Press, View } from "../page.js" */
/** @import { Point } from "../wire.js" */

const SLACK = 10; // CSS pixels that a tap may wander
const HOLD_MS = 550; // from then on a finger that rests takes away
const PALM_MS = 1000; // after a pen was used a touch is the hand that holds it
const POINTS = new Set(["select", "click", "box"]); // the tools whose one-finger drag moves the view, but for boxes

/**
 * `begin` is the page's gestures as one, of a press; `moves` those of them that a drag of a pointing tool may begin.
 *
 * @param {Page} page
 * @param {Begin} begin
 * @param {Begin} moves
 */
export function bindTouch({ store, stage }, begin, moves) {
  /** @type {Map<number, PointerEvent>} */
  const fingers = new Map(); // pointer id → its last event
  /** @type {Finger | null} */
  let one = null; // the first finger, while it is alone
  /** @type {Pinch | null} */
  let pinch = null;
  let penAt = -Infinity;

  /** @param {PointerEvent} event */
  const place = (event) => stage.screenPoint(event);

  /**
   * Where the first two fingers are; null while there is one alone.
   *
   * @returns {[Point, Point] | null}
   */
  function points() {
    const [a, b] = fingers.values();
    return a && b ? [place(a), place(b)] : null;
  }

  function forget() {
    if (one) clearTimeout(one.timer);
    one?.gesture?.cancel?.();
    one = null;
  }

  /** Nothing comes of what fingers have begun, whatever they do until they are lifted. */
  function drop() {
    forget();
    fingers.clear();
    pinch = null;
  }

  /** A finger that rests is the right button. */
  function held() {
    const { tool, document } = store.state;
    if (!one) return;
    if (!POINTS.has(tool) || tool === "select" || !document || !isInside(document, stage.imagePoint(one.event))) return;
    navigator.vibrate?.(15);
    tap(pressOf(one.event, 2));
    one = null;
  }

  /** @param {Press} press */
  function tap(press) {
    begin(press)?.end?.(press);
  }

  /** @param {PointerEvent} event */
  function down(event) {
    if (!onPicture(event)) return;
    event.preventDefault();
    if (event.timeStamp - penAt < PALM_MS) return;
    fingers.set(event.pointerId, event);
    stage.element.setPointerCapture(event.pointerId);
    if (fingers.size === 1) {
      stage.element.focus({ preventScroll: true });
      one = { event, start: place(event), timer: setTimeout(held, HOLD_MS) };
    }
    const both = points();
    if (both && fingers.size === 2) {
      forget();
      pinch = { view: store.state.view, points: both };
    }
  }

  /** @param {PointerEvent} event */
  function move(event) {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event);
    const both = points();
    if (pinch && both) return stage.look(pinched(pinch, both), middle(both));
    if (!one) return;
    if (!one.gesture && distance(place(event), one.start) > SLACK) {
      clearTimeout(one.timer);
      one.gesture = dragOf(one);
    }
    one.gesture?.move?.(event);
  }

  /**
   * What a drag of one finger is: with a tool that draws a stroke, else the view, or a click that is held.
   *
   * @param {Finger} finger
   * @returns {Gesture | null}
   */
  function dragOf({ event, start }) {
    const press = pressOf(event, 0);
    const { tool, view } = store.state;
    if (!POINTS.has(tool) || tool === "box") return begin(press);
    const pan = {
      /** @param {PointerEvent} moved */
      move: (moved) => stage.look(panBy(view, place(moved)[0] - start[0], place(moved)[1] - start[1])),
    };
    return moves(press) ?? pan;
  }

  /** @param {PointerEvent} event */
  function up(event) {
    if (!fingers.delete(event.pointerId)) return;
    if (one?.gesture) one.gesture.end?.(event);
    else if (one) tap(pressOf(one.event, 0));
    if (one) clearTimeout(one.timer);
    one = null;
    if (!fingers.size) pinch = null; // the finger that stays behind after a pinch does nothing
  }

  /** @param {PointerEvent} event */
  function cancel(event) {
    if (!fingers.delete(event.pointerId)) return;
    forget();
    if (!fingers.size) pinch = null;
  }

  /** @type {(handle: (event: PointerEvent) => void) => (event: PointerEvent) => void} */
  const touches = (handle) => (event) => {
    if (event.pointerType === "touch") handle(event);
  };
  stage.element.addEventListener("pointerdown", touches(down));
  stage.element.addEventListener("pointermove", touches(move));
  stage.element.addEventListener("pointerup", touches(up));
  stage.element.addEventListener("pointercancel", touches(cancel));
  /** @param {PointerEvent} event */
  function pen({ type, buttons, timeStamp }) {
    if (type === "pointerdown") drop(); // the hand often lies there before the pen does
    else forget();
    penAt = buttons ? Infinity : timeStamp; // as long as it touches, and a while longer
  }
  for (const kind of /** @type {const} */ (["pointerdown", "pointermove", "pointerup", "pointercancel"])) {
    stage.element.addEventListener(kind, (event) => event.pointerType === "pen" && pen(event));
  }
  store.watch(["imageId"], drop);
}

/**
 * The view that keeps what was under both fingers under them.
 *
 * @param {Pinch} pinch
 * @param {[Point, Point]} points
 * @returns {View}
 */
export function pinched({ view, points: [a, b] }, [c, d]) {
  const factor = distance(c, d) / Math.max(distance(a, b), 1);
  const under = toImage(view, middle([a, b]));
  const [x, y] = middle([c, d]);
  const scale = view.scale * factor;
  return { scale, x: x - scale * under[0], y: y - scale * under[1] };
}

/**
 * @param {[Point, Point]} points
 * @returns {Point}
 */
function middle([[x0, y0], [x1, y1]]) {
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}

/**
 * A press at that place with that button, as gestures take one.
 *
 * @param {PointerEvent} event
 * @param {number} button
 * @returns {Press}
 */
function pressOf({ clientX, clientY, timeStamp, pressure }, button) {
  const keys = { altKey: false, ctrlKey: false, shiftKey: false };
  return { clientX, clientY, timeStamp, pressure, button, pointerType: "touch", ...keys };
}
