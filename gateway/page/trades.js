// The public trades of one instrument without a hole: the past from REST, the live ones behind
// it. Live trades wait until the past has come.

const BEFORE = 60;
const TRIES = 4;
const AGAIN_MS = 400;

export class Trades {
  #api;
  #symbol;
  #tape;
  #held = null;
  #lastId = 0;
  #round = 0;

  constructor(api, symbol, tape) {
    this.#api = api;
    this.#symbol = symbol;
    this.#tape = tape;
  }

  // The stream begins, or begins again.
  async join() {
    const round = ++this.#round;
    this.#held ??= [];
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const past = await this.#past();
      if (round !== this.#round) return;
      if (past === null) break;
      if ((past.at(-1)?.trade_id ?? 0) < this.#lastId && attempt === TRIES) this.#beginAnew();
      past.forEach((trade) => this.#show(trade));
      const first = this.#held[0];
      if (!first || first.trade_id <= this.#lastId + 1) break;
      // The recorder is a little behind the stream.
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      if (round !== this.#round) return;
    }
    const held = this.#held;
    this.#held = null;
    held.forEach((trade) => this.#show(trade));
  }

  // No trade is shown any more.
  end() {
    this.#round += 1;
    this.#held = [];
  }

  // A trade of the stream.
  take(trade) {
    if (this.#held) this.#held.push(trade);
    else this.#show(trade);
  }

  async #past() {
    try {
      return (await this.#api.getPublic(`/trades/${this.#symbol}?limit=${BEFORE}`)).trades;
    } catch {
      return null;
    }
  }

  #show(trade) {
    const id = trade.trade_id;
    if (id <= this.#lastId) return;
    if (this.#lastId && id > this.#lastId + 1) this.#tape.addHole();
    this.#lastId = id;
    this.#tape.add(trade);
  }

  #beginAnew() {
    this.#lastId = 0;
    this.#tape.clear();
  }
}
