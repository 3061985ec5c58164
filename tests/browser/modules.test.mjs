import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { beforeEach, test } from 'node:test';

const js = `${process.env.top_srcdir}/web/js`;

class Storage {
    items = new Map();
    getItem(name) {
        return this.items.get(name) ?? null;
    }
    setItem(name, value) {
        this.items.set(name, value);
    }
    removeItem(name) {
        this.items.delete(name);
    }
}
globalThis.localStorage = new Storage();
globalThis.crypto ??= webcrypto; // Node 18 has it in the module only

const { byteLength, initial, key, linkParts, parseId, sendable, textParts, withoutBidi } = await import(`${js}/util/text.js`);
const { dayName, shortTime } = await import(`${js}/util/time.js`);
const { backoff, BACKOFF_MAX_MS } = await import(`${js}/protocol/backoff.js`);
const { Client, Disconnected, Refused } = await import(`${js}/protocol/client.js`);
const { Outbox } = await import(`${js}/state/outbox.js`);
const { Marks } = await import(`${js}/state/marks.js`);
const { Chat } = await import(`${js}/state/chat.js`);

beforeEach(() => localStorage.items.clear());

test('ids are what the server takes', () => {
    for (const id of ['小明', 'a', 'A.b_c-1', 'é', 'x'.repeat(32), '𠮷'.repeat(32)]) assert.equal(parseId(` ${id} `), id);
    for (const id of ['', ' ', 'a b', 'a\u202e', '#g', 'a/b', '喵!', 'x'.repeat(33), 'a\u200b']) assert.equal(parseId(id), null);
    for (const id of ['\u0301', '\u0301a', 'a\u3164', '\u3164', 'a\ufe0f', '\u115f', '\u2167', 'a\u00b2']) assert.equal(parseId(id), null, escape(id));
    for (const id of ['Z' + '\u0336'.repeat(31), '\u0e01\u0e34', 'a\u0663']) assert.equal(parseId(id), id);
    assert.equal(parseId('e\u0301'), '\u00e9');
    assert.equal(parseId('e\u0301'.repeat(32)), '\u00e9'.repeat(32));
    assert.equal(key('MiMi'), key('mimi'));
    assert.notEqual(key('ı'), key('i'));
    assert.deepEqual(['小明', 'milo', ''].map(initial), ['明', 'm', '']);
});

test('text on the wire has nothing that JSON or the server refuses', () => {
    assert.equal(sendable('a\0b\ud800c😀 \n\n'), 'ab\ufffdc😀');
    assert.equal(byteLength('喵'), 3);
});

test('only web addresses become links, without the stop after them', () => {
    assert.deepEqual(linkParts('see https://a.b/c?d=e. And'), ['see ', { url: 'https://a.b/c?d=e' }, '. And']);
    assert.deepEqual(linkParts('看http://a.b/，好'), ['看', { url: 'http://a.b/' }, '，好']);
    for (const text of ['javascript:alert(1)', 'data:text/html,x', 'plain']) assert.deepEqual(linkParts(text), [text]);
    assert.equal(linkParts('(http://a.b/\u202egnp)').map(p => p.url ?? p).join(''), '(http://a.b/\u202egnp)');
});

test('what turns the order of a text is named, and ends a link', () => {
    for (const control of '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069') {
        const name = `U+${control.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
        assert.deepEqual(textParts(`a${control}http://a.b/${control}c`), ['a', { control: name }, { url: 'http://a.b/' }, { control: name }, 'c']);
        assert.equal(withoutBidi(`a${control}${control}b`), `a${name}${name}b`);
    }
    assert.deepEqual(textParts('\u05d0 \u0645\u200d'), ['\u05d0 \u0645\u200d']);
    assert.deepEqual(textParts(''), []);
});

test('days have the names of the reader\'s calendar', () => {
    const words = { today: 'T', yesterday: 'Y' };
    const now = new Date(2026, 2, 1, 0, 30).getTime();
    assert.equal(dayName(now, 'en-GB', words, now), 'T');
    assert.equal(dayName(now - 3600000, 'en-GB', words, now), 'Y');
    assert.match(dayName(new Date(2026, 0, 5).getTime(), 'zh-CN', words, now), /1月5日/);
    assert.match(dayName(new Date(2024, 0, 5).getTime(), 'en-GB', words, now), /2024/);
    assert.equal(shortTime(now, 'en-GB', words, now), '00:30');
});

test('waiting grows, has a limit, and is spread', () => {
    assert.deepEqual([0, 1, 2].map(n => backoff(n, () => 1)), [500, 1000, 2000]);
    assert.equal(backoff(3, () => 0), 2000);
    assert.equal(backoff(1e6, () => 1), BACKOFF_MAX_MS);
});

test('the outbox keeps its order, and survives a reload', () => {
    const outbox = new Outbox('me');
    const first = outbox.add('a', '1'), second = outbox.add('b', '2');
    assert.notEqual(first.cid, second.cid);
    outbox.fail(first.cid, 'why');
    const again = new Outbox('me');
    assert.equal(again.next().cid, second.cid);
    again.retry(first.cid);
    assert.equal(again.next().cid, first.cid);
    again.remove(first.cid);
    again.remove(second.cid);
    assert.deepEqual(new Outbox('me').entries, []);
    localStorage.setItem('imd.outbox:me', '{"not":"a list"}');
    assert.deepEqual(new Outbox('me').entries, []);
    localStorage.setItem('imd.outbox:me', '{broken');
    assert.deepEqual(new Outbox('me').entries, []);
});

test('the outbox is bounded', () => {
    const outbox = new Outbox('me');
    for (let i = 0; i < 500; i++) assert.ok(outbox.add('a', String(i)));
    assert.equal(outbox.add('a', 'one more'), null);
});

function chatOf(me) {
    return new Chat(me, new Marks(me));
}

function message(seq, more = {}) {
    return { op: 'msg', conv: '翠花', seq, pos: String(seq), from: '翠花', to: '小明', ts: 1000 + seq, text: `t${seq}`, ...more };
}

function texts(chat) {
    const conv = chat.conversation('翠花');
    return [...chat.shown(conv), ...conv.pending].map(m => m.text);
}

test('messages stand in the order of seq, each once, from wherever they come', () => {
    const chat = chatOf('小明');
    assert.equal(chat.receive(message(3)), true);
    assert.equal(chat.receive(message(3)), false);
    chat.addHistory('翠花', [message(1), message(2), message(3)], false, true);
    chat.receive(message(2));
    assert.deepEqual(texts(chat), ['t1', 't2', 't3']);
    assert.equal(chat.conversation('翠花').more, false);
});

test('an own message is one message, whether its ok, its event or the history comes first', () => {
    for (const order of ['ok event', 'event ok', 'history ok', 'ok history']) {
        const chat = chatOf('小明');
        const entry = { cid: 'c', to: '翠花', text: 'mine', ts: 5 };
        chat.addPending(entry);
        const own = message(1, { from: '小明', to: '翠花', text: 'mine', cid: 'c' });
        for (const step of order.split(' ')) {
            if (step === 'ok') chat.commit(entry, { conv: '翠花', seq: 1, ts: 7, online: true });
            else if (step === 'event') chat.receive(own);
            else chat.addHistory('翠花', [own], false, true);
            assert.deepEqual(texts(chat), ['mine'], `${order}: after ${step}`);
        }
        assert.equal(chat.conversation('翠花').messages[0].state, 'sent');
    }
});

test('what is new on this device is unread; what was read elsewhere is not', () => {
    const chat = chatOf('小明');
    chat.setConversations([{ conv: '翠花', last: message(9), seq: 9 }, { conv: '老王', last: { ...message(4), conv: '老王' }, seq: 4 }]);
    const conv = chat.conversation('翠花');
    assert.equal(chat.unread(conv), 0);
    chat.receive(message(8));
    chat.receive(message(9));
    assert.equal(chat.unread(conv), 2);
    chat.markRead('翠花');
    chat.receive(message(10));
    assert.equal(chat.unread(conv), 1);
    chat.receive(message(11, { from: '小明', to: '翠花' }));
    assert.equal(chat.unread(conv), 0, 'whoever answers has read');
});

test('marks belong to one log', () => {
    const marks = new Marks('me');
    assert.equal(marks.setEpoch('e1'), true);
    marks.setRead('__proto__', 7);
    marks.setCleared('a', 3);
    assert.equal(new Marks('me').read('__proto__'), 7);
    assert.equal(new Marks('me').setEpoch('e1'), true);
    const other = new Marks('me');
    assert.equal(other.setEpoch('e2'), false);
    assert.equal(other.cleared('a'), 0);
    assert.equal(other.read('constructor'), undefined);
});

test('the server\'s name for a conversation is the one that holds', () => {
    const chat = chatOf('小明');
    chat.addPending({ cid: 'c', to: 'strasse', text: 'x', ts: 1 });
    chat.commit({ cid: 'c', to: 'strasse' }, { conv: 'Straße', seq: 1, ts: 1, online: false });
    chat.receive(message(2, { conv: 'Straße', from: 'Straße' }));
    assert.equal(chat.conversations.length, 1);
    assert.equal(chat.conversation('strasse').messages.length, 2);
    assert.equal(chat.conversation('strasse').notes.length, 1);
});

// A WebSocket that a test plays the server of.
class Socket {
    static OPEN = 1;
    static made = [];
    readyState = 0;
    sent = [];
    constructor() {
        Socket.made.push(this);
    }
    open() {
        this.readyState = 1;
        this.onopen({});
    }
    send(text) {
        this.sent.push(JSON.parse(text));
    }
    close() {
        this.readyState = 3;
    }
    async answer(message) {
        this.onmessage({ data: JSON.stringify(message) });
        await null;
        await null;
    }
    end(code = 1006) {
        this.readyState = 3;
        this.onclose({ code });
    }
    get last() {
        return this.sent.at(-1);
    }
}
globalThis.WebSocket = Socket;

// A clock that a test winds on. (Node's own mock timers differ between the versions we run on.)
class Clock {
    static real = { setTimeout, setInterval, clearTimeout, clearInterval, now: Date.now };
    #now = 1_700_000_000_000;
    #timers = new Map();
    #last = 0;
    constructor(context) {
        const add = (run, ms = 0, every = 0) => this.#timers.set(++this.#last, { run, every, at: this.#now + ms }) && this.#last;
        const remove = id => this.#timers.delete(id);
        Object.assign(globalThis, {
            setTimeout: (run, ms) => add(run, ms),
            setInterval: (run, ms) => add(run, ms, ms),
            clearTimeout: remove,
            clearInterval: remove,
        });
        Date.now = () => this.#now;
        context.after(() => {
            const { now, ...timers } = Clock.real;
            Object.assign(globalThis, timers);
            Date.now = now;
        });
    }
    tick(ms) {
        const end = this.#now + ms;
        for (;;) {
            const [id, next] = [...this.#timers].reduce((a, b) => (b[1].at < a[1].at ? b : a), [0, { at: Infinity }]);
            if (next.at > end) break;
            this.#now = next.at;
            if (next.every) next.at += next.every;
            else this.#timers.delete(id);
            next.run();
        }
        this.#now = end;
    }
}

// Winds the clock on until the client's state changes, at most by ms.
function change(context, client, ms) {
    const { state } = client.status;
    for (let gone = 0; gone < ms && client.status.state === state; gone += 100) context.clock.tick(100);
    return client.status.state;
}

async function greet(socket) {
    socket.open();
    await socket.answer({ op: 'ok', id: socket.last.id, epoch: 'e', limits: {}, ping: 30000 });
    await socket.answer({ op: 'ok', id: socket.last.id, user: 'me', pos: '0' });
}

function clientOn(context) {
    context.clock = new Clock(context);
    Socket.made = [];
    const client = new Client({ url: 'ws://x/ws', user: 'me', device: 'd', lang: 'zh', agent: 'a' });
    client.start();
    return client;
}

test('the client greets, and an answer finds its request', async context => {
    const client = clientOn(context);
    const [socket] = Socket.made;
    await greet(socket);
    assert.deepEqual(socket.sent.map(m => m.op), ['hello', 'login']);
    assert.equal(client.online, true);
    const one = client.request('ping'), two = client.request('history', { conv: 'x' });
    await socket.answer({ op: 'err', id: socket.last.id, code: 400, name: 'bad_id', text: 'no', retry: false });
    await socket.answer({ op: 'ok', id: socket.last.id - 1 });
    await assert.rejects(two, error => error instanceof Refused && error.reason === 'bad_id');
    assert.equal((await one).op, 'ok');
    client.stop();
});

test('a lost connection fails what was asked and comes back; a bye says when', async context => {
    const client = clientOn(context);
    await greet(Socket.made[0]);
    const asked = assert.rejects(client.request('ping'), Disconnected);
    Socket.made[0].answer({ op: 'bye', name: 'drain', reconnect: true, after: 4000 });
    Socket.made[0].end(1012);
    await asked;
    assert.equal(client.status.state, 'waiting');
    context.clock.tick(3999);
    assert.equal(Socket.made.length, 1);
    context.clock.tick(1);
    assert.equal(Socket.made.length, 2);
    Socket.made[1].end();
    client.wake();
    assert.equal(Socket.made.length, 3, 'waking does not wait');
    client.stop();
});

test('who is told not to come back stays away', async context => {
    for (const [say, code] of [[{ op: 'bye', name: 'kicked', reconnect: false }, 4003], [null, 4009]]) {
        const client = clientOn(context);
        await greet(Socket.made[0]);
        if (say) await Socket.made[0].answer(say);
        Socket.made[0].end(code);
        context.clock.tick(120000);
        assert.equal(client.status.state, 'stopped');
        assert.equal(Socket.made.length, 1);
    }
});

test('a line that says nothing any more is given up', async context => {
    const client = clientOn(context);
    await greet(Socket.made[0]);
    context.clock.tick(30000);
    assert.equal(Socket.made[0].last.op, 'ping');
    context.clock.tick(14000);
    assert.equal(client.online, true);
    assert.equal(change(context, client, 3000), 'waiting');
    client.stop();
});

test('a connection that never opens is given up', context => {
    const client = clientOn(context);
    assert.equal(change(context, client, 12000), 'waiting');
    client.stop();
});
