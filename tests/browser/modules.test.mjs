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

const { byteLength, initial, key, linkParts, markParts, mentionParts, oneLine, parseConv, parseId, sendable, textParts, withoutBidi } = await import(`${js}/util/text.js`);
const { ago, dayName, shortTime } = await import(`${js}/util/time.js`);
const { deviceName } = await import(`${js}/util/device.js`);
const { backoff, BACKOFF_MAX_MS } = await import(`${js}/protocol/backoff.js`);
const { Client, Disconnected, Refused } = await import(`${js}/protocol/client.js`);
const { Outbox } = await import(`${js}/state/outbox.js`);
const { Marks } = await import(`${js}/state/marks.js`);
const { Chat } = await import(`${js}/state/chat.js`);
const { applyChange, makeMessage, withReaction } = await import(`${js}/state/message.js`);
const { isMember, may, mayGive } = await import(`${js}/state/rights.js`);
const { Account, tokenUser } = await import(`${js}/session/account.js`);
const { Typing } = await import(`${js}/session/typing.js`);
const { Acks } = await import(`${js}/session/acks.js`);
const { History } = await import(`${js}/session/history.js`);

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
    assert.deepEqual(['小明', 'milo', '', '#book'].map(initial), ['明', 'm', '', 'b']);
    assert.deepEqual(['#三班', ' Milo', '#', '# a', '#a#b', '##a'].map(parseConv), ['#三班', 'Milo', null, '#a', null, null]);
});

test('a mention is the longest beginning that names somebody, and is none inside a word', () => {
    const marks = (text, ids) => mentionParts(text, ids).filter(part => part.mention).map(part => [part.mention, part.text]);
    assert.deepEqual(marks('@小明你好', ['小明']), [['小明', '@小明']]);
    assert.deepEqual(marks('去找@小明明吧', ['小明', '小明明']), [['小明明', '@小明明']]);
    assert.deepEqual(marks('hi @MILO.', ['Milo']), [['Milo', '@MILO']]);
    assert.deepEqual(marks('a@milo.org @nobody', ['milo']), []);
    assert.deepEqual(marks('@all ＠所有人', ['*']), [['*', '@all'], ['*', '＠所有人']]);
    assert.deepEqual(mentionParts('@小明', []), ['@小明']);
    assert.equal(mentionParts('a @b c', ['b']).map(part => part.text ?? part).join(''), 'a @b c');
});

test('what was searched for is marked, and is never a pattern', () => {
    assert.deepEqual(markParts('今天下午开会吗', ['开会']), ['今天下午', { mark: '开会' }, '吗']);
    assert.deepEqual(markParts('A.b aXb', ['a.b']), [{ mark: 'A.b' }, ' aXb']);
    assert.deepEqual(markParts('x', ['']), ['x']);
    assert.equal(oneLine('a\n\n b\u202ec', 10), 'a bU+202Ec');
    assert.equal(oneLine('猫'.repeat(9), 3), '猫猫猫…');
});

test('a device has a name that its owner knows again', () => {
    assert.equal(deviceName('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537 Chrome/120 Safari/537', '1a2b'), 'web-chrome-linux-1a2b');
    assert.equal(deviceName('Mozilla/5.0 (iPhone; CPU iPhone OS 17 like Mac OS X) Version/17 Safari/604', '1a'), 'web-safari-ios-1a');
    assert.equal(deviceName('', 'x'), 'web-x');
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
    assert.equal(ago(now - 5 * 60000, 'zh-CN', now), '5分钟前');
    assert.equal(ago(now - 3 * 86400000, 'en-GB', now), '3 days ago');
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
    chat.addHistory(chat.conversation('翠花'), [message(1), message(2), message(3)], false);
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
            else chat.addHistory(chat.conversation('翠花'), [own], false);
            assert.deepEqual(texts(chat), ['mine'], `${order}: after ${step}`);
        }
        assert.equal(chat.conversation('翠花').messages[0].state, 'sent');
    }
});

function unread(chat, id = '翠花') {
    return chat.conversation(id).unread;
}

test('unread counts what the server says, and what came since', () => {
    const chat = chatOf('小明');
    chat.receive(message(10)); // came before the list did, which knows of it
    chat.receive(message(12)); // … and this one it does not
    chat.setConversations([{ conv: '翠花', last: message(10), seq: 11, unread: 3, read: 7 }]);
    assert.equal(unread(chat), 4);
    chat.receive(message(9)); // given again
    assert.equal(unread(chat), 4);
    chat.change({ op: 'edit', conv: '翠花', seq: 13, ref: 12, from: '翠花', ts: 5, text: 'new' });
    assert.equal(unread(chat), 4, 'an edit is nothing to read');
    assert.equal(chat.markRead('翠花'), true);
    assert.deepEqual([unread(chat), chat.conversation('翠花').read, chat.markRead('翠花')], [0, 13, false]);
    chat.receive(message(14));
    assert.equal(unread(chat), 1);
    chat.receive(message(15, { from: '小明', to: '翠花' }));
    assert.equal(unread(chat), 0, 'whoever answers has read');
});

test('what was read on another device is read here', () => {
    const chat = chatOf('小明');
    for (const seq of [1, 2, 3]) chat.receive(message(seq));
    chat.receipt({ conv: '翠花', user: '小明', read: 2 });
    assert.equal(unread(chat), 1);
    chat.receipt({ conv: '翠花', user: '小明', read: 1 });
    assert.equal(unread(chat), 1, 'a mark never goes back');
    chat.receipt({ conv: '翠花', user: '小明', read: 3 });
    assert.equal(unread(chat), 0);
});

test('a mention is remembered until it is read', () => {
    const chat = chatOf('小明');
    const group = more => message(1, { conv: '#班', to: '#班', ...more });
    chat.setConversations([{ conv: '#班', seq: 0, unread: 0, read: 0, role: 'member', members: 3, topic: '' }]);
    chat.receive(group({ seq: 1 }));
    assert.equal(chat.conversation('#班').mentioned, false);
    chat.receive(group({ seq: 2, mentions: ['小明'] }));
    assert.equal(chat.conversation('#班').mentioned, true);
    chat.markRead('#班');
    assert.equal(chat.conversation('#班').mentioned, false);
    chat.receive(group({ seq: 3, mentions: ['*'] }));
    assert.equal(chat.conversation('#班').mentioned, true);
});

test('edits, deletions and reactions change the message, each once', () => {
    const one = makeMessage(message(4, { reactions: [{ emoji: '👍', count: 2 }] }), '小明', 9);
    const event = (seq, op, more) => ({ op, conv: '翠花', seq, ref: 4, from: '翠花', ts: 77, ...more });
    assert.equal(applyChange(one, event(9, 'react', { emoji: '👍', on: true }), '小明'), false, 'the page of history showed it');
    assert.equal(applyChange(one, event(10, 'react', { emoji: '👍', on: true, from: '小明' }), '小明'), true);
    assert.equal(applyChange(one, event(10, 'react', { emoji: '👍', on: true, from: '小明' }), '小明'), false, 'given again');
    assert.deepEqual(one.reactions, [{ emoji: '👍', count: 3, mine: true }]);
    applyChange(one, event(11, 'edit', { text: 'better', mentions: ['小明'] }), '小明');
    assert.deepEqual([one.text, one.edited, one.rev], ['better', 77, 2]);
    applyChange(one, event(12, 'delete'), '小明');
    assert.deepEqual([one.text, one.deleted, one.reactions], ['', true, []]);
    assert.deepEqual(withReaction([{ emoji: 'x', count: 1, mine: true }], 'x', false, true), []);
    assert.deepEqual(withReaction([], 'x', false, false), []);
});

test('what was deleted for oneself goes, and only that', () => {
    const chat = chatOf('小明');
    for (const seq of [1, 2]) chat.receive(message(seq));
    chat.change({ op: 'delete', conv: '翠花', pos: '9', ref: 2, from: '小明', for: 'me' });
    assert.deepEqual(texts(chat), ['t1']);
    assert.equal(chat.conversation('翠花').last.seq, 1);
});

test('a change that comes while a page is read makes that page stale', () => {
    const chat = chatOf('小明');
    const conv = chat.conversation('翠花');
    chat.receive(message(1));
    conv.loading = true;
    chat.change({ op: 'react', conv: '翠花', seq: 1, ref: 1, from: '翠花', emoji: 'x', on: true });
    assert.equal(conv.stale, false);
    chat.change({ op: 'react', conv: '翠花', seq: 2, ref: 1, from: '翠花', emoji: 'x', on: true });
    assert.equal(conv.stale, true);
});

test('a jump into the past shows a window, which grows back to the present without a gap', () => {
    const chat = chatOf('小明');
    const conv = chat.conversation('翠花');
    const page = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
    const seqs = () => conv.messages.map(m => m.seq);
    chat.addHistory(chat.conversation('翠花'), page(90, 100), true, {}, 100);
    chat.addHistory(chat.conversation('翠花'), page(40, 44), true, { around: 42 }, 100);
    assert.deepEqual([seqs(), conv.newer, conv.more, conv.last.seq], [[40, 41, 42, 43, 44], true, true, 100]);
    chat.receive(message(101));
    assert.deepEqual([seqs().at(-1), conv.last.seq, conv.unread], [44, 101, 1], 'what is new is not put behind a gap');
    chat.addHistory(chat.conversation('翠花'), page(45, 100), false, { after: 44 }, 100);
    assert.equal(conv.newer, true, 'one came since');
    chat.addHistory(chat.conversation('翠花'), page(101, 101), false, { after: 100 }, 101);
    assert.deepEqual([conv.newer, seqs().length, seqs().at(-1)], [false, 62, 101]);
    chat.receive(message(102));
    assert.equal(seqs().at(-1), 102);
    conv.leaveWindow();
    assert.deepEqual([conv.loaded, seqs()], [false, []]);
});

test('a page that comes after the view has gone elsewhere is dropped', async () => {
    const chat = chatOf('小明');
    const conv = chat.conversation('翠花');
    const asked = [];
    const ask = (op, fields) => new Promise(resolve => asked.push({ ...fields, answer: (...seqs) => resolve({ messages: seqs.map(seq => message(seq)), more: true }) }));
    const history = new History({ chat, client: { online: true, limits: {} }, ask });
    const first = history.newest(conv);
    asked[0].answer(99, 100);
    await first;
    const older = history.older(conv);
    assert.equal(history.older(conv) instanceof Promise && asked.length, 2, 'one at a time');
    const jump = history.around(conv, 20);
    asked[1].answer(97, 98);
    await older;
    asked[2].answer(19, 20, 21);
    await jump;
    assert.deepEqual([conv.messages.map(m => m.seq), conv.newer, conv.loading], [[19, 20, 21], true, false]);
});

test('a page that changed while it was read is read again, but not for ever', async () => {
    const chat = chatOf('小明');
    const conv = chat.conversation('翠花');
    let asked = 0;
    const ask = async () => {
        const seq = 10 + ++asked;
        chat.change({ op: 'react', conv: '翠花', seq, ref: 1, from: '翠花', emoji: 'x', on: true });
        return { messages: [message(1, { reactions: [{ emoji: 'x', count: asked }] })], more: false };
    };
    await new History({ chat, client: { online: true, limits: {} }, ask }).newest(conv);
    assert.deepEqual([asked, conv.messages[0].reactions], [3, [{ emoji: 'x', count: 3 }]]);
});

test('receipts only go forward, and reading is receiving', () => {
    const chat = chatOf('小明');
    const conv = chat.conversation('翠花');
    const marks = () => [conv.peerReceived, conv.peerRead];
    chat.setConversations([{ conv: '翠花', last: message(4), seq: 4, unread: 0, read: 4, peer: { read: 1, received: 2 } }]);
    assert.deepEqual(marks(), [2, 1]);
    chat.receipt({ conv: '翠花', user: '翠花', received: 3 });
    chat.receipt({ conv: '翠花', user: '翠花', read: 4 });
    chat.receipt({ conv: '翠花', user: '翠花', received: 3, read: 2 });
    assert.deepEqual(marks(), [4, 4]);
});

const memberChange = (seq, act, more) => ({ op: 'member', conv: '#班', to: '#班', seq, pos: String(seq), ts: seq, do: act, from: '老师', ...more });

test('membership changes say what the group is now, once, and history does not turn it back', () => {
    const chat = chatOf('小明');
    const conv = chat.conversation('#班');
    chat.receive(memberChange(1, 'create', { topic: 'hello', public: true, history: 'all', role: 'owner' }));
    chat.receive(memberChange(2, 'invite', { user: '小明', role: 'invited' }));
    assert.deepEqual([conv.role, conv.invitedBy, conv.topic, conv.settings, conv.members], ['invited', '老师', 'hello', { public: true, history: 'all' }, 1]);
    assert.deepEqual(chat.invitations, [{ conv: '#班', from: '老师', ts: 2 }]);
    chat.receive(memberChange(3, 'join', { from: '小明', role: 'member' }));
    chat.receive(memberChange(3, 'join', { from: '小明', role: 'member' }));
    assert.deepEqual([conv.role, conv.members, conv.unread], ['member', 2, 0], 'and it is nothing unread');
    chat.receive(memberChange(4, 'role', { user: '小明', role: 'admin' }));
    chat.addHistory(chat.conversation('#班'), [memberChange(2, 'invite', { user: '小明', role: 'invited' }), memberChange(4, 'role', { user: '小明', role: 'admin' })], false, {}, 4);
    assert.equal(conv.role, 'admin');
    chat.receive(memberChange(5, 'ban', { user: '小明', role: 'banned' }));
    assert.deepEqual([conv.role, conv.gone], ['banned', true]);
});

test('a group that was left does not come back with the answer to what was asked before', () => {
    const chat = chatOf('小明');
    chat.receive(memberChange(1, 'join', { from: '小明', role: 'member' }));
    const left = chat.conversation('#班');
    chat.remove('#班');
    chat.setGroup(left, { role: 'none', missing: true });
    chat.addHistory(left, [memberChange(1, 'join', { from: '小明', role: 'member' })], false);
    assert.deepEqual(chat.conversations, []);
});

test('rights are those of the server\'s table', () => {
    assert.deepEqual(['muted', 'member'].map(role => may(role, 'send')), [false, true]);
    assert.deepEqual([may('admin', 'kick', 'member'), may('admin', 'kick', 'admin'), may('owner', 'kick', 'admin'), may('member', 'invite')], [true, false, true, true]);
    assert.deepEqual([may(null, 'send'), isMember('invited'), isMember('muted')], [false, false, true]);
    assert.deepEqual(mayGive('admin', 'member'), ['muted']);
    assert.deepEqual(mayGive('owner', 'member'), ['muted', 'admin', 'owner']);
    assert.deepEqual([mayGive('owner', 'owner'), mayGive('member', 'muted'), mayGive('owner', 'invited')], [[], [], []]);
});

test('somebody who writes stops by saying so, by sending, or after a time', context => {
    context.clock = new Clock(context);
    const chat = chatOf('小明');
    const { people } = chat;
    people.setTyping('翠花', '翠花', 6000);
    context.clock.tick(5000);
    people.setTyping('翠花', '翠花', 6000);
    context.clock.tick(5000);
    assert.deepEqual(people.typing('翠花'), ['翠花']);
    context.clock.tick(1000);
    assert.deepEqual(people.typing('翠花'), []);
    people.setTyping('翠花', '翠花', 6000);
    chat.receive(message(1));
    assert.deepEqual(people.typing('翠花'), []);
});

test('typing is told at most every few seconds, and once that it ended', context => {
    context.clock = new Clock(context);
    const told = [];
    const typing = new Typing({ request: async (op, { conv, on }) => told.push([conv, on]) });
    for (let i = 0; i < 10; i++) {
        typing.set('甲', true);
        context.clock.tick(500);
    }
    typing.set('甲', false);
    typing.set('甲', false);
    typing.set('乙', true);
    typing.set('丙', true);
    typing.sent();
    typing.set('丙', false);
    assert.deepEqual(told, [['甲', true], ['甲', true], ['甲', false], ['乙', true], ['乙', false], ['丙', true]]);
});

test('acknowledgements are gathered', context => {
    context.clock = new Clock(context);
    const sent = [];
    const acks = new Acks({ request: async (op, { pos }) => sent.push(pos) });
    for (const pos of ['1', '2', '3']) acks.got(pos);
    context.clock.tick(1000);
    acks.got('4');
    acks.flush();
    context.clock.tick(1000);
    acks.flush();
    assert.deepEqual(sent, ['3', '4']);
});

test('a browser stays signed in with its token until that is refused', () => {
    const login = account => account.login();
    assert.deepEqual(login(new Account({ user: '小明' })), ['login', { user: '小明' }]);
    const fresh = new Account({ user: '小明', password: 'geheim', invite: 'code', register: true });
    assert.deepEqual(login(fresh), ['register', { user: '小明', password: 'geheim', invite: 'code' }]);
    fresh.accepted({ token: 'tok', expires: Date.now() + 1000 });
    assert.deepEqual(login(fresh), ['login', { token: 'tok' }]);
    assert.ok(![...localStorage.items.values()].some(text => text.includes('geheim')), 'passwords are not kept');
    const again = new Account({ user: '小明' });
    assert.deepEqual([login(again), again.signedIn], [['login', { token: 'tok' }], true]);
    assert.equal(again.refused('bad_login'), false);
    assert.equal(again.refused('bad_token'), true);
    assert.deepEqual([login(again), again.signedIn, again.refused('bad_token')], [['login', { user: '小明' }], false, false]);
    const kept = new Account({ user: '小明', password: 'p' });
    kept.accepted({});
    assert.deepEqual(login(kept), ['login', { user: '小明', password: 'p' }], 'without a token the password is what brings us back');
    new Account({ user: '小明' }).accepted({ token: 'old', expires: Date.now() - 1 });
    assert.equal(Account.remembered('小明'), false);
});

test('a signed token tells whose it is', () => {
    const token = claims => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;
    assert.equal(tokenUser(token({ sub: '小明' })), '小明');
    for (const bad of [token({ sub: 7 }), token({}), 'x', '', 'a.!.b']) assert.equal(tokenUser(bad), undefined);
});

test('marks belong to one log', () => {
    const marks = new Marks('me');
    assert.equal(marks.setEpoch('e1'), true);
    marks.setCleared('__proto__', 7);
    marks.setCleared('a', 3);
    assert.equal(new Marks('me').cleared('__proto__'), 7);
    assert.equal(new Marks('me').setEpoch('e1'), true);
    const other = new Marks('me');
    assert.equal(other.setEpoch('e2'), false);
    assert.equal(other.cleared('a'), 0);
    assert.equal(other.cleared('constructor'), 0);
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

function clientOn(context, options = {}) {
    context.clock = new Clock(context);
    Socket.made = [];
    const client = new Client({ url: 'ws://x/ws', device: 'd', lang: 'zh', agent: 'a', login: () => ['login', { user: 'me' }], ...options });
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

test('who is refused is told why, or tries another way at once', async context => {
    for (const [name, retry, state] of [['bad_login', false, 'stopped'], ['back_off', true, 'stopped'], ['busy', true, 'waiting']]) {
        const client = clientOn(context);
        const [socket] = Socket.made;
        socket.open();
        await socket.answer({ op: 'ok', id: socket.last.id, epoch: 'e', auth: ['password'] });
        await socket.answer({ op: 'err', id: socket.last.id, code: 401, name, text: 'no', retry });
        assert.equal(client.status.state, state, name);
        assert.deepEqual(client.hello.auth, ['password']);
        client.stop();
    }
    let token = true;
    const client = clientOn(context, { login: () => ['login', token ? { token: 't' } : { user: 'me' }], refused: () => token && !(token = false) });
    const [socket] = Socket.made;
    socket.open();
    await socket.answer({ op: 'ok', id: socket.last.id, epoch: 'e' });
    await socket.answer({ op: 'err', id: socket.last.id, code: 401, name: 'bad_token', text: 'no', retry: false });
    assert.deepEqual(socket.last, { op: 'login', id: 3, user: 'me' });
    await socket.answer({ op: 'ok', id: 3, user: 'me', pos: '0' });
    assert.equal(client.online, true);
    client.stop({ forget: true });
    assert.deepEqual(socket.last, { op: 'bye', forget: true });
});
