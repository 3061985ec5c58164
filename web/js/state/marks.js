import { recall, remember } from './local.js';

/* Where this browser's view of each conversation was cleared: a seq each. They hold for one log only, so a new epoch
 * forgets them. */
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

    cleared(conv) {
        return this.#row(conv).cleared ?? 0;
    }

    setCleared(conv, seq) {
        Object.defineProperty(this.#data.convs, conv, { value: { cleared: seq }, enumerable: true, configurable: true, writable: true });
        this.#save();
    }

    #row(conv) {
        return Object.hasOwn(this.#data.convs, conv) ? this.#data.convs[conv] : {};
    }

    #save() {
        remember(this.#name, this.#data);
    }
}
