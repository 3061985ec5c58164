import { Refused } from '../protocol/client.js';
import { key } from '../util/text.js';

/* Reads the profiles of those who are shown, one after the other, each once. */
export class Profiles {
    #session;
    #asked = new Set();
    #queue = [];
    #busy = false;

    constructor(session) {
        this.#session = session;
    }

    want(id, again = false) {
        if (!again && this.#asked.has(key(id))) return;
        this.#asked.add(key(id));
        this.#queue.push(id);
        this.pump();
    }

    async pump() {
        const { client, chat } = this.#session;
        if (this.#busy || !client.online) return;
        this.#busy = true;
        while (this.#queue.length && client.online) {
            try {
                chat.people.setProfile(await client.request('profile', { user: this.#queue[0] }));
            } catch (error) {
                if (!(error instanceof Refused)) break;
            }
            this.#queue.shift();
        }
        this.#busy = false;
    }
}
