import { randomId } from '../util/text.js';
import { recall, remember } from './local.js';

const ENTRIES_MAX = 500;

/* What was written but is not yet known to be committed, oldest first. It survives a reload of the page; the cid makes
 * sending again safe. An entry: { cid, to, text, ts, reply? (a seq), failed? (a text
 * for people) }. */
export class Outbox {
    #name;
    #entries;

    constructor(user) {
        this.#name = `outbox:${user}`;
        const entries = recall(this.#name, []);
        this.#entries = Array.isArray(entries) ? entries.filter(e => e && e.cid && e.to && typeof e.text === 'string') : [];
    }

    get entries() {
        return [...this.#entries];
    }

    // null when there are too many already.
    add(to, text, reply, ts = Date.now()) {
        if (this.#entries.length >= ENTRIES_MAX) return null;
        const entry = { cid: randomId(), to, text, ts, reply };
        this.#entries.push(entry);
        this.#save();
        return entry;
    }

    // The next one to send; the order in which things were written is the order in which they go.
    next() {
        return this.#entries.find(entry => !entry.failed);
    }

    get(cid) {
        return this.#entries.find(entry => entry.cid === cid);
    }

    // Committed, or given up: it goes.
    remove(cid) {
        this.#entries = this.#entries.filter(entry => entry.cid !== cid);
        this.#save();
    }

    fail(cid, why) {
        const entry = this.get(cid);
        if (entry) entry.failed = why;
        this.#save();
    }

    retry(cid) {
        const entry = this.get(cid);
        if (entry) delete entry.failed;
        this.#save();
    }

    #save() {
        remember(this.#name, this.#entries.length ? this.#entries : undefined);
    }
}
