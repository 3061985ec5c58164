import { Emitter } from '../util/emitter.js';
import { key } from '../util/text.js';

const KEEP = 200; // messages kept of a conversation that nobody looks at
const NOTES_MAX = 100;

/* A message: { conv, seq, from, to, ts, text, mime, cid, own, state }; state is `sent`, or for own ones that are not
 * committed yet `sending` or `failed` (then `error` says why); seq is 0 until committed.
 * A note is a line of the page's own: { kind, after: seq, ts }. */
class Conversation {
    messages = []; // committed, by seq, each once
    pending = [];  // not committed, in the order written
    notes = [];
    last = null;   // newest message known, for lists
    lastSeq = 0;
    more = true;   // the server has older ones than messages[0]
    loaded = false; // the newest page of history has been read
    loading = false;
    awayNoted = false;
    readGuessed = false; // the read mark was taken from the list, before what is new had come

    constructor(id) {
        this.id = id;
        this.key = key(id);
    }

    // Returns false if it was there already.
    insert(message) {
        let at = this.messages.length;
        while (at > 0 && this.messages[at - 1].seq > message.seq) at--;
        if (at > 0 && this.messages[at - 1].seq === message.seq) return false;
        this.messages.splice(at, 0, message);
        if (message.seq >= this.lastSeq) {
            this.lastSeq = message.seq;
            this.last = message;
        }
        return true;
    }
}

/* What the page knows: conversations, messages, presence. No DOM, no network. Emits `change` (key of the conversation,
 * or nothing for all) and `incoming` (a message from somebody else that was not known before). */
export class Chat extends Emitter {
    #convs = new Map();
    #presence = new Map();
    #marks;

    constructor(me, marks) {
        super();
        this.me = me;
        this.#marks = marks;
    }

    // Made when first asked for.
    conversation(id) {
        const k = key(id);
        if (!this.#convs.has(k)) this.#convs.set(k, new Conversation(id));
        return this.#convs.get(k);
    }

    // Those with something in them, newest first.
    get conversations() {
        const time = conv => conv.pending.at(-1)?.ts ?? conv.last?.ts ?? 0;
        return [...new Set(this.#convs.values())].filter(conv => conv.last || conv.pending.length).sort((a, b) => time(b) - time(a));
    }

    // A `msg` event. Returns whether it was new.
    receive(event) {
        const conv = this.conversation(event.conv);
        this.#name(conv, event.conv);
        const message = this.#message(event);
        if (message.own && this.#settle(conv, event.cid, message)) return false;
        if (!conv.insert(message)) return false;
        this.#noteRead(conv, message);
        this.emit('change', conv.key);
        if (!message.own) this.emit('incoming', message);
        return true;
    }

    addPending(entry) {
        const conv = this.conversation(entry.to);
        conv.pending.push({
            conv: conv.id, seq: 0, from: this.me, to: entry.to, ts: entry.ts, text: entry.text, cid: entry.cid, own: true,
            state: entry.failed ? 'failed' : 'sending', error: entry.failed,
        });
        this.emit('change', conv.key);
    }

    // The answer to a send.
    commit(entry, ok) {
        const conv = this.conversation(entry.to);
        this.#name(conv, ok.conv);
        this.#settle(conv, entry.cid, { seq: ok.seq, ts: ok.ts });
        this.setPresence(ok.conv, ok.online ? 'online' : 'offline');
        if (!ok.online && !conv.awayNoted) {
            conv.awayNoted = true;
            this.note(conv.id, 'away');
        }
    }

    fail(entry, error) {
        this.#change(entry, { state: 'failed', error });
    }

    retry(entry) {
        this.#change(entry, { state: 'sending', error: undefined });
    }

    discard(entry) {
        const conv = this.conversation(entry.to);
        conv.pending = conv.pending.filter(m => m.cid !== entry.cid);
        this.emit('change', conv.key);
    }

    // A page of history; `newest` when it is the end of the conversation.
    addHistory(id, messages, more, newest) {
        const conv = this.conversation(id);
        for (const event of messages) {
            const message = this.#message(event);
            if (!(message.own && this.#settle(conv, event.cid, message))) conv.insert(message);
        }
        const cleared = this.#marks.cleared(conv.key);
        const oldest = conv.messages[0]?.seq ?? 0;
        const first = messages[0]?.seq ?? oldest;
        if (!newest || first <= oldest || messages.length === 0) conv.more = more && oldest > cleared + 1;
        conv.loaded = true;
        this.emit('change', conv.key);
    }

    setConversations(rows) {
        for (const row of rows) {
            const conv = this.conversation(row.conv);
            this.#name(conv, row.conv);
            if (row.last && row.seq >= conv.lastSeq) conv.last = conv.messages.find(m => m.seq === row.seq) ?? this.#message(row.last);
            conv.lastSeq = Math.max(conv.lastSeq, row.seq);
            this.#guessRead(conv);
        }
        this.emit('change');
    }

    setPresence(id, state) {
        const k = key(id);
        if (this.#presence.get(k) === state) return;
        this.#presence.set(k, state);
        const conv = this.#convs.get(k);
        if (conv?.awayNoted && state === 'online') {
            conv.awayNoted = false;
            this.note(id, 'back');
        }
        this.emit('change', k);
    }

    // 'online', 'offline', or undefined: not known.
    presence(id) {
        return this.#presence.get(key(id));
    }

    note(id, kind, text) {
        const conv = this.conversation(id);
        conv.notes.push({ kind, text, after: conv.messages.at(-1)?.seq ?? 0, ts: Date.now() });
        conv.notes.splice(0, conv.notes.length - NOTES_MAX);
        this.emit('change', conv.key);
    }

    // Messages from others beyond the read mark.
    unread(conv) {
        const read = this.#marks.read(conv.key) ?? 0;
        if (conv.lastSeq <= read) return 0;
        const known = conv.messages.filter(m => m.seq > read);
        return conv.lastSeq - read - known.filter(m => m.own).length;
    }

    markRead(id) {
        const conv = this.conversation(id);
        if ((this.#marks.read(conv.key) ?? 0) >= conv.lastSeq) return;
        this.#marks.setRead(conv.key, conv.lastSeq);
        this.emit('change', conv.key);
    }

    // What is shown: committed messages after the place where the view was cleared.
    shown(conv) {
        const cleared = this.#marks.cleared(conv.key);
        return conv.messages.filter(m => m.seq > cleared);
    }

    isCleared(conv) {
        return this.#marks.cleared(conv.key) > 0;
    }

    clear(id) {
        const conv = this.conversation(id);
        this.#marks.setCleared(conv.key, conv.lastSeq);
        conv.notes = [];
        conv.more = false;
        this.emit('change', conv.key);
    }

    unclear(id) {
        const conv = this.conversation(id);
        this.#marks.setCleared(conv.key, 0);
        conv.more = (conv.messages[0]?.seq ?? conv.lastSeq + 1) > 1;
        this.emit('change', conv.key);
    }

    // Drops what can be read again.
    rest(id) {
        const conv = this.conversation(id);
        if (conv.messages.length <= KEEP) return;
        conv.messages = conv.messages.slice(-KEEP);
        conv.more = conv.messages[0].seq > this.#marks.cleared(conv.key) + 1;
    }

    // The log is not the one we knew, or we cannot continue in it: everything committed has to be read again.
    forget() {
        for (const conv of this.#convs.values()) {
            Object.assign(conv, { messages: [], notes: [], last: null, lastSeq: 0, more: true, loaded: false, loading: false });
        }
        this.emit('change');
    }

    #message(event) {
        const text = event.text ?? (event.mime?.startsWith('text/') ? event.body : `[${event.mime}]`);
        const own = key(event.from) === key(this.me);
        return { ...event, text, own, state: 'sent' };
    }

    // A pending message is committed: the same object, so that what shows it stays. False: none has this cid.
    #settle(conv, cid, { seq, ts }) {
        const at = conv.pending.findIndex(m => m.cid === cid);
        if (at < 0) return false;
        const [message] = conv.pending.splice(at, 1);
        conv.insert(Object.assign(message, { seq, ts, state: 'sent', error: undefined }));
        this.emit('change', conv.key);
        return true;
    }

    #change(entry, change) {
        const conv = this.conversation(entry.to);
        const message = conv.pending.find(m => m.cid === entry.cid);
        if (message) Object.assign(message, change);
        this.emit('change', conv.key);
    }

    // Whoever answers has read what came before. What is new here has not been read, whatever the list made us think.
    #noteRead(conv, { own, seq }) {
        const read = this.#marks.read(conv.key);
        if (own) this.#marks.setRead(conv.key, Math.max(read ?? 0, seq));
        else if (read === undefined || (conv.readGuessed && read >= seq)) this.#marks.setRead(conv.key, seq - 1);
    }

    // A conversation never looked at here was read elsewhere, except for what this device is still being given.
    #guessRead(conv) {
        const read = this.#marks.read(conv.key);
        if (read !== undefined && !(conv.last?.own && read < conv.last.seq)) return;
        conv.readGuessed ||= read === undefined;
        this.#marks.setRead(conv.key, conv.lastSeq);
    }

    // The server's name for a conversation. It knows more about ids that are the same than key() does.
    #name(conv, id) {
        conv.id = id;
        if (!this.#convs.has(key(id))) this.#convs.set(key(id), conv);
    }
}
