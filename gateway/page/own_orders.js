// The account's open orders and last fills: from REST as of a sequence number, and from the
// execution reports behind it.

const FILLS_KEPT = 50;
const ORDERS_ASKED = 200;
const AGAIN_MS = 2000;
const ENDED = ["FILLED", "CANCELED", "EXPIRED", "REJECTED", "EXPIRED_IN_MATCH"];

export class OwnOrders {
  // Open orders by id, newest first; fills newest first.
  orders = new Map();
  fills = [];
  // Why the past is not known; empty when it is.
  problem = "";
  #api;
  #changed;
  #waiting = null;
  #timer = 0;
  #round = 0;

  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  // Another account: nothing is known of it.
  clear() {
    this.orders.clear();
    this.fills = [];
    this.problem = "";
    this.#changed();
  }

  // Asks for all of it; what is reported meanwhile comes on top.
  async load() {
    clearTimeout(this.#timer);
    const round = ++this.#round;
    this.#waiting = [];
    try {
      const [open, filled] = await Promise.all([
        this.#api.get(`/orders?status=open&limit=${ORDERS_ASKED}`),
        this.#api.get(`/fills?limit=${FILLS_KEPT}`),
      ]);
      if (round !== this.#round) return;
      this.orders = new Map(open.orders.reverse().map((order) => [order.order_id, order]));
      this.fills = filled.fills;
      this.problem = open.next_cursor ? `the newest ${ORDERS_ASKED}` : "";
      this.#catchUp((report) => report.seq > open.seq, (report) => report.seq > filled.seq);
    } catch (refusal) {
      if (round !== this.#round) return;
      this.problem = refusal.message;
      this.#catchUp(() => true, () => true);
      this.#timer = setTimeout(() => this.load(), AGAIN_MS);
    }
    this.#changed();
  }

  // An execution report of `/ws/orders`.
  take(report) {
    if (this.#waiting) {
      this.#waiting.push(report);
      return;
    }
    this.#takeOrder(report);
    this.#takeFill(report);
    this.#changed();
  }

  #catchUp(isNewOrder, isNewFill) {
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const report of waiting) {
      if (isNewOrder(report)) this.#takeOrder(report);
      if (isNewFill(report)) this.#takeFill(report);
    }
  }

  #takeOrder(report) {
    const known = this.orders.get(report.order_id);
    if (ENDED.includes(report.order_status)) {
      this.orders.delete(report.order_id);
      return;
    }
    const { order_id, client_order_id, symbol, side, order_status, working } = report;
    const { filled_quantity, remaining_quantity } = report;
    const isFill = report.kind === "fill";
    this.orders.set(order_id, {
      order_id, client_order_id, symbol, side, order_status, working,
      filled_quantity, remaining_quantity,
      // Told once, when the order is new; the trigger price as long as the order waits for it.
      order_type: report.order_type ?? known?.order_type ?? null,
      stop_price: report.stop_price ?? known?.stop_price ?? null,
      price: isFill ? known?.price ?? report.price : report.price,
      created_at: known?.created_at ?? report.timestamp,
    });
  }

  #takeFill(report) {
    if (report.kind !== "fill") return;
    this.fills.unshift(report);
    if (this.fills.length > FILLS_KEPT) this.fills.pop();
  }
}
