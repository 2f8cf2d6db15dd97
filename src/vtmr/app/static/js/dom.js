// Making elements. Text always goes in as text, never as markup: names and labels are data.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | null | undefined} Child Nothing is put in for null. */

/**
 * An element: properties are set as attributes, but for on… handlers, `text` and `dataset`.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name === "text") element.textContent = String(value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * One of the drawings in index.html.
 *
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/**
 * The element of index.html with that id, which is of that kind.
 *
 * @template {HTMLElement} [Kind=HTMLElement]
 * @param {string} id
 * @param {new () => Kind} [kind] HTMLElement where only that matters
 * @returns {Kind}
 */
export function byId(id, kind) {
  return checked(document.getElementById(id), `#${id}`, kind);
}

/**
 * The first element inside `root` that the selector fits.
 *
 * @template {HTMLElement} [Kind=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Kind} [kind] HTMLElement where only that matters
 * @returns {Kind}
 */
export function inside(root, selector, kind) {
  return checked(root.querySelector(selector), selector, kind);
}

/**
 * @template {HTMLElement} Kind
 * @param {Element | null} element
 * @param {string} selector
 * @param {new () => Kind} [kind]
 * @returns {Kind}
 */
function checked(element, selector, kind) {
  const wanted = kind ?? HTMLElement;
  if (element instanceof wanted) return /** @type {Kind} */ (element);
  throw new TypeError(`${selector} is ${element ?? "missing"}: expected a ${wanted.name}.`);
}

/**
 * A square of the colour. Set through the style object, which the page's content policy allows.
 *
 * @param {string} colour
 */
export function swatch(colour) {
  const square = el("span", { class: "swatch", "aria-hidden": "true" });
  square.style.backgroundColor = colour;
  return square;
}

/**
 * What draws on a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function drawingOn(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new TypeError("This browser has no 2D canvas: vtmr's page needs one.");
  return context;
}
