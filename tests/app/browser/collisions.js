// Sentences about things side by side that share pixels, things that stick out of the window, texts that are cut off.
() => {
  const found = [];
  const shown = element =>
    element.checkVisibility({visibilityProperty: true}) && element.getBoundingClientRect().width > 0;
  const name = element => element.id || element.dataset.command || element.className || element.tagName;
  const groups =
    'body, .bar, .group, .head, .section, .three, .chips, .between, .status, #tools, .tray, .row, .readings, ' +
    '#banner, .banner';
  const above = '.visually-hidden, dialog, .menu, canvas, .toasts, #images.open';
  for (const group of document.querySelectorAll(groups)) {
    const children = [...group.children].filter(child => shown(child) && !child.matches(above));
    children.forEach((a, i) => children.slice(i + 1).forEach(b => {
      const [p, q] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
      const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (across > 0.5 && down > 0.5) found.push(`${name(a)} overlaps ${name(b)}`);
    }));
  }
  for (const button of document.querySelectorAll('button, h2, output, .field, .about')) {
    if (!shown(button)) continue;
    const {left, right} = button.getBoundingClientRect();
    if (left < -0.5 || right > innerWidth + 0.5) found.push(`${name(button)} sticks out`);
    const cut = button.scrollWidth > button.clientWidth + 1 && !button.querySelector('.name');
    if (cut) found.push(`${name(button)} is cut off`);
  }
  for (const button of document.querySelectorAll('.three button')) {
    const text = document.createRange();
    text.selectNodeContents(button);
    if (shown(button) && text.getClientRects().length > 1) found.push(`${name(button)} has its text on several lines`);
  }
  const tools = document.querySelector('.tray').getBoundingClientRect();
  for (const other of document.querySelectorAll('#banner, .toast')) {
    const box = other.getBoundingClientRect();
    const covers = box.left < tools.right && box.right > tools.left && box.top < tools.bottom && box.bottom > tools.top;
    if (covers) found.push(`${name(other)} covers the tools`);
  }
  return found;
}
