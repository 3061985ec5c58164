const PAGE = 50;
const TRIES = 3; // to read a page while nothing in the conversation changes

/* Reads conversations back, page by page. */
export class History {
    #session;

    constructor(session) {
        this.#session = session;
    }

    newest(conv) {
        return conv.loaded ? undefined : this.#load(conv, {});
    }

    older(conv) {
        if (conv.loaded && conv.more) return this.#load(conv, { before: conv.messages[0]?.seq ?? conv.lastSeq + 1 });
    }

    newer(conv) {
        if (conv.loaded && conv.newer) return this.#load(conv, { after: conv.messages.at(-1)?.seq ?? 0 });
    }

    around(conv, seq) {
        conv.interrupt();
        return this.#load(conv, { around: seq });
    }

    // A message that another one replies to.
    async quote(conv, seq) {
        if (conv.quotes.has(seq) || !this.#session.client.online) return;
        conv.quotes.set(seq, undefined);
        const answer = await this.#session.ask('history', { conv: conv.id, around: seq, limit: 1 }, true);
        this.#session.chat.addQuote(conv, seq, answer?.messages.find(m => m.seq === seq && m.op === 'msg') ?? null);
    }

    async #load(conv, where, tries = TRIES) {
        const { client, chat } = this.#session;
        if (conv.loading || !client.online) return;
        conv.loading = true;
        conv.stale = false;
        chat.emit('change', conv.key);
        const { lastSeq: asOf, reading } = conv;
        const limit = Math.min(PAGE, client.limits.history ?? PAGE);
        const answer = await this.#session.ask('history', { conv: conv.id, limit, ...where });
        if (conv.reading !== reading) return;
        conv.loading = false;
        if (answer && conv.stale && tries > 1) return this.#load(conv, where, tries - 1);
        if (answer) chat.addHistory(conv, answer.messages, answer.more, where, asOf);
        else chat.emit('change', conv.key);
    }
}
