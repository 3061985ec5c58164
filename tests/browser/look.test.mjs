import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { Daemon, Line } from './daemon.mjs';
import { launch, Person, TALK } from './people.mjs';

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

test('nothing moves for those who asked for that', async context => {
    const daemon = await Daemon.start();
    context.after(() => daemon.remove());
    const a = await Person.come(browser, { reducedMotion: 'reduce' });
    await a.page.goto(daemon.url);
    await a.page.locator('.peek').waitFor();
    assert.equal(await a.page.evaluate(() => document.getAnimations().length), 0);
    await a.leave();
});
