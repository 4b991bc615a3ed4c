// REST, for the account chosen.

const PATIENCE_MS = 15000;

// A request that did not succeed. `unknown`: it may have happened all the same.
export class Refusal extends Error {
  constructor(status, { code, message, field = null }) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
    this.unknown = status === 0 || status === 504;
  }
}

export class Api {
  // Null while no account acts: then only public data can be requested.
  account = null;
  // Signs every request where it is not null (AUTH=on).
  signer = null;

  get(path) {
    return this.#sendAs("GET", path);
  }

  // As get, for public data.
  getPublic(path) {
    return this.#send("GET", path, {});
  }

  post(path, body) {
    return this.#sendAs("POST", path, body);
  }

  patch(path, body) {
    return this.#sendAs("PATCH", path, body);
  }

  delete(path) {
    return this.#sendAs("DELETE", path);
  }

  async #sendAs(method, path, body) {
    if (this.account === null) {
      throw new Refusal(422, { code: "NO_ACCOUNT", message: "enter the account that is to act" });
    }
    return this.#send(method, path, { "X-Account": String(this.account) }, body);
  }

  // The account of the key that signs, with its balances.
  identity() {
    return this.#send("GET", "/account", {});
  }

  async #send(method, path, headers, body) {
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const target = `/api/v1${path}`;
    const text = body && JSON.stringify(body);
    let answer;
    let document;
    try {
      if (this.signer) Object.assign(headers, await this.signer.headers(method, target, text));
      answer = await fetch(target, {
        method, headers, body: text,
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      document = await answer.json();
    } catch {
      throw new Refusal(0, { code: "NO_ANSWER", message: "no answer from the gateway" });
    }
    if (!answer.ok) throw new Refusal(answer.status, document.error);
    return document;
  }
}

// The gateway's answer about itself, or null when there is none.
export function readiness() {
  return documentAt("/ready");
}

// The exchange's time, or null when there is no answer.
export function exchangeTime() {
  return documentAt("/api/v1/time");
}

async function documentAt(path) {
  try {
    const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return await answer.json();
  } catch {
    return null;
  }
}
