// The balances of the account: requested after events of its orders, with a pause between requests,
// and at intervals, since deposits have no order.

const PAUSE_MS = 2000;
const IDLE_MS = 10000;

export class Balances {
  #api;
  #changed;
  #known = new Map();
  #round = 0;
  #timer = 0;
  #requestedMs = -Infinity;
  #dueMs = Infinity;

  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  // The amount of an asset that may be spent, as text; null while the balances are not loaded.
  available(asset) {
    return this.#known.size ? this.#known.get(asset) ?? "0" : null;
  }

  // Another account: its balances are not loaded.
  restart() {
    this.#round += 1;
    this.#requestedMs = -Infinity;
    this.#apply([]);
    this.refresh();
  }

  // The balances may be out of date.
  refresh() {
    this.#requestAt(Math.max(Date.now(), this.#requestedMs + PAUSE_MS));
  }

  #requestAt(dueMs) {
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#request(), dueMs - Date.now());
  }

  async #request() {
    const round = ++this.#round;
    this.#dueMs = Infinity;
    this.#requestedMs = Date.now();
    let balances = [];
    try {
      ({ balances } = await this.#api.get("/account"));
    } catch {
      // Empty rather than out of date; the banner shows the fault.
    }
    if (round === this.#round) this.#apply(balances);
    this.#requestAt(Date.now() + IDLE_MS);
  }

  #apply(balances) {
    this.#known = new Map(balances.map(({ asset, available }) => [asset, available]));
    this.#changed();
  }
}
