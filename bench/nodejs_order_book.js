// Drives nodejs-order-book on messages from a file, as its user would, and prints one JSON line.
//
//   node nodejs_order_book.js PACKAGE_FOLDER MESSAGES_FILE time|check
//
// The file holds 32-bit integers, six a message: kind (1 new, 2 new IOC, 3 cancel, 4 amend), order
// number, side (1 buy, 2 sell), price (0 in an amend: as it is), quantity (in an amend the new
// total), 0. `time` warms up on the first messages and prints the nanoseconds of one run; `check`
// prints what was traded.
"use strict";

const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");

const [, , packageFolder, file, mode] = process.argv;
const { OrderBook } = require(packageFolder);
const WARM_UP = 20000;
const KEPT = 128;

const bytes = readFileSync(file);
const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const messages = [];
for (let at = 0; at < words.length; at += 6) {
  messages.push({
    kind: words[at],
    id: String(words[at + 1]),
    side: words[at + 2] === 1 ? "buy" : "sell",
    price: words[at + 3],
    size: words[at + 4],
  });
}

// Calls told(response, id of the taker) for every order that traded.
function drive(input, told) {
  const book = new OrderBook();
  const total = new Map();
  for (const { kind, id, side, price, size } of input) {
    let response;
    if (kind === 1) {
      response = book.limit({ id, side, price, size });
      total.set(id, size);
    } else if (kind === 2) {
      response = book.limit({ id, side, price, size, timeInForce: "IOC" });
    } else if (kind === 3) {
      book.cancel(id);
      total.delete(id);
    } else {
      const order = book.order(id);
      if (order !== undefined) {
        // Its `size` is what is open; ours is the total with what was filled.
        const left = size - (total.get(id) - order.size);
        response = book.modify(id, { price: price || order.price, size: left });
        total.set(id, size);
      }
    }
    if (response !== undefined && (response.done.length > 0 || response.partial !== null)) {
      told(response, id);
    }
  }
}

function time() {
  const kept = new Array(KEPT);
  let place = 0;
  const keep = (response) => {
    kept[place] = response;
    place = (place + 1) % KEPT;
  };
  drive(messages.slice(0, WARM_UP), keep);
  const usage = process.cpuUsage();
  const begin = process.hrtime.bigint();
  drive(messages, keep);
  const wall = Number(process.hrtime.bigint() - begin);
  const used = process.cpuUsage(usage);
  return { wall_ns: wall, processor_ns: (used.user + used.system) * 1000 };
}

function check() {
  const digest = createHash("sha256");
  let trades = 0;
  let lots = 0;
  let notional = 0;
  const fill = (price, size) => {
    trades += 1;
    lots += size;
    notional += price * size;
    digest.update(`${price},${size}\n`);
  };
  drive(messages, (response, taker) => {
    for (const order of response.done) if (order.id !== taker) fill(order.price, order.size);
    const last = response.partial;
    if (last !== null && last.id !== taker) fill(last.price, response.partialQuantityProcessed);
  });
  return { trades, lots, notional, digest: digest.digest("hex") };
}

console.log(JSON.stringify(mode === "time" ? time() : check()));
