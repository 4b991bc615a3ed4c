// Cumulative depth around the mid price, as steps on a canvas: bids left, asks right.

import { grouped, textOf, trimmed } from "./amount.js";
import { nextFrame, setText } from "./frame.js";
import { colours } from "./theme.js";

const LEVELS = 60;
const MARGIN = { top: 14, bottom: 18 };
const FONT = "11px system-ui, sans-serif";
const EVERY_MS = 100;

export class DepthChart {
  #canvas = document.getElementById("depth");
  #reading = document.getElementById("depth-reading");
  #book = null;
  #instrument = null;
  #drawnMs = 0;
  #timer = 0;

  constructor() {
    new ResizeObserver(() => this.redraw()).observe(this.#canvas);
  }

  show(book, instrument) {
    this.#book = book;
    this.#instrument = instrument;
    this.redraw();
  }

  // Ten times a second is enough for a shape.
  redraw() {
    if (this.#timer) return;
    const wait = Math.max(0, this.#drawnMs + EVERY_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#drawnMs = performance.now();
      nextFrame(this.#draw);
    }, wait);
  }

  #draw = () => {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    const pen = this.#clean(width, height);
    const book = this.#book;
    if (!book?.bid || !book.ask || book.seq === null) {
      setText(this.#reading, "");
      return;
    }
    const bids = steps(book.bids.levels);
    const asks = steps(book.asks.levels);
    const mid = Number(book.bid.price + book.ask.price) / 2;
    // Of a crossed book the best prices are as far from the middle as the others may be.
    const ends = [bids[0], bids.at(-1), asks[0], asks.at(-1)];
    const reach = Math.max(1, ...ends.map(({ price }) => Math.abs(price - mid)));
    const [bidUnits, askUnits] = [bids.at(-1).units, asks.at(-1).units];
    const mostUnits = bidUnits > askUnits ? bidUnits : askUnits;
    const most = Number(mostUnits);
    const scale = {
      x: (price) => width / 2 + ((price - mid) / reach) * (width / 2),
      y: (total) => height - MARGIN.bottom
        - (total / most) * (height - MARGIN.top - MARGIN.bottom),
    };
    const { up, down, upFill, downFill } = colours();
    area(pen, bids, scale, 0, up, upFill);
    area(pen, asks, scale, width, down, downFill);
    this.#label(pen, { width, height, mid, reach, mostUnits });
    this.#read(bidUnits, askUnits);
  };

  #clean(width, height) {
    const ratio = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * ratio)
      || this.#canvas.height !== Math.round(height * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(height * ratio);
    }
    const pen = this.#canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  #label(pen, { width, height, mid, reach, mostUnits }) {
    const { decimals } = this.#instrument;
    pen.font = FONT;
    pen.fillStyle = colours().muted;
    const price = (value) => grouped(
      textOf(BigInt(Math.max(0, Math.round(value))), decimals.price),
    );
    pen.textAlign = "left";
    pen.fillText(price(mid - reach), 6, height - 5);
    pen.textAlign = "right";
    pen.fillText(price(mid + reach), width - 6, height - 5);
    pen.fillText(this.#quantity(mostUnits), width - 6, 11);
    pen.textAlign = "center";
    pen.fillText(price(mid), width / 2, height - 5);
  }

  #read(bidUnits, askUnits) {
    const bids = this.#quantity(bidUnits);
    const asks = this.#quantity(askUnits);
    setText(this.#reading, `bids ${bids} · asks ${asks}`);
    this.#canvas.setAttribute("aria-label", `Depth near the mid price: bids ${bids}, asks ${asks}`);
  }

  #quantity(units) {
    const { decimals, base } = this.#instrument;
    return `${grouped(trimmed(textOf(units, decimals.quantity)))} ${base}`;
  }
}

// Levels as numbers to draw; `units` is the exact sum of what a level and those before it have.
function steps(levels) {
  let units = 0n;
  return levels.slice(0, LEVELS).map(({ price, quantity }) => {
    units += quantity;
    return { price: Number(price), total: Number(units), units };
  });
}

function area(pen, line, scale, edge, stroke, fill) {
  const floor = scale.y(0);
  pen.beginPath();
  pen.moveTo(scale.x(line[0].price), floor);
  let level = floor;
  for (const { price, total } of line) {
    pen.lineTo(scale.x(price), level);
    level = scale.y(total);
    pen.lineTo(scale.x(price), level);
  }
  pen.lineTo(edge, level);
  pen.strokeStyle = stroke;
  pen.lineWidth = 1.5;
  pen.stroke();
  pen.lineTo(edge, floor);
  pen.closePath();
  pen.fillStyle = fill;
  pen.fill();
}
