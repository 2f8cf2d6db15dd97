// A list of any length of which only the rows in sight are in the document.

/** @import { RowKind, VirtualList } from "../page.js" */

const BEYOND = 6; // rows drawn above and below what is in sight

/**
 * @template Row
 * @param {HTMLElement} list the element that the rows go into; it scrolls itself, or something around it does
 * @param {RowKind<Row>} kind
 * @returns {VirtualList<Row>}
 */
export function createVirtualList(list, { keyOf, isSame, heightOf, draw, painted }) {
  /** @type {Row[]} */
  let rows = [];
  let tops = new Float64Array(1); // where each row begins, and where the last one ends
  /** @type {Map<string, { row: Row, element: HTMLElement }>} */
  let drawn = new Map(); // by key, of those in the document
  let frame = 0;

  /** @param {Row[]} next */
  function show(next) {
    rows = next;
    tops = new Float64Array(rows.length + 1);
    rows.forEach((row, i) => {
      tops[i + 1] = tops[i] + heightOf(row);
    });
    paint();
  }

  /**
   * The first row that ends below `y`.
   *
   * @param {number} y
   */
  function rowAt(y) {
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tops[middle + 1] > y) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** What is in sight of the list's content, in CSS pixels from its top. */
  function sight() {
    const box = list.getBoundingClientRect();
    const top = Math.max(box.top, 0);
    const bottom = Math.min(box.bottom, innerHeight);
    const from = list.scrollTop + top - box.top;
    return [from, from + Math.max(bottom - top, 0)];
  }

  function paint() {
    const [from, to] = sight();
    const first = Math.max(rowAt(from) - BEYOND, 0);
    const last = Math.min(rowAt(to) + 1 + BEYOND, rows.length);
    const kept = new Map();
    for (const row of rows.slice(first, last)) {
      const key = keyOf(row);
      const known = drawn.get(key);
      const element = known && isSame(known.row, row) ? known.element : draw(row);
      kept.set(key, { row, element });
    }
    [...kept.values()].forEach(({ element }, i) => {
      element.setAttribute("aria-setsize", String(rows.length)); // for who can't see how long the list is
      element.setAttribute("aria-posinset", String(first + i + 1));
    });
    const focused = focusIn(drawn);
    drawn = kept;
    place([...kept.values()].map(({ element }) => element));
    if (focused) focusAgain(kept, focused);
    // Space in the place of the rows that aren't there: a scroll bar as for all of them. Not padding, below which a
    // box can't shrink: the list would be as high as all of its rows, and nothing would scroll.
    list.style.setProperty("--above", `${tops[first]}px`);
    list.style.setProperty("--below", `${tops[rows.length] - tops[last]}px`);
    painted?.([...drawn.values()]);
  }

  /**
   * Elements that stay aren't taken out in between: a row that is focused or pressed keeps that.
   *
   * @param {HTMLElement[]} elements
   */
  function place(elements) {
    const wanted = /** @type {Set<Element>} */ (new Set(elements));
    for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
    elements.forEach((element, i) => {
      if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
    });
  }

  function schedule() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      paint();
    });
  }

  /**
   * Scrolls as little as it takes to have the row in sight; answers its element.
   *
   * @param {string | null} key
   */
  function reveal(key) {
    const at = rows.findIndex((row) => keyOf(row) === key);
    if (at < 0) return null;
    const [from, to] = sight();
    const over = tops[at] - from;
    const under = tops[at + 1] - to;
    const scroller = (scrolls(list) ? null : list.closest(".side")) ?? list;
    if (over < 0) scroller.scrollTop += over;
    else if (under > 0) scroller.scrollTop += under;
    paint();
    return elementOf(keyOf(rows[at]));
  }

  /** @param {string} key */
  function elementOf(key) {
    return drawn.get(key)?.element ?? null;
  }

  addEventListener("scroll", schedule, { capture: true, passive: true });
  addEventListener("resize", schedule);
  new ResizeObserver(schedule).observe(list);

  return {
    show,
    paint,
    reveal,
    get rows() {
      return rows;
    },
    elementOf,
  };
}

/**
 * The row that has the focus, and on which of its buttons it is.
 *
 * @param {Map<string, { element: HTMLElement }>} drawn
 */
function focusIn(drawn) {
  const at = document.activeElement;
  for (const [key, { element }] of drawn) {
    if (!element.contains(at)) continue;
    const place = [...element.querySelectorAll("button")].findIndex((button) => button === at);
    return { key, at, place };
  }
  return null;
}

/**
 * A row that was drawn anew has the focus where the old one had it.
 *
 * @param {Map<string, { element: HTMLElement }>} drawn
 * @param {{ key: string, at: Element | null, place: number }} focused
 */
function focusAgain(drawn, { key, at, place }) {
  const element = drawn.get(key)?.element;
  if (element && !element.contains(at)) element.querySelectorAll("button")[place]?.focus({ preventScroll: true });
}

/** @param {HTMLElement} list */
function scrolls(list) {
  return getComputedStyle(list).overflowY !== "visible";
}
