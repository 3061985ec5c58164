import { Client, Disconnected, Refused } from './protocol/client.js';
import { recall, remember } from './state/local.js';
import { Chat } from './state/chat.js';
import { Marks } from './state/marks.js';
import { Outbox } from './state/outbox.js';
import { Emitter } from './util/emitter.js';
import { byteLength, key, randomId, sendable } from './util/text.js';

const PAGE = 50;
const ACK_MS = 200;
const RETRY_MS = 1000;
const FRAME_SPARE = 64; // op, id and braces around a message

function deviceOf(user) {
    const name = `device:${user}`;
    const device = recall(name) ?? `web-${randomId(8)}`;
    remember(name, device);
    return device;
}

/* One user on this page: ties the connection, what is known, and what waits to be sent. Emits `status` (as the client),
 * `open` (another conversation is shown), `notice` (a text), and what Chat emits through `chat`. */
export class Session extends Emitter {
    peer = null; // the conversation shown

    #key;
    #marks;
    #outbox;
    #pumping = false;
    #ackPos = null;
    #ackTimer = 0;
    #watched = '';
    #offs = [];

    constructor({ user, url, lang }) {
        super();
        this.#key = key(user);
        this.#marks = new Marks(this.#key);
        this.#outbox = new Outbox(this.#key);
        this.chat = new Chat(user, this.#marks);
        for (const entry of this.#outbox.entries) this.chat.addPending(entry);
        this.client = new Client({ url, user, lang, device: deviceOf(this.#key), agent: 'imd-web' });
        this.client.on('status', status => this.emit('status', status));
        this.client.on('online', answer => this.#online(answer));
        this.client.on('event', event => this.#event(event));
        this.chat.on('change', () => this.#watch());
    }

    get me() {
        return this.chat.me;
    }

    // 'online', 'offline', or undefined: not known, as nothing is while there is no connection.
    presence(id) {
        return this.client.online ? this.chat.presence(id) : undefined;
    }

    start() {
        const wake = () => document.visibilityState === 'visible' && this.client.wake();
        for (const [target, name] of [[window, 'online'], [document, 'visibilitychange'], [window, 'pageshow']]) {
            target.addEventListener(name, wake);
            this.#offs.push(() => target.removeEventListener(name, wake));
        }
        this.client.start();
    }

    stop() {
        clearTimeout(this.#ackTimer);
        this.#sendAck();
        this.client.stop();
        this.#offs.forEach(off => off());
    }

    // Shows a conversation.
    open(id) {
        if (this.peer !== null && !this.isOpen(id)) this.chat.rest(this.peer);
        this.peer = id;
        this.#watch();
        this.emit('open', id);
        this.#loadNewest();
    }

    isOpen(id) {
        return this.peer !== null && this.chat.conversation(id) === this.chat.conversation(this.peer);
    }

    // Returns false if the text cannot be sent as it is.
    send(text) {
        const clean = sendable(text);
        if (clean.trim() === '' || this.tooLong(clean)) return false;
        const entry = this.#outbox.add(this.peer, clean);
        if (entry === null) return false;
        this.chat.addPending(entry);
        this.#pump();
        return true;
    }

    tooLong(text) {
        const { text: most = Infinity, message = Infinity } = this.client.limits;
        return byteLength(text) > most || byteLength(JSON.stringify({ to: this.peer, text, cid: randomId() })) + FRAME_SPARE > message;
    }

    retry(cid) {
        const entry = this.#outbox.get(cid);
        if (!entry) return;
        this.#outbox.retry(cid);
        this.chat.retry(entry);
        this.#pump();
    }

    discard(cid) {
        const entry = this.#outbox.get(cid);
        if (!entry) return;
        this.#outbox.remove(cid);
        this.chat.discard(entry);
    }

    // Reads older messages of the conversation shown.
    async loadOlder() {
        const conv = this.chat.conversation(this.peer);
        if (conv.loaded && conv.more) await this.#load(conv, { before: conv.messages[0]?.seq ?? conv.lastSeq + 1 });
    }

    async unclear() {
        this.chat.unclear(this.peer);
        await this.loadOlder();
    }

    async #loadNewest() {
        const conv = this.chat.conversation(this.peer);
        if (!conv.loaded) await this.#load(conv, {});
    }

    async #load(conv, where) {
        if (conv.loading || !this.client.online) return;
        conv.loading = true;
        this.chat.emit('change', conv.key);
        const limit = Math.min(PAGE, this.client.limits.history ?? PAGE);
        try {
            const answer = await this.client.request('history', { conv: conv.id, limit, ...where });
            conv.loading = false;
            this.chat.addHistory(conv.id, answer.messages, answer.more, !where.before);
        } catch (error) {
            conv.loading = false;
            this.chat.emit('change', conv.key);
            this.#report(error);
        }
    }

    #online({ hello, login }) {
        this.chat.me = login.user;
        if (!this.#marks.setEpoch(hello.epoch)) this.chat.forget();
        this.#watched = '';
        this.#pump();
        this.#refresh();
    }

    async #refresh() {
        this.#loadNewest();
        try {
            const answer = await this.client.request('conversations');
            this.chat.setConversations(answer.conversations);
            this.#watch();
        } catch (error) {
            this.#report(error);
        }
    }

    #event(event) {
        if (event.op === 'msg') this.chat.receive(event);
        else if (event.op === 'presence') this.chat.setPresence(event.user, event.state);
        else if (event.op === 'notice') this.emit('notice', event.text);
        else if (event.op === 'err') this.emit('notice', event.text);
        else if (event.op === 'reset') this.#reset();
        if (event.pos !== undefined && event.op !== 'ok') this.#ack(event.pos);
    }

    #reset() {
        this.chat.forget();
        this.#refresh();
    }

    // Acknowledgements are cumulative: one for many events.
    #ack(pos) {
        this.#ackPos = pos;
        this.#ackTimer ||= setTimeout(() => this.#sendAck(), ACK_MS);
    }

    #sendAck() {
        this.#ackTimer = 0;
        if (this.#ackPos !== null) this.client.push('ack', { pos: this.#ackPos });
        this.#ackPos = null;
    }

    // Asks for the presence of everybody in the list; only when the list has changed.
    async #watch() {
        if (!this.client.online) return;
        const users = this.chat.conversations.map(conv => conv.id);
        if (this.peer !== null) users.unshift(this.peer);
        const most = this.client.limits.watch ?? 100;
        const unique = [...new Map(users.filter(id => !id.startsWith('#')).map(id => [key(id), id])).values()].slice(0, most);
        const wanted = unique.map(key).sort().join(' ');
        if (wanted === this.#watched) return;
        this.#watched = wanted;
        try {
            const answer = await this.client.request('presence', { users: unique });
            for (const { user, state } of answer.users) this.chat.setPresence(user, state);
        } catch (error) {
            this.#report(error);
        }
    }

    // Sends what waits, one at a time: what was written first is committed first.
    async #pump() {
        if (this.#pumping) return;
        this.#pumping = true;
        try {
            for (let entry; (entry = this.#outbox.next()) !== undefined;) await this.#deliver(entry);
        } catch (error) {
            if (!(error instanceof Disconnected)) throw error;
        } finally {
            this.#pumping = false;
        }
        if (this.client.online && this.#outbox.next()) this.#pump();
    }

    async #deliver({ cid, to, text }) {
        try {
            const ok = await this.client.request('send', { to, text, cid });
            this.#outbox.remove(cid);
            this.chat.commit({ cid, to }, ok);
        } catch (error) {
            if (!(error instanceof Refused)) throw error;
            if (error.retry) return new Promise(done => setTimeout(done, error.after ?? RETRY_MS));
            this.#outbox.fail(cid, error.message);
            this.chat.fail({ cid, to }, error.message);
        }
    }

    #report(error) {
        if (error instanceof Refused) this.emit('notice', error.message);
        else if (!(error instanceof Disconnected)) throw error;
    }
}
