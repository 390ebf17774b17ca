// Looks at every frame of the page and writes what it found, as JSON, into #found.

// Relative luminance and contrast, as WCAG 2 defines them.
function channels(color) {
  return color.match(/[\d.]+/g).map(Number);
}

function luminance([red, green, blue]) {
  const [r, g, b] = [red, green, blue].map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function background(element) {
  for (let at = element; at; at = at.parentElement) {
    const color = channels(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
}

function texts(page) {
  const found = [];
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (walker.currentNode.data.trim()) found.push(walker.currentNode);
  }
  return found;
}

function look(frame) {
  const view = frame.contentWindow;
  const page = frame.contentDocument;
  const seen = texts(page).map((node) => {
    const element = node.parentElement;
    const color = channels(getComputedStyle(element).color);
    return [contrast(color, background(element)), node.data.trim()];
  });
  seen.sort(([one], [other]) => one - other);
  const wide = [...page.body.querySelectorAll("*")].filter(
    (element) => element.getBoundingClientRect().right > view.innerWidth + 0.5
  );
  return {
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    background: luminance(background(page.body)),
    texts: seen.length,
    contrast: seen[0][0],
    faintest: `${seen[0][1]} (${seen[0][0].toFixed(2)})`,
    // Of what is shown: its text, and how far down it ends.
    places: texts(page).flatMap((node) => {
      const range = page.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      return box.height ? [[node.data.trim(), box.bottom]] : [];
    }),
    overflow: wide.map((element) => element.outerHTML.slice(0, 200)),
    fetched: view.performance.getEntriesByType("resource").map((entry) => entry.name),
  };
}

addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) found[frame.id] = look(frame);
  document.getElementById("found").textContent = JSON.stringify(found);
});
