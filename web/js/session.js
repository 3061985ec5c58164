import { Client, Disconnected, Refused } from './protocol/client.js';
import { Account } from './session/account.js';
import { Acks } from './session/acks.js';
import { Changes } from './session/changes.js';
import { Delivery } from './session/delivery.js';
import { History } from './session/history.js';
import { Members } from './session/members.js';
import { Profiles } from './session/profiles.js';
import { Typing } from './session/typing.js';
import { Watch } from './session/watch.js';
import { Chat } from './state/chat.js';
import { recall, remember } from './state/local.js';
import { Marks } from './state/marks.js';
import { Outbox } from './state/outbox.js';
import { isMember } from './state/rights.js';
import { Emitter } from './util/emitter.js';
import { deviceName } from './util/device.js';
import { byteLength, key, randomId, sendable } from './util/text.js';

const FRAME_SPARE = 96; // op, id, reply and braces around a message
const READ_MS = 300;
const INFO_MS = 400;
const SEEN_MS = 1000; // after somebody went, the server knows when that was

function deviceOf(user) {
    const name = `device:${user}`;
    const device = recall(name) ?? deviceName(navigator.userAgent, randomId(4));
    remember(name, device);
    return device;
}

/* One user on this page: ties the connection, what is known, and what waits to be sent. Emits `status` (as the client),
 * `open` (another conversation is shown), `notice` (a text), and what Chat emits through `chat`. */
export class Session extends Emitter {
    peer = null;    // the conversation shown
    looking = null; // the user whose card is shown

    #key;
    #marks;
    #outbox;
    #delivery;
    #history;
    #watch;
    #reads = new Map(); // conversations whose read mark the server does not know yet
    #readTimer = 0;
    #infoTimer = 0;
    #offs = [];

    // credentials: { user, password?, invite?, register?, token? }
    constructor({ url, lang, ...credentials }) {
        super();
        this.#key = key(credentials.user);
        this.#marks = new Marks(this.#key);
        this.#outbox = new Outbox(this.#key);
        this.account = new Account(credentials);
        this.chat = new Chat(credentials.user, this.#marks);
        for (const entry of this.#outbox.entries) this.chat.addPending(entry);
        for (const row of recall(`invited:${this.#key}`, [])) this.chat.invited(row);
        this.client = new Client({
            url, lang, device: deviceOf(this.#key), agent: 'imd-web', login: () => this.account.login(), refused: error => this.account.refused(error.reason),
        });
        this.acks = new Acks(this.client);
        this.changes = new Changes(this);
        this.members = new Members(this);
        this.profiles = new Profiles(this);
        this.typing = new Typing(this.client);
        this.#delivery = new Delivery(this, this.#outbox);
        this.#history = new History(this);
        this.#watch = new Watch(this);
        this.client.on('status', status => this.emit('status', status));
        this.client.on('online', answer => this.#online(answer));
        this.client.on('event', event => this.#event(event));
        this.chat.on('change', () => this.#watch.update());
        this.chat.on('member', event => this.#member(event));
    }

    get me() {
        return this.chat.me;
    }

    get conv() {
        return this.peer === null ? null : this.chat.conversation(this.peer);
    }

    // { state, text } of a user, { online } of a group; undefined: not known, as nothing is while there is no connection.
    presence(id) {
        return this.client.online ? this.chat.people.presence(id) : undefined;
    }

    start() {
        const wake = () => document.visibilityState === 'visible' && this.client.wake();
        const settle = () => this.#settle();
        for (const [target, name, f] of [[window, 'online', wake], [document, 'visibilitychange', wake], [window, 'pageshow', wake], [window, 'pagehide', settle]]) {
            target.addEventListener(name, f);
            this.#offs.push(() => target.removeEventListener(name, f));
        }
        this.client.start();
    }

    // signOut: this browser shall have to log in again.
    stop({ signOut = false } = {}) {
        this.#settle();
        if (signOut) this.account.forget();
        this.client.stop({ forget: signOut });
        this.chat.people.close();
        clearTimeout(this.#infoTimer);
        this.#offs.forEach(off => off());
    }

    // Tells the server what it has not been told yet.
    #settle() {
        this.#sendReads();
        this.acks.flush();
    }

    // Resolves when there is a connection.
    online() {
        if (this.client.online) return Promise.resolve();
        return new Promise(resolve => {
            const off = this.client.on('online', () => {
                off();
                resolve();
            });
        });
    }

    // The answer, or null: then the user has been told why, unless that is of no interest.
    async ask(op, fields = {}, quietly = false) {
        try {
            return await this.client.request(op, fields);
        } catch (error) {
            this.#report(error, quietly);
            return null;
        }
    }

    // Does something that may be refused; the user is told then. Returns whether it was done.
    async attempt(doing) {
        try {
            await doing;
            return true;
        } catch (error) {
            this.#report(error, false);
            return false;
        }
    }

    // Shows a conversation, or none (null).
    open(id) {
        if (this.peer !== null && !this.isOpen(id)) this.chat.rest(this.peer);
        this.peer = id;
        const { conv } = this;
        if (conv?.unread > 0) conv.divider = conv.read;
        this.#watch.update();
        this.emit('open', id);
        if (conv) this.#read(conv);
    }

    isOpen(id) {
        return this.peer !== null && id !== null && this.chat.conversation(id) === this.conv;
    }

    look(id) {
        this.looking = id;
        if (id !== null) this.profiles.want(id, true);
        this.#watch.update();
    }

    // Returns false if the text cannot be sent as it is. reply: the seq of the message that it answers.
    send(text, reply) {
        const clean = sendable(text);
        if (clean.trim() === '' || this.tooLong(clean)) return false;
        const entry = this.#outbox.add(this.peer, clean, reply);
        if (entry === null) return false;
        this.typing.sent();
        this.chat.addPending({ ...entry, mentions: this.members.named(this.conv, clean) });
        this.#delivery.pump();
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
        this.#delivery.pump();
    }

    discard(cid) {
        const entry = this.#outbox.get(cid);
        if (!entry) return;
        this.#outbox.remove(cid);
        this.chat.discard(entry);
    }

    loadOlder() {
        return this.conv && this.#history.older(this.conv);
    }

    loadNewer() {
        return this.conv && this.#history.newer(this.conv);
    }

    // Makes sure that a message of the conversation on show is there to be seen. Returns whether it is.
    async reach(seq) {
        const { conv } = this;
        if (seq <= this.chat.clearedAt(conv)) this.chat.unclear(conv.id);
        if (!conv.find(seq)) await this.#history.around(conv, seq);
        return conv.find(seq) !== undefined;
    }

    async toNewest() {
        const { conv } = this;
        conv.leaveWindow();
        await this.#history.newest(conv);
    }

    quote(conv, seq) {
        return this.#history.quote(conv, seq);
    }

    async unclear() {
        this.chat.unclear(this.peer);
        await this.loadOlder();
    }

    // The user has everything in sight.
    markRead() {
        if (this.conv && this.chat.markRead(this.peer)) {
            this.#reads.set(this.conv.key, this.conv);
            this.#readTimer ||= setTimeout(() => this.#sendReads(), READ_MS);
        }
    }

    // How the group is now. Returns whether there is one that the user may know of.
    async groupInfo(conv) {
        try {
            const { role, topic, members, online, public: open, history, conv: id } = await this.client.request('group', { do: 'info', conv: conv.id });
            this.chat.setGroup(conv, { id, role, topic, members, settings: { public: open, history } });
            if (online !== undefined) this.chat.setPresence({ conv: conv.id, online });
            return true;
        } catch (error) {
            if (!(error instanceof Refused)) return true;
            this.chat.setGroup(conv, { role: 'none', missing: true });
            this.#keepInvitations();
            return false;
        }
    }

    // The server tells of an invitation once; it is kept until it is answered.
    #keepInvitations() {
        remember(`invited:${this.#key}`, this.chat.invitations);
    }

    // Blocks a user, or lifts that.
    async block(user, on) {
        if (await this.ask('block', { user, on })) this.chat.people.setBlock(user, on);
    }

    // What the user wants others to see: { state, text }.
    get ownStatus() {
        return recall(`status:${this.#key}`, null) ?? { state: 'online', text: '' };
    }

    async setStatus(status) {
        const answer = await this.ask('presence', status);
        if (answer === null) return;
        remember(`status:${this.#key}`, status);
        this.chat.emit('change');
    }

    #sendReads() {
        clearTimeout(this.#readTimer);
        this.#readTimer = 0;
        if (!this.client.online) return;
        for (const conv of this.#reads.values()) if (conv.read > 0) this.client.request('read', { conv: conv.id, seq: conv.read }).catch(() => {});
        this.#reads.clear();
    }

    // What there is to know of the conversation on show.
    async #read(conv) {
        if (!this.client.online) return;
        if (conv.group) {
            const known = isMember(conv.role);
            const there = this.groupInfo(conv);
            if (!known && (!await there || !isMember(conv.role))) return;
            this.members.load(conv);
        } else this.profiles.want(conv.id, true);
        await this.#history.newest(conv);
    }

    #online({ hello, login }) {
        this.account.accepted(login);
        this.chat.me = login.user;
        if (!this.#marks.setEpoch(hello.epoch)) this.chat.forget();
        this.#watch.reset();
        this.#delivery.pump();
        this.#refresh();
    }

    // The list comes first: it tells up to where the pages that are read next show everything.
    async #refresh() {
        const answer = await this.ask('conversations');
        if (answer) this.chat.setConversations(answer.conversations);
        this.#watch.update();
        this.#sendReads();
        if (this.conv) this.#read(this.conv);
        this.profiles.want(this.me);
        this.profiles.pump();
        const blocked = await this.ask('block', {}, true);
        if (blocked?.users) this.chat.people.setBlocked(blocked.users);
        const { state, text } = this.ownStatus;
        if (state !== 'online' || text) await this.ask('presence', { state, text }, true);
    }

    #event(event) {
        const { chat } = this;
        if (event.op === 'msg' || event.op === 'member') chat.receive(event);
        else if (event.op === 'edit' || event.op === 'delete' || event.op === 'react') chat.change(event);
        else if (event.op === 'receipt') chat.receipt(event);
        else if (event.op === 'typing') chat.people.setTyping(chat.conversation(event.conv).key, event.user, event.on ? event.for : 0);
        else if (event.op === 'presence') this.#presence(event);
        else if (event.op === 'notice' || event.op === 'err') this.emit('notice', event.text);
        else if (event.op === 'reset') this.#reset();
        if (event.pos !== undefined && event.op !== 'ok') this.acks.got(event.pos);
    }

    #presence(event) {
        this.chat.setPresence(event);
        const { user, state } = event;
        if (state === 'offline' && this.isOpen(user)) setTimeout(() => this.isOpen(user) && this.profiles.want(user, true), SEEN_MS);
    }

    #reset() {
        this.chat.forget();
        this.#refresh();
    }

    // The group on show has changed: how it is now is worth a look, but not for each of a hundred changes.
    #member(event) {
        const id = event.conv;
        this.members.apply(event);
        this.#keepInvitations();
        const conv = this.chat.conversation(id);
        if (!this.isOpen(id) || !isMember(conv.role)) return;
        clearTimeout(this.#infoTimer);
        this.#infoTimer = setTimeout(() => this.isOpen(id) && isMember(conv.role) && this.#read(conv), INFO_MS);
    }

    #report(error, quietly) {
        if (error instanceof Disconnected || (error instanceof Refused && quietly)) return;
        if (error instanceof Refused) this.emit('notice', error.message);
        else throw error;
    }
}

