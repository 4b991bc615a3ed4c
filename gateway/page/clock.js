// The exchange's time: this machine's, or where it is manual (CLOCK=manual) the one it stands at.

import { exchangeTime } from "./api.js";
import { setText } from "./frame.js";

const LOOK_EVERY_MS = 1000;

let standsMs = null;

// Milliseconds since the Unix epoch.
export function nowMs() {
  return standsMs ?? Date.now();
}

// A banner with the time, where it stands still: an hour here takes as long as somebody likes.
export class ClockNote {
  #note = document.getElementById("clock-note");

  // Looks once; where the time is manual, again and again.
  async begin() {
    const answer = await exchangeTime();
    if (answer?.clock === "system") return;
    if (answer !== null) this.#show(answer.time_ms);
    setTimeout(() => this.begin(), LOOK_EVERY_MS);
  }

  #show(timeMs) {
    standsMs = timeMs;
    const [day, clock] = new Date(timeMs).toISOString().slice(0, 19).split("T");
    setText(this.#note, `The exchange's time stands at ${day} ${clock} UTC until an administrator `
      + "moves it (CLOCK=manual).");
    this.#note.hidden = false;
  }
}
