// The account that acts, and its field. No account acts while the field differs from the last
// account taken, or is empty.

const ACCOUNT_MAX = 2 ** 31 - 1;
const FIRST = 1;

// The account that a text names in plain digits, or null.
export function accountOf(text) {
  if (!/^\d{1,10}$/.test(text)) return null;
  const account = Number(text);
  return account >= FIRST && account <= ACCOUNT_MAX ? account : null;
}

export class AccountField {
  #input = document.getElementById("account");
  #note = document.getElementById("account-note");
  #taken = null;
  #api;
  #changed;

  // `changed(account)` is called when another account acts, or with null when none does.
  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("change", () => this.#entered());
  }

  // Begins with the account of the address; `texts` are the accounts it names.
  begin(texts) {
    const text = texts.length ? texts[0] : String(FIRST);
    const account = texts.length > 1 ? null : accountOf(text);
    if (account === null) {
      this.#refuse(texts.length > 1 ? texts.join(" and ") : text, "no account acts: enter one");
    }
    this.#act(account);
  }

  #typed() {
    const typed = accountOf(this.#input.value);
    this.#api.account = typed === this.#taken ? this.#taken : null;
  }

  #entered() {
    const { value, validity } = this.#input;
    const account = accountOf(value);
    if (account === null && (value || validity.badInput)) {
      const now = this.#taken === null ? "no account acts" : `account ${this.#taken} still acts`;
      this.#refuse(value || "that", now);
      this.#show();
      return;
    }
    this.#showNote(account === null ? "No account acts: enter one." : "");
    if (account !== this.#taken) this.#act(account);
    else this.#show();
  }

  #act(account) {
    this.#taken = account;
    this.#show();
    this.#changed(account);
  }

  // The field shows the account that acts.
  #show() {
    this.#input.value = this.#taken ?? "";
    this.#api.account = this.#taken;
  }

  #refuse(text, now) {
    this.#showNote(`Account ${text}: not a whole number from ${FIRST} to ${ACCOUNT_MAX}; ${now}.`);
  }

  #showNote(text) {
    this.#note.textContent = text;
    this.#note.hidden = !text;
    this.#input.setAttribute("aria-invalid", String(Boolean(text)));
  }
}
