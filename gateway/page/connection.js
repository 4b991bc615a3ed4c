// The state of the connection in words: a mark in the header, a banner while the market shown is
// out of date, and a remark when it is current again.

import { readiness } from "./api.js";
import { clockOf } from "./amount.js";
import { setText } from "./frame.js";

const PROBE_EVERY_MS = 2000;
const REMARK_MS = 6000;
// A load of the page and a switch of the instrument are no reason for alarm.
const PATIENCE_MS = 800;

const WORDS = { live: "Live", stale: "Stale", lost: "Disconnected", connecting: "Connecting",
  none: "No market" };

export class Connection {
  state = "connecting";
  #mark = document.getElementById("connection");
  #text = document.getElementById("connection-text");
  #banner = document.getElementById("banner");
  #book = null;
  #others = [];
  #sinceMs = Date.now();
  #wasLive = false;
  #detail = "";
  #cause = "";
  #probing = 0;
  #timer = 0;

  // Follows these streams from now on; `loaded` returns whether the book has come.
  follow(book, others, loaded) {
    this.#book = book;
    this.#others = others;
    this.loaded = loaded;
    this.#wasLive = false;
    this.#sinceMs = Date.now();
    this.refresh();
  }

  // No instrument is chosen: there is nothing to be connected to.
  rest() {
    this.state = this.#mark.dataset.state = "none";
    setText(this.#text, WORDS.none);
  }

  // Something about a stream has changed.
  refresh() {
    if (!this.#book) return;
    const before = this.state;
    this.state = this.#judge();
    if (this.state !== before) this.#turned(before);
    this.#show();
  }

  #judge() {
    const streams = [this.#book, ...this.#others];
    if (streams.some(({ phase }) => phase === "lost")) return "lost";
    if (!this.#book.live) return "stale";
    if (streams.some(({ phase }) => phase === "connecting") || !this.loaded()) {
      return this.state === "lost" || this.state === "stale" ? this.state : "connecting";
    }
    return "live";
  }

  #turned(before) {
    const now = Date.now();
    if (this.state === "live") {
      const seconds = ((now - this.#sinceMs) / 1000).toFixed(1);
      if (this.#wasLive) {
        this.#remark(`Live again after ${seconds} s (${this.#cause}). `
          + "Book, trades and orders were loaded anew.");
      }
      this.#wasLive = true;
      this.#detail = "";
      clearInterval(this.#probing);
      this.#probing = 0;
    } else if (before === "live" || before === "connecting") {
      this.#sinceMs = before === "live" ? now : this.#sinceMs;
      this.#probing ||= setInterval(() => this.#probe(), PROBE_EVERY_MS);
      if (before === "live") this.#probe();
      setTimeout(() => this.#show(), PATIENCE_MS);
    }
  }

  #show() {
    const { state } = this;
    this.#mark.dataset.state = state;
    setText(this.#text, WORDS[state]);
    document.documentElement.classList.toggle("stale", state === "stale" || state === "lost");
    if (state === "live") {
      if (!this.#timer) this.#banner.hidden = true;
      return;
    }
    const early = !this.#wasLive && Date.now() - this.#sinceMs < PATIENCE_MS;
    if (state === "connecting" || early) return;
    this.#cause = this.#reason();
    const shown = this.#wasLive ? ` Shown is the market of ${clockOf(this.#sinceMs)} UTC.` : "";
    const doing = state === "lost" ? ": reconnecting." : ".";
    this.#showBanner(state, `${capital(this.#cause)}${doing}${this.#detail}${shown}`);
  }

  #reason() {
    const lost = [this.#book, ...this.#others].find(({ phase }) => phase === "lost");
    return lost ? lost.reason : `market data is stale: ${this.#book.reason}`;
  }

  async #probe() {
    const answer = await readiness();
    if (this.state === "live") return;
    this.#detail = answer === null ? " No answer from the gateway."
      : !answer.matcher ? " The matcher takes no orders."
        : answer.market_data ? ""
          : " No message comes from the publisher, or from the matcher behind it.";
    this.#show();
  }

  #remark(text) {
    this.#showBanner("good", text);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#show();
    }, REMARK_MS);
  }

  #showBanner(level, text) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#banner.dataset.level = level;
    this.#banner.hidden = false;
    setText(this.#banner, text);
  }
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
