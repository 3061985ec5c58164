import { roleAfter } from '../state/member.js';
import { isMember, may } from '../state/rights.js';
import { key, mentionParts } from '../util/text.js';

const PAGE = 100;

/* Who is in the groups that have been looked at: as far as they were read, in the server's order. */
export class Members {
    #session;
    #groups = new Map(); // key of the conversation -> { rows, next }

    constructor(session) {
        this.#session = session;
    }

    // { rows: [{ user, role, online }], next: set when there are more }
    of(conv) {
        return this.#groups.get(conv.key) ?? { rows: [], next: undefined };
    }

    // Reads them from the beginning.
    async load(conv) {
        const answer = await this.#page(conv);
        if (answer) this.#set(conv, answer.members, answer.next);
    }

    async more(conv) {
        const { rows, next } = this.of(conv);
        const answer = next === undefined ? null : await this.#page(conv, next);
        if (answer) this.#set(conv, [...rows, ...answer.members], answer.next);
    }

    // Those who may be named in a message: members, and who has written lately.
    names(conv) {
        const wrote = conv.messages.map(m => m.from).reverse();
        const known = this.of(conv).rows.filter(row => isMember(row.role)).map(row => row.user);
        const ids = new Map([...wrote, ...known].map(id => [key(id), id]));
        ids.delete(key(this.#session.me));
        return [...ids.values()];
    }

    // Who may be named there: those, and everybody ('*') where the user may call them.
    callable(conv) {
        return conv.group ? [...this.names(conv), ...(may(conv.role, 'mentionAll') ? ['*'] : [])] : [];
    }

    // Whom a text names, until the server says so.
    named(conv, text) {
        return mentionParts(text, this.callable(conv)).flatMap(part => part.mention ?? []);
    }

    // A membership change, as it happens; what it does to the order and to the end of the list is read again.
    apply(event) {
        const group = this.#groups.get(this.#session.chat.conversation(event.conv).key);
        const role = roleAfter(event);
        const row = group?.rows.find(r => key(r.user) === key(event.user ?? event.from));
        if (!row || !role) return;
        if (role === 'none') group.rows = group.rows.filter(r => r !== row);
        else row.role = role;
    }

    #page(conv, next) {
        return this.#session.ask('group', { do: 'members', conv: conv.id, limit: PAGE, ...(next === undefined ? {} : { next }) }, true);
    }

    #set(conv, rows, next) {
        this.#groups.set(conv.key, { rows, next });
        this.#session.chat.emit('change', conv.key);
    }
}
