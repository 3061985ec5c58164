import { Disconnected, Refused } from '../protocol/client.js';

const RETRY_MS = 1000;

/* Sends what waits in the outbox, one at a time: what was written first is committed first. */
export class Delivery {
    #session;
    #outbox;
    #pumping = false;

    constructor(session, outbox) {
        this.#session = session;
        this.#outbox = outbox;
    }

    async pump() {
        if (this.#pumping) return;
        this.#pumping = true;
        try {
            for (let entry; (entry = this.#outbox.next()) !== undefined;) await this.#deliver(entry);
        } catch (error) {
            if (!(error instanceof Disconnected)) throw error;
        } finally {
            this.#pumping = false;
        }
        if (this.#session.client.online && this.#outbox.next()) this.pump();
    }

    async #deliver({ cid, to, text, reply }) {
        const { client, chat } = this.#session;
        try {
            const ok = await client.request('send', { to, text, cid, ...(reply ? { reply } : {}) });
            this.#outbox.remove(cid);
            chat.commit({ cid, to }, ok);
            this.#session.acks.got(ok.pos);
        } catch (error) {
            if (!(error instanceof Refused)) throw error;
            if (error.retry) return new Promise(done => setTimeout(done, error.after ?? RETRY_MS));
            this.#outbox.fail(cid, error.message);
            chat.fail({ cid, to }, error.message);
        }
    }
}
