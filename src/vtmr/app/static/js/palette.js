// Colours of labels on photos. Pure functions, no DOM.
//
// Every contour is drawn in two tones, a dark casing around a bright line, so that one of them stands out on black, on
// white and on anything between; the fill is the label's hue.

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

/** The colour of a label by its place in the project's list; objects without a label are pale grey. */
export function colourOf(label, labels) {
  const place = label ? labels.indexOf(label) : -1;
  if (!label) return UNLABELLED;
  return place >= 0 ? HUES[place % HUES.length] : HUES[hash(label) % HUES.length];
}

function hash(text) {
  let value = 7;
  for (const character of text) value = (value * 31 + character.codePointAt(0)) >>> 0;
  return value;
}
