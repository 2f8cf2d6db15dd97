// The first minute: a click, a right click, the next object, on a photo of our own. It is shown once; nothing is kept.

import { byId, drawingOn, el, icon, inside } from "../dom.js";
import { distance } from "../geometry.js";
import { hasPixels } from "../masks.js";
import { keep, recall } from "../memory.js";
import { tracedPath } from "../paint/maskcache.js";
import { CASING, HUES } from "../palette.js";

/** @import { Mask, Page } from "../page.js" */
/** @import { Click, Point } from "../wire.js" */

const KEY = "vtmr-lesson";
const SIZE = { width: 600, height: 400 }; // of the photo
const HOLD_MS = 550; // a finger that rests takes away
const SLACK = 10; // CSS pixels that a tap may wander
// Without a mouse.
const TAPS = ["Tap the cup.", "Hold a finger on the spoon.", "Press New object, then tap the spoon."];
/** @type {{ text: string, about: string, at?: Point }[]} */
const STEPS = [
  { text: "Click the cup.", about: "A click says: this belongs to the object.", at: [290, 235] },
  {
    text: "Right-click the spoon.",
    about: "Right-click, or hold a finger: this doesn't belong. Click and right-click until the mask fits.",
    at: [366, 290],
  },
  { text: "Press N, or New object, and click the spoon.", about: "Each object has a mask of its own.", at: [355, 320] },
  {
    text: "That's all it takes.",
    about: "Every change is saved; Accept marks an image as done. Press ? for all keys.",
  },
];

/** @typedef {{ clicks: Click[], mask: Mask | null }} Learned An object of the lesson. */

export function hadLesson() {
  return recall(KEY) !== null || !navigator.cookieEnabled; // a browser that can't remember would show it every time
}

/**
 * Shows the lesson. Its end, however it comes, is remembered.
 *
 * @param {Page} page
 */
export function giveLesson({ api, editor }) {
  /** @type {{ step: number, objects: Learned[], busy: Promise<void> }} */
  const state = { step: 0, objects: [{ clicks: [], mask: null }], busy: Promise.resolve() };
  const box = frame();
  const canvas = inside(box, "canvas", HTMLCanvasElement);
  const [fresh, skip] = [inside(box, "[data-lesson=new]", HTMLButtonElement), inside(box, "[data-lesson=skip]")];
  const context = drawingOn(canvas);
  const photo = new Image();

  function show() {
    const { text, about } = STEPS[state.step];
    const taps = matchMedia("(pointer: coarse)").matches && TAPS[state.step];
    inside(box, "h3").textContent = taps || text;
    inside(box, "p").textContent = about;
    [...box.querySelectorAll("li")].forEach((dot, i) => dot.classList.toggle("done", i < state.step));
    const last = state.step === STEPS.length - 1;
    fresh.disabled = state.step !== 2;
    skip.textContent = last ? "Start" : "Skip";
    skip.classList.toggle("primary", last);
    paint(context, photo, state);
  }

  /**
   * @param {Point} point
   * @param {boolean} positive
   */
  function click(point, positive) {
    const object = state.objects.at(-1);
    if (!object || (!positive && !object.clicks.length)) return;
    object.clicks = [...object.clicks, { x: point[0], y: point[1], positive }];
    const ends = [positive, !positive, positive && state.objects.length > 1][state.step];
    if (ends) state.step += 1;
    show();
    state.busy = state.busy.then(() => ask(object));
  }

  /** @param {Learned} object */
  async function ask(object) {
    try {
      const { mask } = await api.lesson(object.clicks);
      object.mask = hasPixels(mask) ? mask : null;
    } catch (error) {
      box.close();
      editor.refused(error);
    }
    show();
  }

  function begin() {
    if (state.step !== 2 || !state.objects.at(-1)?.clicks.length) return;
    state.objects.push({ clicks: [], mask: null });
    show();
  }

  fresh.addEventListener("click", begin);
  skip.addEventListener("click", () => box.close());
  box.addEventListener("keydown", (event) => {
    if (event.key === "n") begin();
    const { at } = STEPS[state.step];
    if (event.key === "Enter" && event.target === canvas && at) click(at, state.step !== 1);
  });
  box.addEventListener("close", () => {
    keep(KEY, "seen");
    box.remove();
    byId("stage").focus();
  });
  bindPresses(canvas, click);
  photo.addEventListener("load", show);
  photo.src = api.lessonPhotoUrl;
  document.body.append(box);
  box.showModal();
  canvas.focus();
  show();
}

function frame() {
  const dots = STEPS.slice(0, -1).map((_, i) => el("li", { text: String(i + 1) }));
  return el(
    "dialog",
    { class: "sheet lesson", "aria-label": "The first minute" },
    el("header", {}, el("div", { role: "status" }, el("h3"), el("p")), el("ol", { "aria-hidden": "true" }, ...dots)),
    el("canvas", { ...SIZE, tabindex: "0", role: "application", "aria-label": "Photo: Enter clicks at the ring" }),
    el(
      "footer",
      {},
      el(
        "button",
        { dataset: { lesson: "new" } },
        icon("plus"),
        el("span", { text: "New object" }),
        el("kbd", { text: "N" }),
      ),
      el("button", { dataset: { lesson: "skip" }, text: "Skip" }),
    ),
  );
}

/**
 * click(point, positive), in pixels of the photo: by mouse at once, by a finger when it is clear what it does.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {(point: Point, positive: boolean) => void} click
 */
function bindPresses(canvas, click) {
  /** @type {{ id: number, at: Point, point: Point, timer: number } | null} */
  let finger = null;
  /**
   * @param {PointerEvent} event
   * @returns {Point}
   */
  const pointOf = ({ offsetX, offsetY }) => [
    (offsetX * SIZE.width) / canvas.clientWidth,
    (offsetY * SIZE.height) / canvas.clientHeight,
  ];
  const drop = () => {
    if (finger) clearTimeout(finger.timer);
    finger = null;
  };
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    const point = pointOf(event);
    if (event.pointerType !== "touch") return click(point, event.button === 0 && !event.altKey);
    if (finger) return drop();
    const hold = () => {
      drop();
      click(point, false);
    };
    finger = { id: event.pointerId, at: [event.clientX, event.clientY], point, timer: setTimeout(hold, HOLD_MS) };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (finger && event.pointerId === finger.id && distance([event.clientX, event.clientY], finger.at) > SLACK) drop();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!finger || event.pointerId !== finger.id) return;
    const { point } = finger;
    drop();
    click(point, true);
  });
  canvas.addEventListener("pointercancel", drop);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HTMLImageElement} photo
 * @param {{ step: number, objects: Learned[] }} state
 */
function paint(context, photo, { step, objects }) {
  context.clearRect(0, 0, SIZE.width, SIZE.height);
  if (photo.complete && photo.naturalWidth) context.drawImage(photo, 0, 0);
  objects.forEach((object, i) => paintObject(context, object, HUES[i % HUES.length]));
  const { at } = STEPS[step];
  if (at) ring(context, at);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Learned} object
 * @param {string} colour
 */
function paintObject(context, { clicks, mask }, colour) {
  if (mask) {
    const path = tracedPath(mask, mask.box, 1);
    context.globalAlpha = 0.45;
    context.fillStyle = colour;
    context.fill(path);
    context.globalAlpha = 1;
    for (const { style, width } of [
      { style: CASING, width: 4 },
      { style: colour, width: 2 },
    ]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke(path);
    }
  }
  for (const { x, y, positive } of clicks) {
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.fillStyle = positive ? "#22c55e" : "#f0443a";
    context.fill();
    context.strokeStyle = "#ffffff";
    context.lineWidth = 2;
    context.stroke();
  }
}

/**
 * Where the next press belongs.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Point} point
 */
function ring(context, [x, y]) {
  for (const { style, width } of [
    { style: CASING, width: 5 },
    { style: "#ffffff", width: 2.5 },
  ]) {
    context.beginPath();
    context.arc(x, y, 16, 0, 2 * Math.PI);
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke();
  }
}
