import { recall, remember } from './local.js';

/* How far this browser's user has read each conversation, and where the view of it was cleared: a seq each. They hold
 * for one log only, so a new epoch forgets them. */
export class Marks {
    #name;
    #data;

    constructor(user) {
        this.#name = `marks:${user}`;
        const data = recall(this.#name);
        this.#data = data && typeof data.convs === 'object' && data.convs ? data : { epoch: null, convs: {} };
    }

    // Returns false if what was remembered belonged to another log.
    setEpoch(epoch) {
        const same = this.#data.epoch === null || this.#data.epoch === epoch;
        this.#data = { epoch, convs: same ? this.#data.convs : {} };
        this.#save();
        return same;
    }

    read(conv) {
        return this.#row(conv).read; // undefined: never looked at here
    }

    setRead(conv, seq) {
        this.#set(conv, { read: seq });
    }

    cleared(conv) {
        return this.#row(conv).cleared ?? 0;
    }

    setCleared(conv, seq) {
        this.#set(conv, { cleared: seq });
    }

    #row(conv) {
        return Object.hasOwn(this.#data.convs, conv) ? this.#data.convs[conv] : {};
    }

    #set(conv, change) {
        const row = { ...this.#row(conv), ...change };
        Object.defineProperty(this.#data.convs, conv, { value: row, enumerable: true, configurable: true, writable: true });
        this.#save();
    }

    #save() {
        remember(this.#name, this.#data);
    }
}
