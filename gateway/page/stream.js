// A WebSocket that comes back by itself: waits longer after each failure, and counts as lost when
// it falls silent although heartbeats are due.

import { SIGN_IN } from "./signer.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;
const SILENT_MS = 3500;
const WATCH_MS = 500;

const GOING_AWAY = 1001;

export class Stream {
  // "connecting", "open" or "lost"; while open, `live` is whether the server calls it so.
  phase = "connecting";
  live = true;
  reason = "";
  receivedMs = Date.now();
  #socket = null;
  #timer = 0;
  #failures = 0;
  #ended = false;
  #path;
  #receive;
  #changed;
  #beats;
  #greet;

  // `path()` gives the path of each attempt; `receive` gets each message but heartbeat and status;
  // `changed` is called when phase, live or reason have. `beats`: a heartbeat comes every second.
  // `greet(path)` gives the first message to send, or null.
  constructor({ path, receive, changed, beats = true, greet = () => null }) {
    this.#path = path;
    this.#receive = receive;
    this.#changed = changed;
    this.#beats = beats;
    this.#greet = greet;
    this.#connect();
    this.watch = setInterval(() => this.#look(), WATCH_MS);
    addEventListener("pagehide", this.#leave);
    addEventListener("pageshow", this.#return);
  }

  end() {
    this.#ended = true;
    removeEventListener("pagehide", this.#leave);
    removeEventListener("pageshow", this.#return);
    clearInterval(this.watch);
    clearTimeout(this.#timer);
    this.#drop();
  }

  // Starts over: the messages received so far cannot be continued.
  restart(why) {
    if (this.#ended) return;
    this.#drop();
    this.#lost(why);
  }

  // As restart, at once.
  retry() {
    if (this.#ended || this.phase !== "lost") return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  // A page that was left may be kept for the back button: it would hold its connection open.
  #leave = () => {
    clearTimeout(this.#timer);
    this.#drop();
  };

  #return = (event) => {
    if (event.persisted) this.restart("the page was left");
  };

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const path = this.#path();
    const socket = new WebSocket(`${scheme}://${location.host}${path}`);
    this.#socket = socket;
    socket.onopen = async () => {
      const first = await this.#greet(path);
      if (this.#socket !== socket) return;
      if (first !== null) socket.send(first);
      this.receivedMs = Date.now();
      this.#failures = 0;
      this.#become("open", true, "");
    };
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = (event) => {
      const why = event.code === GOING_AWAY ? "the gateway stops"
        : event.reason || (this.phase === "open" ? "connection lost" : "no connection");
      this.#drop();
      this.#lost(why);
    };
  }

  #take(message) {
    this.receivedMs = Date.now();
    if (message.type === "status") {
      this.#become("open", message.status === "live", message.reason);
    } else if (message.type !== "heartbeat" && message.id !== SIGN_IN) {
      this.#receive(message);
    }
  }

  #lost(why) {
    const wait = Math.min(FIRST_WAIT_MS * 2 ** this.#failures, LONGEST_WAIT_MS);
    this.#failures += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), wait * (0.75 + Math.random() / 2));
    // Failed attempts keep the reason why the first one was needed.
    this.#become("lost", false, this.phase === "lost" ? this.reason : why);
  }

  #look() {
    const silent = this.#beats && this.live && Date.now() - this.receivedMs > SILENT_MS;
    if (this.phase === "open" && silent) this.restart("the gateway is silent");
  }

  #become(phase, live, reason) {
    if (phase === this.phase && live === this.live && reason === this.reason) return;
    Object.assign(this, { phase, live, reason });
    this.#changed(this);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }
}
