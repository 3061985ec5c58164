import { Disconnected, Refused } from '../protocol/client.js';
import { randomId } from '../util/text.js';

const RETRY_MS = 1000;

/* What the user does to messages that are there, and to groups. Each has a cid: it can be asked again when the line
 * breaks before the answer comes, and is done once. */
export class Changes {
    #session;

    constructor(session) {
        this.#session = session;
    }

    edit({ conv, seq }, text) {
        return this.#message('edit', { conv, seq, text });
    }

    remove({ conv, seq }, forWhom) {
        return this.#message('delete', { conv, seq, for: forWhom });
    }

    react({ conv, seq }, emoji, on) {
        return this.#message('react', { conv, seq, emoji, on });
    }

    async #message(op, fields) {
        const ok = await this.#do(op, fields);
        if (ok.same) return;
        const { seq: ref, ...rest } = fields;
        const mentions = op === 'edit' ? this.#session.members.named(this.#session.chat.conversation(ok.conv), fields.text) : undefined;
        this.#session.chat.change({ ...rest, mentions, op, ref, conv: ok.conv, seq: ok.seq, pos: ok.pos, ts: ok.ts, from: this.#session.me });
    }

    // act: as the op `group` has it. Throws Refused.
    async group(act, conv, fields = {}) {
        const { chat, me } = this.#session;
        const ok = await this.#do('group', { do: act, conv, ...fields });
        const { text, ...rest } = fields;
        if (!ok.same) chat.receive({ ...rest, op: 'member', do: act, topic: text, conv: ok.conv, seq: ok.seq, pos: ok.pos, ts: ok.ts, from: me, to: ok.conv });
        return ok;
    }

    async #do(op, fields) {
        const request = { ...fields, cid: randomId() };
        for (;;) {
            try {
                const ok = await this.#session.client.request(op, request);
                if (ok.pos !== undefined) this.#session.acks.got(ok.pos);
                return ok;
            } catch (error) {
                await this.#again(error);
            }
        }
    }

    async #again(error) {
        if (error instanceof Disconnected) return this.#session.online();
        if (!(error instanceof Refused) || !error.retry) throw error;
        await new Promise(done => setTimeout(done, error.after ?? RETRY_MS));
    }
}

