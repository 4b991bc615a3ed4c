// What the account has: asked for after what happens to its orders, though not at every turn, and
// now and then besides, since money comes in without an order.

const PAUSE_MS = 2000;
const IDLE_MS = 10000;

export class Balances {
  #api;
  #changed;
  #known = new Map();
  #round = 0;
  #timer = 0;
  #askedMs = -Infinity;
  #dueMs = Infinity;

  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  // What may be spent of an asset, as text; null where nothing is known of the account's money.
  available(asset) {
    return this.#known.size ? this.#known.get(asset) ?? "0" : null;
  }

  // Another account: nothing is known of it.
  restart() {
    this.#round += 1;
    this.#askedMs = -Infinity;
    this.#learn([]);
    this.refresh();
  }

  // What is known may be out of date.
  refresh() {
    this.#askAt(Math.max(Date.now(), this.#askedMs + PAUSE_MS));
  }

  #askAt(dueMs) {
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), dueMs - Date.now());
  }

  async #ask() {
    const round = ++this.#round;
    this.#dueMs = Infinity;
    this.#askedMs = Date.now();
    let balances = [];
    try {
      ({ balances } = await this.#api.get("/account"));
    } catch {
      // Rather nothing than what may no longer be true; the banner says what is wrong.
    }
    if (round === this.#round) this.#learn(balances);
    this.#askAt(Date.now() + IDLE_MS);
  }

  #learn(balances) {
    this.#known = new Map(balances.map(({ asset, available }) => [asset, available]));
    this.#changed();
  }
}
