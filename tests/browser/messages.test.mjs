import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Daemon, Line } from './daemon.mjs';
import { launch, Person } from './people.mjs';

let daemon, browser;
before(async () => {
    daemon = await Daemon.start();
    browser = await launch();
});
after(async () => {
    await browser.close();
    await daemon.remove();
});

async function two(me, to, options = {}) {
    const a = await (await Person.come(browser, options)).chat(daemon.url, me, to);
    const b = await (await Person.come(browser)).chat(daemon.url, to, me);
    return [a, b];
}

async function both(...people) {
    for (const person of people) await person.leave();
}

test('an answer quotes what it answers, and leads there', async () => {
    const [a, b] = await two('甲一', '乙一');
    await a.say('周末去哪里玩');
    await b.act('周末去哪里玩', '回复');
    await b.page.locator('.about', { hasText: '回复 甲一' }).waitFor();
    await b.type('去爬山吧');
    for (const person of [a, b]) await person.message('去爬山吧').locator('.quote', { hasText: '周末去哪里玩' }).waitFor();
    assert.equal(await b.page.locator('.about').count(), 0);
    await a.message('去爬山吧').locator('.quote').click();
    await a.page.locator('.message.flash', { hasText: '周末去哪里玩' }).waitFor();
    await a.page.reload();
    await a.connected();
    await a.message('去爬山吧').locator('.quote', { hasText: '周末去哪里玩' }).waitFor();
    await both(a, b);
});

test('a message is edited by its menu or by the up key, and says so', async () => {
    const [a, b] = await two('甲二', '乙二');
    await a.say('明天三点见');
    await b.sees(['明天三点见']);
    await a.page.locator('#compose').fill('草稿');
    await a.act('明天三点见', '编辑');
    assert.equal(await a.page.locator('#compose').inputValue(), '明天三点见');
    await a.type('明天四点见');
    for (const person of [a, b]) {
        await person.sees(['明天四点见']);
        await person.page.locator('.edited').waitFor();
    }
    assert.equal(await a.page.locator('#compose').inputValue(), '草稿', 'what was being written comes back');
    await a.page.locator('#compose').fill('');
    await a.page.keyboard.press('ArrowUp');
    await a.page.locator('.about', { hasText: '编辑消息' }).waitFor();
    await a.page.keyboard.press('Escape');
    assert.equal(await a.page.locator('.about').count(), 0);
    await b.page.reload();
    await b.connected();
    await b.sees(['明天四点见']);
    await both(a, b);
});

test('a message goes for oneself, or for all', async () => {
    const [a, b] = await two('甲三', '乙三');
    for (const text of ['一', '二', '三']) await a.say(text);
    await b.sees(['一', '二', '三']);
    await b.act('二', '从我的设备删除');
    await b.answer();
    await b.sees(['一', '三']);
    await a.act('三', '为所有人删除');
    await a.answer();
    await a.sees(['一', '二', '消息已删除']);
    await b.sees(['一', '消息已删除']);
    await b.page.reload();
    await b.connected();
    await b.sees(['一', '消息已删除']);
    const labels = await (async () => {
        await b.message('一').hover();
        await b.message('一').locator('.more').click();
        return b.page.locator('.popup [role=menuitem] span').allTextContents();
    })();
    assert.ok(!labels.includes('编辑') && !labels.includes('为所有人删除'), labels.join());
    await b.page.keyboard.press('Escape');
    await both(a, b);
});

test('reactions are given, counted and taken back', async () => {
    const [a, b] = await two('甲四', '乙四');
    await a.say('考了一百分');
    const chip = person => person.message('考了一百分').locator('.reaction');
    await b.act('考了一百分', '🎉');
    await chip(a).waitFor();
    assert.equal(await chip(a).textContent(), '🎉1');
    assert.equal(await chip(a).getAttribute('aria-pressed'), 'false');
    assert.equal(await chip(b).getAttribute('aria-pressed'), 'true');
    await chip(a).click();
    for (const person of [a, b]) await person.page.locator('.reaction', { hasText: '2' }).waitFor();
    await b.page.reload();
    await b.connected();
    await b.page.locator('.reaction[aria-pressed=true]', { hasText: '2' }).waitFor();
    await chip(b).click();
    for (const person of [a, b]) await person.page.locator('.reaction', { hasText: '1' }).waitFor();
    await b.message('考了一百分').hover();
    await b.message('考了一百分').locator('[aria-label=添加表情]').click();
    await b.page.locator('.popup').getByRole('menuitem', { name: '🐱' }).click();
    await a.page.locator('.reaction', { hasText: '🐱' }).waitFor();
    await both(a, b);
});

test('ticks tell how far a message has got', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '甲五', '乙五');
    await a.say('在吗');
    const tick = state => a.page.locator(`.message.own .state[data-ticks=${state}]`);
    await tick('sent').waitFor();
    const line = await Line.login(daemon, '乙五');
    const { messages } = await line.request('history', { conv: '甲五' });
    await line.request('ack', { pos: messages.at(-1).pos });
    await tick('received').waitFor();
    await line.request('read', { conv: '甲五', seq: messages.at(-1).seq });
    await tick('read').waitFor();
    await a.page.reload();
    await a.connected();
    await tick('read').waitFor();
    line.close();
    await a.leave();
});

test('who writes is seen writing, until they send or stop', async () => {
    const [a, b] = await two('甲六', '乙六');
    const typing = a.page.locator('.presence.typing', { hasText: '正在输入' });
    await b.page.locator('#compose').pressSequentially('我');
    await typing.waitFor();
    await b.page.locator('#compose').fill('');
    await typing.waitFor({ state: 'detached' });
    await b.page.locator('#compose').pressSequentially('好');
    await typing.waitFor();
    await b.page.keyboard.press('Enter');
    await a.sees(['好']);
    await typing.waitFor({ state: 'detached' });
    await both(a, b);
});

test('what was read here is read in the other browser of the same user', async () => {
    const first = await (await Person.come(browser)).chat(daemon.url, '甲七', '别人');
    const second = await (await Person.come(browser)).chat(daemon.url, '甲七', '别人');
    const line = await Line.login(daemon, '乙七');
    for (const text of ['一', '二']) await line.send('甲七', text);
    for (const person of [first, second]) await person.page.locator('.elsewhere', { hasText: '2 条' }).waitFor();
    await first.page.locator('.elsewhere').click();
    await first.sees(['一', '二']);
    await second.page.locator('.elsewhere').waitFor({ state: 'detached' });
    await first.say('看到了');
    await second.page.locator('.conv', { hasText: '看到了' }).waitFor();
    line.close();
    await both(first, second);
});

test('a search finds Chinese and English, shows where, and jumps there', async () => {
    const line = await Line.login(daemon, '档案');
    const a = await (await Person.come(browser)).chat(daemon.url, '甲八', '档案');
    await line.send('甲八', '今天下午开会吗');
    for (let i = 1; i <= 150; i++) await line.send('甲八', `闲聊 ${i}`);
    await line.send('甲八', 'The Meeting is over');
    await a.page.reload();
    await a.connected();
    await a.message('The Meeting').waitFor();
    assert.equal(await a.page.locator('.text', { hasText: '开会' }).count(), 0, 'it is far back');
    await a.page.locator('[data-focus=search-here]').click();
    await a.page.locator('#search').fill('meeting');
    await a.page.locator('.result mark', { hasText: 'Meeting' }).waitFor();
    await a.page.locator('#search').fill('开会');
    await a.page.locator('.result mark', { hasText: '开会' }).waitFor();
    assert.match(await a.page.locator('.result .context').textContent(), /闲聊 1/);
    await a.page.locator('.result').click();
    await a.page.locator('.message.flash', { hasText: '今天下午开会吗' }).waitFor();
    await line.send('甲八', '新的来了');
    await a.page.locator('.newer', { hasText: '回到最新' }).waitFor();
    assert.equal(await a.message('新的来了').count(), 0, 'not behind a gap');
    const log = a.page.locator('.log');
    for (let i = 0; i < 10 && await a.message('新的来了').count() === 0; i++) {
        const count = await a.page.locator('.message').count();
        await log.evaluate(node => node.scrollTo(0, node.scrollHeight));
        await a.page.waitForFunction(n => document.querySelectorAll('.message').length > n, count);
    }
    await a.sees(['今天下午开会吗', ...Array.from({ length: 150 }, (_, i) => `闲聊 ${i + 1}`), 'The Meeting is over', '新的来了']);
    await a.page.locator('#search').fill('没有的词');
    await a.page.locator('.soft-text', { hasText: '没有找到' }).waitFor();
    line.close();
    await a.leave();
});

test('messages are reached and used by keyboard alone', async () => {
    const [a, b] = await two('甲九', '乙九');
    await a.say('第一');
    await a.say('第二');
    await b.sees(['第一', '第二']);
    await b.page.locator('.log').focus();
    await b.page.keyboard.press('Tab');
    await b.page.keyboard.press('ArrowUp');
    await b.page.keyboard.press('Enter');
    await b.page.locator('.popup').waitFor();
    for (const key of ['ArrowRight', 'ArrowLeft', 'ArrowDown']) await b.page.keyboard.press(key);
    assert.equal(await b.page.evaluate(() => document.activeElement.textContent), '回复');
    await b.page.keyboard.press('Enter');
    await b.page.locator('.about', { hasText: '第一' }).waitFor();
    await b.page.locator('#compose:focus').waitFor();
    await b.page.keyboard.type('回你');
    await b.page.keyboard.press('Enter');
    await a.message('回你').locator('.quote', { hasText: '第一' }).waitFor();
    await both(a, b);
});

test('a phone opens the same menu as a sheet', async () => {
    const [a, b] = await two('甲十', '乙十', { phone: true });
    await b.say('手机上也行');
    await a.message('手机上也行').locator('.more').click();
    const box = await a.page.locator('.popup').boundingBox();
    const { height, width } = a.page.viewportSize();
    assert.ok(Math.abs(box.y + box.height - height) < 30 && Math.abs(box.width - width) < 1, JSON.stringify(box));
    await a.page.locator('.popup').getByRole('menuitem', { name: '👍' }).click();
    await b.page.locator('.reaction', { hasText: '👍' }).waitFor();
    await both(a, b);
});
