// [text, contrast] of every element that shows text of its own and isn't disabled: WCAG's contrast, against all the
// backgrounds that lie behind it.
() => {
  const parse = colour => (colour.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(parse(getComputedStyle(at).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const says = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll('body *')].filter(element =>
    element.checkVisibility({opacityProperty: true, visibilityProperty: true}) &&
    !element.matches(':disabled *, :disabled, .visually-hidden') && says(element)
  ).map(element => {
    const ground = behind(element), text = over(parse(getComputedStyle(element).color), ground);
    const [a, b] = [light(text), light(ground)].sort((p, q) => q - p);
    return [element.textContent.trim().slice(0, 40), (a + .05) / (b + .05)];
  });
}
