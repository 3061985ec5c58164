import { Emitter } from '../util/emitter.js';
import { isGroup, key } from '../util/text.js';
import { applyMember } from './member.js';
import { applyChange, change, makeMessage } from './message.js';
import { Conversation } from './conversation.js';
import { People } from './people.js';

/* What the page knows: conversations, messages, people. No DOM, no network. Emits `change` (key of the conversation, or
 * nothing for all), `incoming` (a message from somebody else that was not known before) and `member` (a membership
 * change, as it happens). */
export class Chat extends Emitter {
    #convs = new Map();
    #marks;

    constructor(me, marks) {
        super();
        this.me = me;
        this.#marks = marks;
        this.people = new People();
        this.people.on('change', () => this.emit('change'));
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
        const known = conv => conv.last || conv.pending.length || (conv.group && conv.role && !conv.gone);
        return [...new Set(this.#convs.values())].filter(known).sort((a, b) => time(b) - time(a));
    }

    // A `msg` or `member` event. Returns whether it was new.
    receive(event) {
        const conv = this.conversation(event.conv);
        this.#name(conv, event.conv);
        const message = makeMessage(event, this.me);
        const fresh = event.seq > conv.lastSeq;
        const settled = message.own && this.#settle(conv, event.cid, message);
        const added = !settled && conv.insert(message);
        conv.lastSeq = Math.max(conv.lastSeq, event.seq);
        if (event.op === 'member') this.#member(conv, event, fresh);
        else if (message.own) conv.readTo(event.seq);
        else if (fresh) this.#arrived(conv, message);
        this.emit('change', conv.key);
        return !settled && (fresh || added);
    }

    // An `edit`, `delete` or `react` event, or the answer to an own one in the same form.
    change(event) {
        const conv = this.conversation(event.conv);
        if (event.for === 'me') conv.drop(event.ref);
        else {
            if (conv.loading && event.seq > conv.lastSeq) conv.stale = true;
            conv.lastSeq = Math.max(conv.lastSeq, event.seq);
            const places = new Set([conv.find(event.ref), conv.last?.seq === event.ref && conv.last, conv.quotes.get(event.ref)]);
            for (const message of places) if (message) applyChange(message, event, this.me);
        }
        this.emit('change', conv.key);
    }

    // A `receipt` event.
    receipt({ conv: id, user, received, read }) {
        const conv = this.conversation(id);
        if (key(user) === key(this.me)) conv.readTo(read ?? 0);
        else if (!conv.group) conv.setReceipt({ received, read });
        this.emit('change', conv.key);
    }

    addPending(entry) {
        const conv = this.conversation(entry.to);
        conv.pending.push({
            op: 'msg', conv: conv.id, seq: 0, from: this.me, to: entry.to, ts: entry.ts, text: entry.text, cid: entry.cid, reply: entry.reply, mentions: entry.mentions, own: true,
            state: entry.failed ? 'failed' : 'sending', error: entry.failed, asOf: 0, rev: 0,
        });
        this.emit('change', conv.key);
    }

    // The answer to a send.
    commit(entry, ok) {
        const conv = this.conversation(entry.to);
        this.#name(conv, ok.conv);
        this.#settle(conv, entry.cid, { seq: ok.seq, pos: ok.pos, ts: ok.ts });
        if (conv.group) return;
        this.people.seenOnline(ok.conv, ok.online);
        if (!ok.online && !conv.awayNoted) {
            conv.awayNoted = true;
            this.note(conv.id, 'away');
        }
    }

    fail(entry, error) {
        this.#changePending(entry, { state: 'failed', error });
    }

    retry(entry) {
        this.#changePending(entry, { state: 'sending', error: undefined });
    }

    discard(entry) {
        const conv = this.conversation(entry.to);
        conv.pending = conv.pending.filter(m => m.cid !== entry.cid);
        this.emit('change', conv.key);
    }

    /* A page of history, read at a moment when the conversation's newest event was known to be asOf. where: {} for the
     * end of the conversation, or { before }, { after }, { around }. */
    addHistory(conv, messages, more, where = {}, asOf = 0) {
        if (!this.#has(conv)) return;
        const made = messages.map(event => makeMessage(event, this.me, asOf)).filter(m => !(m.own && this.#settle(conv, m.cid, m)));
        conv.addPage(made, more, where);
        const first = messages[0]?.seq ?? 0;
        const oldest = conv.messages[0]?.seq ?? 0;
        const cleared = this.#marks.cleared(conv.key);
        if (where.around) conv.more = oldest > Math.max(cleared, 0) + 1;
        else if (!where.after && (where.before || first <= oldest || messages.length === 0)) conv.more = more && oldest > cleared + 1;
        this.emit('change', conv.key);
    }

    // A message that is shown only because another one replies to it; null: there is none.
    addQuote(conv, seq, event) {
        conv.quotes.set(seq, event && makeMessage(event, this.me, conv.lastSeq));
        this.emit('change', conv.key);
    }

    // The answer to `group` info.
    setGroup(conv, { id = conv.id, role, topic = conv.topic, members = conv.members, settings = conv.settings, missing = false }) {
        if (!this.#has(conv)) return;
        this.#name(conv, id);
        Object.assign(conv, { role, topic, members, settings, missing });
        this.emit('change', conv.key);
    }

    setConversations(rows) {
        for (const row of rows) {
            const conv = this.conversation(row.conv);
            this.#name(conv, row.conv);
            conv.setRow(row, this.me);
            if (row.last && row.last.seq >= conv.shownSeq) {
                conv.shownSeq = row.last.seq;
                conv.last = conv.find(row.last.seq) ?? makeMessage(row.last, this.me, row.seq);
            }
        }
        this.emit('change');
    }

    // A `presence` event, or a row of the answer.
    setPresence(row) {
        const id = row.user ?? row.conv;
        const conv = this.#convs.get(key(id));
        this.people.setPresence(row);
        if (conv?.awayNoted && this.people.online(id)) {
            conv.awayNoted = false;
            this.note(id, 'back');
        }
    }

    note(id, kind, text) {
        const conv = this.conversation(id);
        conv.note(kind, text);
        this.emit('change', conv.key);
    }

    // Everything in it has been read. Returns whether that is news.
    markRead(id) {
        const conv = this.conversation(id);
        const news = conv.unread > 0 || conv.read < conv.shownSeq;
        if (news) conv.readTo(conv.lastSeq);
        conv.unread = 0;
        if (news) this.emit('change', conv.key);
        return news;
    }

    // What is shown: committed messages after the place where the view was cleared.
    shown(conv) {
        const cleared = this.#marks.cleared(conv.key);
        return conv.messages.filter(m => m.seq > cleared);
    }

    clearedAt(conv) {
        return this.#marks.cleared(conv.key);
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
        if (conv.rest()) conv.more = conv.messages[0].seq > this.#marks.cleared(conv.key) + 1;
    }

    // Takes a conversation off the list.
    remove(id) {
        const conv = this.conversation(id);
        for (const [k, other] of this.#convs) if (other === conv) this.#convs.delete(k);
        this.emit('change');
    }

    // An invitation that was seen before and is still open.
    invited({ conv: id, from, ts }) {
        const conv = this.conversation(id);
        if (conv.role && !['none', 'silenced'].includes(conv.role)) return;
        Object.assign(conv, { role: 'invited', invitedBy: from });
        conv.last ??= makeMessage({ op: 'member', do: 'invite', conv: id, seq: 0, from, user: this.me, ts }, this.me);
        this.emit('change', conv.key);
    }

    get invitations() {
        return [...new Set(this.#convs.values())].filter(conv => conv.role === 'invited').map(conv => ({ conv: conv.id, from: conv.invitedBy, ts: conv.last?.ts ?? 0 }));
    }

    // The log is not the one we knew, or we cannot continue in it: everything committed has to be read again.
    forget() {
        for (const conv of this.#convs.values()) {
            conv.forget();
            conv.notes = [];
        }
        this.emit('change');
    }

    #arrived(conv, message) {
        conv.arrived(message, this.me);
        this.people.setTyping(conv.key, message.from, 0);
        this.emit('incoming', message);
    }

    // Only what is news says how the group is now; the rest is its past.
    #member(conv, event, fresh) {
        if (!fresh) return;
        applyMember(conv, event, this.me);
        this.emit('member', event);
    }

    // A pending message is committed: the same object, so that what shows it stays. False: none has this cid.
    #settle(conv, cid, { seq, pos, ts, mentions = [] }) {
        const at = conv.pending.findIndex(m => m.cid === cid);
        if (at < 0) return false;
        const [message] = conv.pending.splice(at, 1);
        change(message, { seq, pos, ts, mentions: mentions.length ? mentions : message.mentions, asOf: seq, state: 'sent', error: undefined });
        conv.insert(message);
        conv.lastSeq = Math.max(conv.lastSeq, seq);
        conv.readTo(seq);
        this.emit('change', conv.key);
        return true;
    }

    #changePending(entry, values) {
        const conv = this.conversation(entry.to);
        const message = conv.pending.find(m => m.cid === entry.cid);
        if (message) change(message, values);
        this.emit('change', conv.key);
    }

    // False: it was taken off the list while something about it was asked.
    #has(conv) {
        return this.#convs.get(conv.key) === conv;
    }

    // The server's name for a conversation. It knows more about ids that are the same than key() does.
    #name(conv, id) {
        conv.id = id;
        conv.group = isGroup(id);
        if (!this.#convs.has(key(id))) this.#convs.set(key(id), conv);
    }
}
