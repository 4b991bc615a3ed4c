// Drawing, at most once per frame of the screen however many messages came in between.

const waiting = new Set();
let requested = false;

// `draw` runs in the next frame, once.
export function nextFrame(draw) {
  waiting.add(draw);
  if (!requested) {
    requested = true;
    requestAnimationFrame(run);
  }
}

function run() {
  requested = false;
  const draws = [...waiting];
  waiting.clear();
  for (const draw of draws) draw();
}

// Writes only what differs, since every write costs layout.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
