// The sign-in of AUTH=on, in the place of the account field: the account is that of the key.

import { setText } from "./frame.js";
import { Signer, forgetKey, storeKey, storedKey } from "./signer.js";

export class SignIn {
  #form = document.getElementById("sign-in");
  #note = document.getElementById("account-note");
  #shown = document.getElementById("signed-in");
  #api;
  #changed;

  // `changed(account)` is called when a key has signed in, and with null when it has signed out.
  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const { key, secret } = this.#form.elements;
      this.#enter(key.value.trim(), secret.value.trim());
    });
    this.#form.elements.out.addEventListener("click", () => this.#leave());
  }

  // Shows the form; signs in at once where this tab has a key already.
  async begin() {
    document.getElementById("account").closest("label").hidden = true;
    this.#form.hidden = false;
    this.#show(null);
    if (!globalThis.crypto?.subtle) {
      this.#showNote("Signing in needs HTTPS, or a page from localhost.");
      this.#changed(null);
      return;
    }
    const stored = storedKey();
    if (stored === null) this.#changed(null);
    else await this.#enter(stored.key, stored.secret);
  }

  async #enter(key, secret) {
    if (!key || !secret) {
      this.#showNote("Enter the id of a key and its secret.");
      return;
    }
    try {
      this.#api.signer = new Signer(key, secret);
      const { account } = await this.#api.identity();
      storeKey(key, secret);
      this.#form.reset();
      this.#showNote("");
      this.#show(`${key} · account ${account}`);
      this.#api.account = account;
      this.#changed(account);
    } catch (fault) {
      this.#leave();
      this.#showNote(`Not signed in: ${fault.message}.`);
    }
  }

  #leave() {
    forgetKey();
    this.#api.signer = null;
    this.#api.account = null;
    this.#show(null);
    this.#showNote("");
    this.#changed(null);
  }

  #show(text) {
    const signedIn = text !== null;
    for (const each of this.#form.querySelectorAll("[data-when]")) {
      each.hidden = (each.dataset.when === "in") !== signedIn;
    }
    setText(this.#shown, text ?? "");
  }

  #showNote(text) {
    setText(this.#note, text);
    this.#note.hidden = !text;
  }
}
