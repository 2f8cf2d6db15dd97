// The objects of the open image, the uppermost first, and the labels.

import { byId, el, icon, swatch } from "../dom.js";
import { areaOf } from "../masks.js";
import { tracedPath } from "../paint/maskcache.js";
import { colourOf } from "../palette.js";
import { canEdit, selectedObject } from "../store.js";
import { counted } from "./images.js";

const THUMB = 40;

export function objectsPanel({ store, editor }) {
  const list = byId("object-list");
  const thumbs = new WeakMap(); // mask → {colour, canvas}

  function thumb(mask, colour) {
    if (!mask) return el("span", { class: "thumb mask" });
    const known = thumbs.get(mask);
    if (known?.colour === colour) return el("span", { class: "thumb mask" }, known.canvas);
    const canvas = drawThumb(mask, colour);
    thumbs.set(mask, { colour, canvas });
    return el("span", { class: "thumb mask" }, canvas);
  }

  function row(object, state) {
    const editable = canEdit(state);
    const colour = colourOf(object.label, state.project.labels);
    const mask = state.masks[object.id];
    const about = mask ? `${areaOf(mask).toLocaleString("en")} px` : "empty";
    const button = (name, text, pressed, run) =>
      el(
        "button",
        {
          class: "bare small",
          title: text,
          "aria-label": text,
          "aria-pressed": String(pressed),
          disabled: !editable,
          onclick: run,
        },
        icon(name),
      );
    return el(
      "li",
      {
        class: `row${object.id === state.selected ? " current" : ""}${object.visible ? "" : " hides"}`,
        dataset: { object: object.id },
      },
      thumb(mask, colour),
      el(
        "button",
        {
          class: "pick what",
          "aria-pressed": String(object.id === state.selected),
          onclick: () => editor.select(object.id),
        },
        el("span", { class: "name" }, swatch(colour), el("span", { text: object.label || "no label" })),
        el("span", {
          class: "about",
          text: object.clicks.length ? `${about} · ${counted(object.clicks.length, "click")}` : about,
        }),
      ),
      button(object.visible ? "eye" : "eye-off", object.visible ? "Hide" : "Show", !object.visible, () =>
        editor.setVisible(object.id, !object.visible),
      ),
      button(object.locked ? "lock" : "unlock", object.locked ? "Unlock" : "Lock", object.locked, () =>
        editor.setLocked(object.id, !object.locked),
      ),
    );
  }

  store.watch(["document", "masks", "selected", "project", "connection"], (state) => {
    const objects = state.document?.objects ?? [];
    byId("object-count").textContent = objects.length ? counted(objects.length, "object") : "Objects";
    const focused = list.contains(document.activeElement) && document.activeElement.closest("li")?.dataset.object;
    list.replaceChildren(...objects.toReversed().map((object) => row(object, state)));
    if (state.document && !objects.length)
      list.append(el("li", { class: "none", text: "None yet: click one in the image." }));
    if (focused) list.querySelector(`[data-object="${CSS.escape(focused)}"] .pick`)?.focus();
  });
  store.watch(["selected", "document"], ({ selected }) => {
    list.querySelector(`[data-object="${CSS.escape(selected ?? "")}"]`)?.scrollIntoView({ block: "nearest" });
  });
}

/** On a phone the objects come up over the image and go again. */
export function objectsDrawer({ store }) {
  const button = byId("objects-drawer");
  const set = (open) => {
    byId("objects").classList.toggle("open", open);
    button.ariaExpanded = String(open);
  };
  button.addEventListener("click", () => set(button.ariaExpanded !== "true"));
  byId("stage").addEventListener("pointerdown", () => set(false));
  store.watch(["document"], ({ document }) => {
    button.textContent = document?.objects.length ? counted(document.objects.length, "object") : "Objects";
  });
}

export function labelsPanel({ store, editor }) {
  const form = byId("new-label");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = form.querySelector("input");
    const label = input.value.trim();
    if (!label) return;
    input.value = "";
    editor.setLabel(label);
    byId("stage").focus();
  });
  store.watch(["project", "selected", "document", "label", "connection"], (state) => {
    const labels = state.project?.labels ?? [];
    const current = selectedObject(state)?.label ?? state.label ?? labels[0];
    const shown = state.label && !labels.includes(state.label) ? [...labels, state.label] : labels;
    byId("labels").replaceChildren(
      ...shown.map((label, i) =>
        el(
          "button",
          {
            class: "chip",
            "aria-pressed": String(label === current),
            title: label,
            disabled: !canEdit(state),
            onclick: () => editor.setLabel(label),
          },
          swatch(colourOf(label, labels)),
          el("span", { text: label }),
          i < 9 ? el("b", { text: String(i + 1) }) : null,
        ),
      ),
    );
    byId("labels").hidden = !shown.length;
    form.querySelector("input").disabled = !canEdit(state);
  });
}

function drawThumb(mask, colour) {
  const [x0, y0, x1, y1] = mask.box;
  const longest = Math.max(x1 - x0, y1 - y0);
  const room = (THUMB - 8) * devicePixelRatio;
  const side = THUMB * devicePixelRatio;
  const scale = room / longest;
  const canvas = el("canvas", { width: side, height: side });
  const context = canvas.getContext("2d");
  context.translate(side / 2, side / 2);
  context.scale(scale, scale);
  context.translate(-(x0 + x1) / 2, -(y0 + y1) / 2);
  context.fillStyle = colour;
  context.fill(tracedPath(mask, mask.box, Math.max(1, Math.floor(longest / room / 2))));
  return canvas;
}
