// Colours of labels on photos. Pure functions, no DOM.
//
// Every contour is drawn in two tones, a dark casing around a bright line, so that one of them stands out on black, on
// white and on anything between; the fill is the label's hue.

/** @import { State } from "./page.js" */
/** @import { AnnotatedObject, Project } from "./wire.js" */

export const CASING = "rgba(8, 10, 14, 0.85)";

// Hues far apart, bright enough for 4.5:1 on the casing, in an order that keeps neighbours distinct. The key's number
// picks the label, so the first nine matter most. Also told apart with red-green blindness by their lightness.
export const HUES = [
  "#4cc9f0", // sky
  "#ffb703", // amber
  "#f472d0", // pink
  "#8ce04f", // lime
  "#ff7a59", // coral
  "#b69cff", // violet
  "#2ee6a8", // mint
  "#ffe45c", // lemon
  "#ff9ab0", // rose
  "#7fa8ff", // blue
];

export const UNLABELLED = "#e6e9ef";

/**
 * The colour of a label by its place in the project's list; objects without a label are pale grey.
 *
 * @param {string} label
 * @param {string[]} labels
 */
export function colourOf(label, labels) {
  const place = label ? labels.indexOf(label) : -1;
  if (!label) return UNLABELLED;
  return place >= 0 ? HUES[place % HUES.length] : HUES[hash(label) % HUES.length];
}

/**
 * The colour that the user gave the label, or its place's. project: GET /project.
 *
 * @param {string} label
 * @param {Project | null} project
 */
export function labelColour(label, project) {
  return project?.colours[label] ?? colourOf(label, project?.labels ?? []);
}

/**
 * What an object is called on the page: it keeps its number whatever becomes of the others.
 *
 * @param {{ id: string }} object
 */
export function numberOf({ id }) {
  return Number(id.slice(1));
}

/**
 * By its label, or one of its own.
 *
 * @param {AnnotatedObject} object
 * @param {Pick<State, "project" | "colouring">} state
 */
export function colourOfObject(object, { project, colouring }) {
  return colouring === "instance" ? instanceColour(numberOf(object)) : labelColour(object.label, project);
}

/**
 * Of each number: the first ten as far apart as labels, the others by turns of the golden angle.
 *
 * @param {number} number
 */
export function instanceColour(number) {
  if (number <= HUES.length) return HUES[(number + HUES.length - 1) % HUES.length];
  return `hsl(${Math.round(number * 137.508) % 360} 90% ${number % 2 ? 68 : 76}%)`;
}

/** @param {string} text */
function hash(text) {
  let value = 7;
  for (const character of text) value = (value * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return value;
}
