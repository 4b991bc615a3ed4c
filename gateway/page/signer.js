// Signs requests with an HMAC key (AUTH=on). Key and secret stay in this tab: sessionStorage keeps
// them over a reload and forgets them with the tab.

// The id of the message that signs in a WebSocket, and of its answer.
export const SIGN_IN = "sign-in";

const STORED = "crossbook-key";
const encoder = new TextEncoder();
let lastUs = 0;

// A time in microseconds that no earlier call had: no request is taken for a copy of another.
function timestamp() {
  lastUs = Math.max(lastUs + 1, Math.floor((performance.timeOrigin + performance.now()) * 1000));
  return String(lastUs);
}

export class Signer {
  #secret;

  constructor(key, secret) {
    this.key = key;
    this.#secret = crypto.subtle.importKey(
      "raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  }

  // The headers of a request; `target` is its path and query, `body` the text that is sent.
  async headers(method, target, body = "") {
    const { timestamp: at, signature } = await this.#signed(method, target, body);
    return { "CROSSBOOK-KEY": this.key, "CROSSBOOK-TIMESTAMP": at,
      "CROSSBOOK-SIGNATURE": signature };
  }

  // The message that signs in a WebSocket at `target`.
  async signIn(target) {
    const params = { key: this.key, ...await this.#signed("GET", target, "") };
    return JSON.stringify({ id: SIGN_IN, method: "sign_in", params });
  }

  async #signed(method, target, body) {
    const at = timestamp();
    // As the browser sends it: it encodes some characters more.
    const { pathname, search } = new URL(target, location.href);
    const text = [this.key, at, "", method, pathname + search, body].join("\n");
    const bytes = await crypto.subtle.sign("HMAC", await this.#secret, encoder.encode(text));
    const signature = [...new Uint8Array(bytes)]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return { timestamp: at, signature };
  }
}

// The key and secret of this tab, or null.
export function storedKey() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED));
  } catch {
    return null;
  }
}

export function storeKey(key, secret) {
  sessionStorage.setItem(STORED, JSON.stringify({ key, secret }));
}

export function forgetKey() {
  sessionStorage.removeItem(STORED);
}
