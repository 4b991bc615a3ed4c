// A banner where the exchange breaks on request (FAULTS=on): what is shown may be a fault.

import { readiness } from "./api.js";
import { setText } from "./frame.js";

const LOOK_EVERY_MS = 5000;
const AGAIN_MS = 1000;

export class FaultsNote {
  #note = document.getElementById("faults-note");

  // Looks once; where faults are on, again and again.
  async begin() {
    const answer = await readiness();
    // Without an answer nothing is known yet: the gateway may still be starting.
    if (answer === null) return this.#again(AGAIN_MS);
    if (answer.faults === undefined) return undefined;
    this.#show(answer.faults);
    return this.#again(LOOK_EVERY_MS);
  }

  #again(afterMs) {
    setTimeout(() => this.begin(), afterMs);
  }

  #show({ rules, applied }) {
    const inForce = rules === 1 ? "1 rule is in force" : `${rules} rules are in force`;
    setText(this.#note, `Faults on request (FAULTS=on): ${inForce}, ${applied} applied so far. `
      + "What this page shows may be broken on purpose.");
    this.#note.hidden = false;
  }
}
