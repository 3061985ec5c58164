import { key } from '../util/text.js';

const WATCH_MAX = 100; // where the server does not say

/* Asks for the presence of everybody in the list; only when the list has changed. */
export class Watch {
    #session;
    #watched = '';

    constructor(session) {
        this.#session = session;
    }

    reset() {
        this.#watched = '';
    }

    async update() {
        const { client, chat } = this.#session;
        if (!client.online) return;
        const users = this.#users();
        const wanted = users.map(key).sort().join(' ');
        if (wanted === this.#watched) return;
        this.#watched = wanted;
        const answer = await this.#session.ask('presence', { users });
        for (const row of answer?.users ?? []) chat.setPresence(row);
    }

    // The one on show, then those in the list.
    #users() {
        const { chat, client, peer, looking } = this.#session;
        const ids = [peer, looking, ...chat.conversations.filter(conv => !conv.gone && conv.role !== 'invited').map(conv => conv.id)].filter(id => id !== null);
        return [...new Map(ids.map(id => [key(id), id])).values()].slice(0, client.limits.watch ?? WATCH_MAX);
    }
}
