// Candles and volume, drawn by TradingView's Lightweight Charts: history from REST, then live.
// Rising candles are hollow and falling ones filled, so that they do not differ by colour alone.

import { clockText, grouped, trimmed } from "./amount.js";
import { nextFrame, setText } from "./frame.js";
import { colours, onThemeChange } from "./theme.js";

const SCRIPT = "/page/chart/lightweight-charts.standalone.production.js";
const HISTORY = 500;
const AGAIN_MS = 3000;

export class Candles {
  #box = document.getElementById("candles");
  #note = document.getElementById("candles-note");
  #reading = document.getElementById("candle-reading");
  #api;
  #chart = null;
  #prices = null;
  #volumes = null;
  #last = null;
  #symbol = null;
  #interval = null;
  #bars = new Map();
  #queue = [];
  #lastTime = 0;
  #whole = false;
  #timer = 0;
  #round = 0;

  constructor(api) {
    this.#api = api;
    this.ready = this.#load();
    onThemeChange(() => this.#paint());
  }

  // Shows another instrument or length from now on.
  show(instrument, interval) {
    this.#symbol = instrument.symbol;
    this.#interval = interval;
    this.#bars = new Map();
    this.#queue = [];
    this.#whole = true;
    const precision = instrument.decimals.price;
    const priceFormat = { type: "price", precision, minMove: 10 ** -precision };
    this.#prices?.applyOptions({ priceFormat });
    this.#chart?.timeScale().applyOptions({ secondsVisible: interval === "1s" });
    this.#chart?.timeScale().resetTimeScale();
    nextFrame(this.#draw);
    this.loadPast();
  }

  // Fills in what was before, or what was missed.
  async loadPast() {
    clearTimeout(this.#timer);
    const round = ++this.#round;
    const path = `/candles/${this.#symbol}?interval=${this.#interval}&limit=${HISTORY}`;
    try {
      const { candles } = await this.#api.getPublic(path);
      if (round !== this.#round) return;
      for (const candle of candles) {
        const bar = barOf(candle);
        const live = this.#bars.get(bar.time);
        if (!live || live.trades < bar.trades) this.#bars.set(bar.time, bar);
      }
      this.#whole = true;
      nextFrame(this.#draw);
      if (this.#chart) this.#showNote("");
    } catch (refusal) {
      if (round !== this.#round) return;
      if (this.#chart) this.#showNote(`No history yet: ${refusal.message}.`);
      this.#timer = setTimeout(() => this.loadPast(), AGAIN_MS);
    }
  }

  // A message of the candle stream.
  take(candle) {
    if (candle.interval !== this.#interval) return;
    const bar = barOf(candle);
    this.#bars.set(bar.time, bar);
    this.#queue.push(bar);
    nextFrame(this.#draw);
  }

  #draw = () => {
    if (!this.#chart) return;
    if (this.#whole || this.#queue.some((bar) => bar.time < this.#lastTime)) {
      const bars = [...this.#bars.values()].sort((one, other) => one.time - other.time);
      this.#prices.setData(bars);
      this.#volumes.setData(bars.map(volumeOf));
      this.#lastTime = bars.at(-1)?.time ?? 0;
      this.#whole = false;
    } else {
      for (const bar of this.#queue) {
        this.#prices.update(bar);
        this.#volumes.update(volumeOf(bar));
        this.#lastTime = bar.time;
      }
    }
    this.#queue = [];
    this.#drawLast(this.#bars.get(this.#lastTime));
    this.#read(this.#bars.get(this.#lastTime));
  };

  #drawLast(bar) {
    const visible = bar !== undefined;
    const { up, down } = colours();
    this.#last.applyOptions({
      price: bar?.close ?? 0, color: bar?.close < bar?.open ? down : up,
      lineVisible: visible, axisLabelVisible: visible,
    });
  }

  #read(bar) {
    if (!bar) {
      setText(this.#reading, "");
      return;
    }
    const { openText, highText, lowText, closeText, volumeText } = bar;
    const text = `O ${grouped(openText)}  H ${grouped(highText)}  L ${grouped(lowText)}  `
      + `C ${grouped(closeText)}  V ${trimmed(volumeText)}`;
    setText(this.#reading, text);
    this.#box.setAttribute(
      "aria-label",
      `Candles of ${this.#interval}, the last at ${clockText(bar.timeText)}: ${text}`,
    );
  }

  async #load() {
    try {
      await loadScript(SCRIPT);
    } catch {
      this.#box.hidden = true;
      this.#showNote("No candles: the chart script is not installed. Everything else works. "
        + "Install it with: pip install --no-deps -r requirements/page.txt");
      return;
    }
    const charts = window.LightweightCharts;
    // The page names and links TradingView itself; their logo brings a style of its own.
    const layout = { attributionLogo: false };
    this.#chart = charts.createChart(this.#box, { autoSize: true, layout });
    this.#prices = this.#chart.addSeries(charts.CandlestickSeries, {
      lastValueVisible: false, priceLineVisible: false,
    });
    // A label in the colour of a hollow candle could not be read.
    this.#last = this.#prices.createPriceLine({ price: 0, lineWidth: 1, lineStyle: 2 });
    this.#volumes = this.#chart.addSeries(charts.HistogramSeries, {
      priceScaleId: "", priceFormat: { type: "volume" },
      lastValueVisible: false, priceLineVisible: false,
    });
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.#chart.subscribeCrosshairMove(({ time }) => {
      this.#read(this.#bars.get(time ?? this.#lastTime));
    });
    this.#paint();
  }

  #paint() {
    if (!this.#chart) return;
    const { muted, line, panel, up, down } = colours();
    this.#chart.applyOptions({
      layout: {
        background: { color: panel }, textColor: muted, fontSize: 11,
        fontFamily: "system-ui, sans-serif",
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line, scaleMargins: { top: 0.08, bottom: 0.22 } },
      timeScale: { borderColor: line, timeVisible: true, rightOffset: 4, barSpacing: 7 },
      crosshair: { mode: 0 },
    });
    this.#prices.applyOptions({
      upColor: panel, downColor: down, borderUpColor: up, borderDownColor: down,
      wickUpColor: up, wickDownColor: down,
    });
    this.#whole = true;
    nextFrame(this.#draw);
  }

  #showNote(text) {
    setText(this.#note, text);
    this.#note.hidden = !text;
  }
}

function barOf({ open_time, open, high, low, close, volume, trades }) {
  return {
    time: Date.parse(open_time) / 1000,
    open: Number(open), high: Number(high), low: Number(low), close: Number(close),
    volume: Number(volume), trades, timeText: open_time,
    openText: open, highText: high, lowText: low, closeText: close, volumeText: volume,
  };
}

function volumeOf({ time, volume, open, close }) {
  const { upFill, downFill } = colours();
  return { time, value: volume, color: close >= open ? upFill : downFill };
}

function loadScript(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${path} cannot be loaded`));
    document.head.append(script);
  });
}
