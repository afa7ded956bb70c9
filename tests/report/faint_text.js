// Every text with less contrast to what is behind it than WCAG 2 asks for (AA): its words and its ratio.
() => {
  const parts = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return text.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3]));
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const home = node.parentElement, layers = [];
    if (!node.textContent.trim() || !home.getClientRects().length || home.matches("script, style, option")) continue;
    for (let at = home; at; at = at.parentElement) layers.unshift(parts(getComputedStyle(at).backgroundColor));
    const behind = layers.reduce((below, top) => over(top, below), [255, 255, 255]);
    const style = getComputedStyle(home), size = parseFloat(style.fontSize);
    const [darker, lighter] = [light(over(parts(style.color), behind)), light(behind)].sort((a, b) => a - b);
    const ratio = (lighter + 0.05) / (darker + 0.05), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${node.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}
