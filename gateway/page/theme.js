// The colours of theme.css for what is drawn on a canvas, where style sheets do not reach.

const NAMES = {
  muted: "--muted", line: "--line", panel: "--panel", up: "--up", down: "--down",
  upFill: "--up-fill", downFill: "--down-fill",
};
const scheme = matchMedia("(prefers-color-scheme: light)");
let known = null;

scheme.addEventListener("change", () => {
  known = null;
});

export function colours() {
  if (!known) {
    const style = getComputedStyle(document.documentElement);
    known = Object.fromEntries(Object.entries(NAMES).map(
      ([name, property]) => [name, style.getPropertyValue(property).trim()],
    ));
  }
  return known;
}

// `draw` is called when light becomes dark or the other way round.
export function onThemeChange(draw) {
  scheme.addEventListener("change", draw);
}
