import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon, Line } from './daemon.mjs';
import { launch, Person } from './people.mjs';

let daemon, browser;
before(async () => {
    daemon = await Daemon.start('presence: { linger: 0s }');
    browser = await launch();
});
after(async () => {
    await browser.close();
    await daemon.remove();
});

async function two(me, to) {
    const a = await (await Person.come(browser)).chat(daemon.url, me, to);
    const b = await (await Person.come(browser)).chat(daemon.url, to, me);
    return [a, b];
}

function settings(person) {
    return person.page.locator('[data-focus=panel-settings]').click();
}

test('others see one\'s status and its words, also after a reload, and when one was last here', async () => {
    const [a, b] = await two('状一', '看一');
    await settings(a);
    await a.page.locator('.choice', { hasText: '请勿打扰' }).click();
    await b.page.locator('.presence[data-state=dnd]', { hasText: '请勿打扰' }).waitFor();
    await a.page.locator('.panel fieldset input:not([type=radio])').fill('在上课');
    await a.page.keyboard.press('Tab');
    await b.page.locator('.presence', { hasText: '请勿打扰 · 在上课' }).waitFor();
    await a.page.locator('.me-status', { hasText: '在上课' }).waitFor();
    await a.page.reload();
    await a.connected();
    await b.page.locator('.presence', { hasText: '请勿打扰 · 在上课' }).waitFor();
    await a.leave();
    await b.page.locator('.presence[data-state=offline]', { hasText: '来过' }).waitFor();
    await b.leave();
});

test('a name and a picture of one\'s own are shown to others', async () => {
    const [a, b] = await two('名一', '友一');
    await a.say('看我的新头像');
    await settings(a);
    await a.page.locator('#own-name').fill('咪咪');
    await a.page.keyboard.press('Enter');
    await a.page.locator('.toast', { hasText: '已保存' }).waitFor();
    await a.page.locator('.me-id', { hasText: '咪咪' }).waitFor();
    const picture = path.join(daemon.dir, 'cat.png');
    fs.writeFileSync(picture, await a.page.locator('.brand-mark').first().screenshot());
    await a.page.locator('#own-picture').setInputFiles(picture);
    await a.page.locator('.card .avatar image').waitFor();
    await b.page.reload();
    await b.connected();
    await b.page.locator('.peer h1 bdi', { hasText: '咪咪' }).waitFor();
    assert.equal(await b.page.locator('.alias').textContent(), '名一', 'the id stays in sight');
    await b.page.locator('.room-top .avatar image').waitFor();
    await b.page.locator('.conv', { hasText: '咪咪' }).locator('image').waitFor();
    await a.page.getByRole('button', { name: '去掉头像' }).click();
    await a.page.locator('.card .avatar image').waitFor({ state: 'detached' });
    for (const person of [a, b]) await person.leave();
});

test('a picture from elsewhere is not loaded', async () => {
    const line = await Line.login(daemon, '外链');
    await line.request('profile', { name: '外链', avatar: 'http://127.0.0.1:1/a.png' });
    await line.send('看客', '你好');
    const a = await (await Person.come(browser)).chat(daemon.url, '看客', '外链');
    await a.sees(['你好']);
    await a.page.waitForFunction(() => document.querySelector('.room-top .avatar text'));
    assert.equal(await a.page.locator('image').count(), 0);
    line.close();
    await a.leave();
});

test('who is blocked is not heard, does not know it, and is heard again later', async () => {
    const [a, b] = await two('挡一', '烦一');
    await b.say('在吗');
    await a.sees(['在吗']);
    await a.page.locator('[data-focus=info]').click();
    await a.page.locator('.action', { hasText: '屏蔽' }).click();
    await a.answer();
    await a.page.locator('.gate', { hasText: '你屏蔽了 烦一' }).waitFor();
    await b.say('怎么不理我');
    await settings(a);
    await a.page.locator('.member-row', { hasText: '烦一' }).waitFor();
    await a.page.reload();
    await a.connected();
    await a.page.locator('.gate', { hasText: '你屏蔽了 烦一' }).getByRole('button').click();
    await a.page.locator('#compose').waitFor();
    await b.say('现在呢');
    await a.sees(['在吗', '现在呢']);
    for (const person of [a, b]) await person.leave();
});

test('a message is reported with words', async () => {
    const [a, b] = await two('报一', '坏一');
    await b.say('骂人的话');
    await a.act('骂人的话', '举报');
    await a.page.locator('.dialog .primary').click();
    assert.ok(await a.page.locator('.dialog').isVisible(), 'a reason is needed');
    await a.answer('他骂人');
    await a.page.locator('.toast', { hasText: '已收到举报' }).waitFor();
    for (const person of [a, b]) await person.leave();
});

test('what a program says is marked as such', async () => {
    await daemon.admin('user.add.bot', { name: '天气' });
    const { token } = await daemon.admin('token.create', { user: '天气' });
    const bot = await Line.login(daemon, '天气', { token });
    await bot.group('create', '#天气', { public: true, history: 'all' });
    await bot.send('#天气', '今天有雨');
    const a = await (await Person.come(browser)).chat(daemon.url, '路人', '天气');
    await a.page.locator('.room-top .bot').waitFor();
    await a.goTo('#天气');
    await a.page.locator('.gate').getByRole('button', { name: '加入' }).click();
    await a.message('今天有雨').locator('.bot').waitFor();
    bot.close();
    await a.leave();
});
