import { Emitter } from '../util/emitter.js';
import { key, withoutBidi } from '../util/text.js';

/* What is known of others: who is here, what they call themselves, who is writing, whom the user has blocked. Emits
 * `change`. */
export class People extends Emitter {
    #presence = new Map(); // key -> { state, text }, or { online } of a group
    #profiles = new Map(); // key -> { name, avatar, bot, seen }
    #typing = new Map();   // key of the conversation -> Map of key -> { user, timer }
    #blocked = new Map();  // key -> id

    setPresence({ user, conv, state, text, online }) {
        this.#presence.set(key(user ?? conv), conv ? { online } : { state, text });
        this.emit('change');
    }

    // undefined: not known.
    presence(id) {
        return this.#presence.get(key(id));
    }

    online(id) {
        const state = this.presence(id)?.state;
        return state !== undefined && state !== 'offline';
    }

    // The answer to a send said only this much.
    seenOnline(id, online) {
        const known = this.presence(id);
        if (known !== undefined && this.online(id) === online) return;
        this.#presence.set(key(id), { state: online ? 'online' : 'offline' });
        this.emit('change');
    }

    // The answer to `profile`, which is the only one to tell when somebody was last here.
    setProfile({ user, name, avatar, bot, seen }) {
        this.#profiles.set(key(user), { name: name || undefined, avatar: avatar || undefined, bot, seen });
        this.emit('change');
    }

    profile(id) {
        return this.#profiles.get(key(id));
    }

    // What to call somebody.
    name(id) {
        return withoutBidi(this.profile(id)?.name ?? id);
    }

    // Somebody writes, for so long unless told again; 0: no more.
    setTyping(conv, user, ms) {
        const here = this.#typing.get(conv) ?? new Map();
        this.#typing.set(conv, here);
        const before = here.get(key(user));
        if (!before && ms === 0) return;
        clearTimeout(before?.timer);
        here.delete(key(user));
        if (ms > 0) here.set(key(user), { user, timer: setTimeout(() => this.setTyping(conv, user, 0), ms) });
        this.emit('change');
    }

    typing(conv) {
        return [...(this.#typing.get(conv)?.values() ?? [])].map(row => row.user);
    }

    setBlocked(users) {
        this.#blocked = new Map(users.map(id => [key(id), id]));
        this.emit('change');
    }

    setBlock(id, on) {
        if (on) this.#blocked.set(key(id), id);
        else this.#blocked.delete(key(id));
        this.emit('change');
    }

    isBlocked(id) {
        return this.#blocked.has(key(id));
    }

    get blocked() {
        return [...this.#blocked.values()];
    }

    close() {
        for (const here of this.#typing.values()) for (const { timer } of here.values()) clearTimeout(timer);
        this.#typing.clear();
    }
}
