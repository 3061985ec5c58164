const AGAIN_MS = 3000; // often enough that it does not expire at the others

/* Lets the others in a conversation know that the user is writing. */
export class Typing {
    #client;
    #conv = null;
    #told = 0;

    constructor(client) {
        this.#client = client;
    }

    // The user has something unsent in the field (on), or nothing.
    set(conv, on) {
        if (this.#conv !== null && this.#conv !== conv) this.set(this.#conv, false);
        if (on && this.#conv === conv && Date.now() - this.#told < AGAIN_MS) return;
        if (!on && this.#conv === null) return;
        this.#conv = on ? conv : null;
        this.#told = Date.now();
        this.#client.request('typing', { conv, on }).catch(() => {});
    }

    // A message says that by itself.
    sent() {
        this.#conv = null;
    }
}
