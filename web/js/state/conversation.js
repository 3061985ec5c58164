import { isGroup, key } from '../util/text.js';
import { mentions } from './message.js';

const KEEP = 200; // messages kept of a conversation that nobody looks at
const NOTES_MAX = 100;

/* One conversation. `messages` (and membership changes) is a window on the log without gaps, by seq, each once; it
 * reaches to the newest unless `newer` is set. A note is a line of the page's own: { kind, after: seq, ts }. */
export class Conversation {
    pending = [];   // not committed, in the order written
    reading = 0;    // which window the page belongs to that is being read
    loading = false; // is one being read
    stale = false;  // did something change meanwhile
    notes = [];
    role = null;    // of a group: the user's; null: not known
    topic = '';
    members = 0;
    settings = null; // { public, history } of a group, when known
    invitedBy = null;
    missing = false; // the server knows no such group, or does not say
    awayNoted = false;

    constructor(id) {
        this.id = id;
        this.key = key(id);
        this.group = isGroup(id);
        this.forget();
    }

    // Everything that comes from the log has to be read again.
    forget() {
        this.#emptyWindow();
        this.last = null;    // newest thing to show that is known, for lists
        this.lastSeq = 0;    // newest event of any kind that is known
        this.shownSeq = 0;   // newest thing to show
        this.unread = 0;     // messages of others beyond `read`
        this.read = 0;       // the user's read mark
        this.mention = 0;    // newest message that mentions the user
        this.peerRead = 0;   // direct: how far the peer has read, and has got
        this.peerReceived = 0;
        this.divider = null; // where what is new began when the conversation was opened
        this.quotes = new Map(); // seq -> message, or null: read because another one replies to it
    }

    #emptyWindow() {
        this.interrupt();
        this.messages = [];
        this.more = true;     // the server has older ones than messages[0]
        this.newer = false;   // … and newer ones than the last
        this.loaded = false;  // what is in the window has been read with history
    }

    // A page that is being read is not wanted any more: it would not fit.
    interrupt() {
        this.reading++;
        this.loading = false;
    }

    get mentioned() {
        return this.unread > 0 && this.mention > this.read;
    }

    get gone() {
        return this.group && ['none', 'banned', 'silenced'].includes(this.role);
    }

    find(seq) {
        return this.messages.find(m => m.seq === seq);
    }

    // Puts a message where it belongs. Returns false if it was there already, or is out of the window.
    insert(message) {
        if (message.seq > this.shownSeq || (message.seq === this.shownSeq && !this.last)) {
            this.shownSeq = message.seq;
            this.last = message;
        }
        if (this.newer && message.seq > (this.messages.at(-1)?.seq ?? 0)) return false;
        return this.#place(message);
    }

    #place(message) {
        let at = this.messages.length;
        while (at > 0 && this.messages[at - 1].seq > message.seq) at--;
        if (at > 0 && this.messages[at - 1].seq === message.seq) return false;
        this.messages.splice(at, 0, message);
        if (message.seq === this.last?.seq) this.last = message;
        return true;
    }

    // A page of history. where: {}, { before }, { after } or { around }.
    addPage(messages, more, where) {
        if (where.around) this.#emptyWindow();
        for (const message of messages) this.#place(message);
        const newest = messages.at(-1);
        if (newest && newest.seq >= this.shownSeq) {
            this.shownSeq = newest.seq;
            this.last = this.find(newest.seq);
        }
        const end = this.messages.at(-1)?.seq ?? 0;
        if (where.around) this.newer = end < this.shownSeq;
        if (where.after) this.newer = messages.length > 0 && (more || end < this.shownSeq);
        this.loaded = true;
        this.#renew();
    }

    // Shows the newest again, from nothing.
    leaveWindow() {
        this.#emptyWindow();
    }

    // Drops what can be read again. Returns whether older ones went.
    rest() {
        this.divider = null;
        if (this.newer) this.#emptyWindow();
        if (this.messages.length <= KEEP) return false;
        this.messages = this.messages.slice(-KEEP);
        return true;
    }

    drop(seq) {
        const message = this.find(seq);
        if (!message) return;
        this.messages = this.messages.filter(m => m !== message);
        if (this.last === message) this.last = this.messages.at(-1) ?? null;
    }

    // A row of the server's list. What came since it was made counts on top of it.
    setRow(row, me) {
        this.read = Math.max(this.read, row.read ?? 0);
        const later = this.messages.filter(m => m.op === 'msg' && !m.own && m.seq > Math.max(row.seq, this.read));
        this.unread = (row.read >= this.read ? row.unread : 0) + later.length;
        this.mention = Math.max(row.mention ?? 0, ...later.filter(m => mentions(m, me)).map(m => m.seq));
        this.setReceipt(row.peer ?? {});
        this.lastSeq = Math.max(this.lastSeq, row.seq);
        if (row.role) this.role = row.role;
        if (row.topic !== undefined) this.topic = row.topic;
        if (row.members) this.members = row.members;
    }

    setReceipt({ read = 0, received = 0 }) {
        this.peerRead = Math.max(this.peerRead, read);
        this.peerReceived = Math.max(this.peerReceived, received, read);
    }

    // A message of somebody else that was not known before.
    arrived(message, me) {
        if (message.seq <= this.read) return;
        this.unread++;
        if (mentions(message, me)) this.mention = message.seq;
    }

    // The user has read up to here, on this device or another.
    readTo(seq) {
        if (seq <= this.read) return false;
        this.read = seq;
        const whole = !this.newer && this.messages.length > 0 && this.messages[0].seq <= seq + 1;
        const rest = whole ? this.messages.filter(m => m.op === 'msg' && !m.own && m.seq > seq).length : this.shownSeq - seq;
        this.unread = Math.max(0, Math.min(this.unread, rest));
        return true;
    }

    note(kind, text) {
        this.notes.push({ kind, text, after: this.messages.at(-1)?.seq ?? 0, ts: Date.now() });
        this.notes.splice(0, this.notes.length - NOTES_MAX);
    }

    // Quotes of messages that are in the window show how those stand now.
    #renew() {
        for (const seq of this.quotes.keys()) if (this.find(seq)) this.quotes.delete(seq);
    }
}
