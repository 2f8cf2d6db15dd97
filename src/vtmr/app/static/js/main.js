// Puts the page together: state, server, stage, gestures, panels. The order of gestures is their precedence.

import { api } from "./api.js";
import { createCommands } from "./commands.js";
import { byId } from "./dom.js";
import { createEditor } from "./editor.js";
import { brush } from "./gestures/brush.js";
import { box } from "./gestures/box.js";
import { choose, choosePicked, chooseWithShift } from "./gestures/choose.js";
import { click } from "./gestures/click.js";
import { cut } from "./gestures/cut.js";
import { bindHover } from "./gestures/hover.js";
import { bindLight } from "./gestures/light.js";
import { moveClick } from "./gestures/moveclick.js";
import { moveMask } from "./gestures/movemask.js";
import { outline } from "./gestures/outline.js";
import { pan } from "./gestures/pan.js";
import { bindTouch } from "./gestures/touch.js";
import { bindWheel } from "./gestures/wheel.js";
import { bindHeartbeat } from "./heartbeat.js";
import { bindKeyboard } from "./keyboard.js";
import { controls } from "./panels/controls.js";
import { corrections } from "./panels/corrections.js";
import { bindSheet, createDialogs } from "./panels/dialogs.js";
import { exportMenu } from "./panels/exporting.js";
import { hintLine } from "./panels/hintline.js";
import { giveLesson, hadLesson } from "./panels/lesson.js";
import { imagesPanel } from "./panels/images.js";
import { notices } from "./panels/notices.js";
import { detailsPanel } from "./panels/details.js";
import { labelsPanel } from "./panels/labels.js";
import { leftOutPanel } from "./panels/leftout.js";
import { lookPanel } from "./panels/look.js";
import { bindManager } from "./panels/manager.js";
import { objectsDrawer, objectsPanel } from "./panels/objects.js";
import { savedPanel } from "./panels/saved.js";
import { settings } from "./panels/settings.js";
import { severalPanel } from "./panels/several.js";
import { remember, remembered } from "./preferences.js";
import { bindGestures, createStage, first } from "./stage.js";
import { createStore, INITIAL } from "./store.js";
import { initialTheme } from "./theme.js";
import { bindTools } from "./tools.js";

/** @import { Begin, Page, ToolId } from "./page.js" */

initialTheme();
const store = createStore({ ...INITIAL, ...remembered() });
const editor = createEditor(store, api);
const stage = createStage(byId("stage"), store, api);
const dialogs = createDialogs();
const commands = createCommands({ store, editor, stage, dialogs });
/** @type {Page} */
const page = { store, editor, stage, api, dialogs, commands };

const panels = [imagesPanel, leftOutPanel, objectsPanel, objectsDrawer, severalPanel, detailsPanel, labelsPanel];
panels.push(savedPanel, controls, corrections, settings, lookPanel, hintLine, notices, exportMenu);
for (const show of panels) show(page);
bindManager(page);
bindSheet(dialogs, commands, () => giveLesson(page));

const onClick = moveClick(page);
const onMask = moveMask(page);
/** @type {Partial<Record<ToolId, Begin>>} */
const DRAGS = { click: onClick, select: onMask }; // what one finger may drag instead of the view
const putAway = () => store.update({ drawn: null });
const paints = { pressure: true };
const held = bindTools(store, [
  { id: "select", gesture: first(onMask, choose(page)) },
  { id: "click", gesture: first(onClick, click(page)) },
  { id: "box", gesture: first(onClick, box(page)), disable: putAway },
  { id: "outline", gesture: outline(page), disable: putAway },
  { id: "scribble", gesture: brush(page, editor.scribble) },
  { id: "brush", gesture: brush(page, editor.brush, paints) },
  { id: "eraser", gesture: brush(page, editor.brush, { ...paints, erases: true }) },
  { id: "cut", gesture: cut(page), disable: putAway },
]);
const press = first(pan(page), chooseWithShift(page), choosePicked(page), held);
bindTouch(page, press, (event) => DRAGS[store.state.tool]?.(event) ?? null); // first: a pen ends what its hand began
bindGestures(page, press);
bindWheel(page);
bindHover(page);
bindLight(page);
bindKeyboard(page);
bindHeartbeat(page);
remember(store);

// The open image is in the address, so that a reload comes back to it.
store.watch(["imageId"], ({ imageId }) => imageId && history.replaceState(null, "", `#${imageId}`));
store.watch(["project", "unsaved", "nudge", "opening", "sharp"], ({ project, unsaved, nudge, opening, sharp }) => {
  stage.element.ariaBusy = String(!project || opening || unsaved > 0 || nudge !== null || !sharp);
});
store.watch(["document"], ({ document: open }) => {
  stage.element.dataset.size = open ? `${open.width}x${open.height}` : "";
});
addEventListener("beforeunload", (event) => {
  if (store.state.unsaved || store.state.nudge) event.preventDefault();
});
store.watch(["tool", "panning"], ({ tool, panning }) => {
  stage.element.dataset.cursor = panning ? "pan" : tool;
});

const asked = location.hash.slice(1);
await editor.start();
const { images } = store.state;
const begun =
  images.find(({ id }) => id === asked) ?? images.find(({ state, error }) => state !== "done" && !error) ?? images[0];
if (begun) void editor.open(begun.id);
stage.element.focus();
if (store.state.project && !hadLesson()) giveLesson(page);
