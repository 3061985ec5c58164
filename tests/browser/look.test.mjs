import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { Daemon, Line } from './daemon.mjs';
import { CLASS, launch, Person, TALK } from './people.mjs';

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser;
before(async () => {
    browser = await launch();
});
after(async () => {
    await browser.close();
});

async function accessible({ page }, where) {
    await page.evaluate(AXE);
    const { violations, passes } = await page.evaluate(() => axe.run(document));
    assert.ok(passes.length > 10, 'axe has looked');
    const told = violations.map(v => `${v.id}: ${v.help}: ${v.nodes.map(n => `${n.target} ${n.failureSummary}`).join('; ')}`);
    assert.deepEqual(told, [], where);
}

// Looks at it, and keeps a picture.
async function look(person, name) {
    await person.shot(name);
    await accessible(person, name);
}

for (const colorScheme of ['light', 'dark'])
    for (const phone of [false, true])
        for (const lang of ['zh', 'en']) {
            const name = `${phone ? 'phone' : 'desktop'}-${colorScheme}-${lang}`;
            test(`${name} is complete and accessible`, async context => {
                const daemon = await Daemon.start();
                context.after(() => daemon.remove());
                const talk = TALK[lang];
                const a = await Person.come(browser, { phone, colorScheme, locale: lang === 'zh' ? 'zh-CN' : 'en-US' });
                await a.page.goto(daemon.url);
                await look(a, `${name}-entry`);
                await a.page.locator('.login-card button').click();
                await look(a, `${name}-entry-error`);
                await a.chat(daemon.url, talk.me, talk.to);
                await a.page.locator('.empty').waitFor();
                await look(a, `${name}-empty`);
                await a.say(talk.lines[0][1]);
                await a.page.locator('.messages .note').waitFor();
                const other = await Line.login(daemon, talk.to);
                for (const [who, text] of talk.lines.slice(1)) await (who === 'me' ? a.say(text) : other.send(talk.me, text));
                await a.sees(talk.lines.map(([, text]) => text));
                const third = await Line.login(daemon, talk.third);
                await third.send(talk.me, talk.aside);
                await a.page.locator('.elsewhere').waitFor();
                await look(a, `${name}-chat`);
                if (phone) {
                    await a.page.locator('.menu').click();
                    await look(a, `${name}-list`);
                    await a.page.keyboard.press('Escape');
                }
                other.close();
                third.close();
                await daemon.down();
                await a.page.locator('.strip[data-state=waiting]').waitFor();
                await look(a, `${name}-reconnecting`);
                await a.leave();
            });
        }

// A class that has been talking: everything that a message can have is there. Returns the lines of the others.
async function talkInClass(daemon, talk) {
    const people = { teacher: await Line.login(daemon, talk.teacher), friend: await Line.login(daemon, talk.friend), me: await Line.login(daemon, talk.me) };
    const { teacher, friend, me } = people;
    await teacher.group('create', talk.group, { text: talk.topic, public: true, history: 'all' });
    await friend.group('join', talk.group);
    await me.group('join', talk.group);
    await teacher.group('role', talk.group, { user: talk.friend, role: 'admin' });
    const seqs = [];
    for (const [who, text] of talk.lines) seqs.push((await people[who].send(talk.group, text)).seq);
    const { seq } = await me.send(talk.group, talk.answer, { reply: seqs[talk.asks] });
    await me.request('edit', { conv: talk.group, seq, text: talk.edited });
    const gone = await me.send(talk.group, talk.gone);
    await me.request('delete', { conv: talk.group, seq: gone.seq });
    const [party, thumb, cat] = talk.emoji;
    for (const line of [friend, me]) await line.request('react', { conv: talk.group, seq: seqs[0], emoji: party });
    await teacher.request('react', { conv: talk.group, seq, emoji: thumb });
    await friend.request('react', { conv: talk.group, seq, emoji: cat });
    await me.send(talk.group, talk.call);
    me.close();
    return people;
}

for (const [colorScheme, phone, lang] of [['light', false, 'zh'], ['dark', false, 'en'], ['light', true, 'en'], ['dark', true, 'zh']]) {
    const name = `${phone ? 'phone' : 'desktop'}-${colorScheme}-${lang}`;
    test(`${name}: groups, menus and panels are complete and accessible`, async context => {
        const daemon = await Daemon.start();
        context.after(() => daemon.remove());
        const talk = CLASS[lang];
        const { teacher, friend } = await talkInClass(daemon, talk);
        const a = await (await Person.come(browser, { phone, colorScheme, locale: lang === 'zh' ? 'zh-CN' : 'en-US' })).chat(daemon.url, talk.me, talk.friend);
        await friend.send(talk.me, talk.lines[4][1]);
        await friend.request('presence', { state: 'away', text: talk.state });
        await a.page.locator('.presence[data-state=away]').waitFor();
        await teacher.group('create', '#invited');
        await teacher.group('invite', '#invited', { user: talk.me });
        if (phone) await a.page.locator('.menu').click();
        await a.page.locator('.conv', { hasText: '#invited' }).waitFor();
        await look(a, `${name}-lists`);
        await a.page.locator('.conv', { hasText: talk.group }).click();
        await a.message(talk.edited).locator('.quote').waitFor();
        await look(a, `${name}-group`);
        await friend.request('typing', { conv: talk.group });
        await a.page.locator('.presence.typing').waitFor();
        await a.page.locator('#compose').pressSequentially('@');
        await a.page.locator('.complete li').nth(1).waitFor();
        await look(a, `${name}-mention`);
        await a.page.keyboard.press('Escape');
        await a.page.locator('#compose').fill('');
        await a.message(talk.edited).hover();
        await a.message(talk.edited).locator('.more').click();
        await look(a, `${name}-menu`);
        await a.page.locator('.popup .quick + button + button').click();
        await a.page.locator('.popup .grid').waitFor();
        await look(a, `${name}-emoji`);
        await a.page.keyboard.press('Escape');
        await a.page.locator('[data-focus=info]').click();
        await a.page.locator('.member-row').nth(2).waitFor();
        await look(a, `${name}-info`);
        await a.page.locator('.action.danger').first().click();
        await look(a, `${name}-question`);
        await a.page.keyboard.press('Escape');
        await a.page.locator('.member-open', { hasText: talk.friend }).click();
        await a.page.locator('.card-id, .card-line').last().waitFor({ state: 'attached' });
        await look(a, `${name}-person`);
        await a.page.locator('.panel-close').click();
        await a.page.locator('[data-focus=search-here]').click();
        await a.page.locator('#search').fill(talk.find);
        await a.page.locator('.result').nth(1).waitFor();
        await look(a, `${name}-search`);
        await a.page.locator('.panel-close').click();
        for (const panel of ['groups', 'settings']) {
            if (phone) await a.page.locator('.menu').click();
            await a.page.locator(`[data-focus=panel-${panel}]`).click();
            await a.page.locator('.panel .member-row').first().waitFor();
            await look(a, `${name}-${panel}`);
            assert.deepEqual(await a.page.evaluate(sticksOut), []);
            await a.page.locator('.panel-close').click();
        }
        await a.goTo('#invited');
        await a.page.locator('.gate').waitFor();
        await look(a, `${name}-invited`);
        teacher.close();
        friend.close();
        await a.leave();
    });
}

for (const lang of ['zh', 'en'])
    test(`the entry page with accounts is complete and accessible (${lang})`, async context => {
        const daemon = await Daemon.start('auth: { mode: password, register: invite }');
        context.after(() => daemon.remove());
        const a = await Person.come(browser, { phone: lang === 'zh', colorScheme: lang === 'zh' ? 'light' : 'dark', locale: lang === 'zh' ? 'zh-CN' : 'en-US' });
        await a.page.goto(daemon.url);
        await a.page.locator('#password').waitFor();
        await look(a, `accounts-${lang}-entry`);
        await a.page.locator('.other').click();
        await a.page.locator('#invite').waitFor();
        await look(a, `accounts-${lang}-register`);
        await a.leave();
    });

/* What somebody writes who means to break the page, from ids as long as they may be. */
const HOSTILE = {
    lines: [
        'before',
        `Z${'\u0301'.repeat(60)}`,
        'abc\u202egnp.exe and \u2067http://127.0.0.1:1/\u202egnp.html\u2069',
        'שלום http://127.0.0.1:1/א/b עולם',
        'W'.repeat(400),
        `https://127.0.0.1:1/${'w'.repeat(300)}`,
    ],
    wide: ['明'.repeat(32), 'w'.repeat(32), `Z${'\u0336'.repeat(31)}`],
};

// What is wider than the place it has.
function sticksOut() {
    const places = '.side, .convs-frame, .conv, .conv-main, .conv-line, .side-foot, .new-chat, .room-top, .peer, .elsewhere-frame, .log, .message, .bubble, .note';
    const out = [];
    for (const place of document.querySelectorAll(places)) {
        const { left, right } = place.getBoundingClientRect();
        if (place.scrollWidth > place.clientWidth) out.push(`${place.className} scrolls`);
        for (const part of place.children) {
            const box = part.getBoundingClientRect();
            const seen = box.width > 1 && getComputedStyle(part).visibility !== 'hidden'; // one pixel: for readers aloud
            if (seen && (box.left < left - 1 || box.right > right + 1)) out.push(`${part.className} out of ${place.className}`);
        }
    }
    if (document.documentElement.scrollWidth > innerWidth) out.push('the page scrolls');
    return out;
}

for (const phone of [false, true]) {
    const name = `${phone ? 'phone' : 'desktop'}-hostile`;
    test(`${name}: nothing breaks the page, or paints over what others wrote`, async context => {
        const daemon = await Daemon.start();
        context.after(() => daemon.remove());
        const [peer, other, marked] = HOSTILE.wide;
        const me = '我'.repeat(32);
        const a = await (await Person.come(browser, { phone })).chat(daemon.url, me, peer);
        const lines = await Promise.all([peer, other, marked].map(id => Line.login(daemon, id)));
        for (const text of HOSTILE.lines) await lines[0].send(me, text);
        for (const line of lines.slice(1)) for (const text of HOSTILE.lines) await line.send(me, text);
        await a.page.locator('.message').nth(HOSTILE.lines.length - 1).waitFor();
        await a.page.locator('.conv').nth(2).waitFor({ state: 'attached' });
        await a.page.waitForFunction(() => document.querySelectorAll('.conv .dot.on').length === 3);
        await look(a, name);
        assert.deepEqual(await a.page.evaluate(sticksOut), []);
        if (phone) {
            await a.page.locator('.menu').click();
            await look(a, `${name}-list`);
            assert.deepEqual(await a.page.evaluate(sticksOut), []);
            await a.page.keyboard.press('Escape');
        }
        const text = await a.page.locator('.log').textContent();
        assert.ok(text.includes('abcU+202Egnp.exe') && !/\p{Bidi_Control}/u.test(text));
        const links = await a.page.locator('.message bdi > a').evaluateAll(nodes => nodes.map(n => decodeURI(n.href)));
        assert.deepEqual(links.slice(0, 2), ['http://127.0.0.1:1/', 'http://127.0.0.1:1/א/b']);
        assert.equal(links.length, await a.page.locator('.message a').count());
        await staysInside(a, `${name}-top`);
        await daemon.down();
        await a.page.locator('.strip[data-state=waiting]').waitFor();
        assert.equal(await a.page.locator('.dot.on').count(), 0, 'who is there is not known now');
        assert.equal(await a.page.locator('.presence').textContent(), '');
        await look(a, `${name}-reconnecting`);
        lines.forEach(line => line.close());
        await a.leave();
    });
}

// The marks on a Z change nothing in the bubble above it.
async function staysInside(person, name) {
    await person.settled();
    const { page } = person;
    const [above, marked] = [0, 1].map(n => page.locator('.message .bubble').nth(n));
    await above.scrollIntoViewIfNeeded();
    await look(person, name);
    const before = await above.screenshot();
    await marked.locator('.text').evaluate(node => { node.textContent = 'Z'; });
    assert.ok(before.equals(await above.screenshot()), 'marks of the next message stay in its bubble');
}

test('nothing moves for those who asked for that', async context => {
    const daemon = await Daemon.start();
    context.after(() => daemon.remove());
    const a = await Person.come(browser, { reducedMotion: 'reduce' });
    await a.page.goto(daemon.url);
    await a.page.locator('.peek').waitFor();
    assert.equal(await a.page.evaluate(() => document.getAnimations().length), 0);
    await a.leave();
});
