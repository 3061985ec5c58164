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

async function two(me, to) {
    const a = await (await Person.come(browser)).chat(daemon.url, me, to);
    const b = await (await Person.come(browser)).chat(daemon.url, to, me);
    return [a, b];
}

async function both(...people) {
    for (const person of people) await person.leave();
}

test('two people chat both ways', async () => {
    const [a, b] = await two('小明', '翠花');
    assert.equal(await a.page.locator('.peer h1 bdi').textContent(), '翠花');
    assert.equal(await a.page.locator('.me-id').textContent(), '小明');
    await a.page.locator('.presence[data-state=online]').waitFor();
    await a.say('你好');
    await b.sees(['你好']);
    await b.say('喵');
    await b.page.locator('#compose').fill('第一行');
    await b.page.keyboard.press('Shift+Enter');
    await b.page.keyboard.type('第二行');
    await b.page.locator('.send').click();
    for (const person of [a, b]) await person.sees(['你好', '喵', '第一行\n第二行']);
    assert.equal(await a.page.locator('.message.own').count(), 1);
    assert.equal(await a.page.locator('.message.other').count(), 2);
    await both(a, b);
});

test('a message to somebody away waits, and arrives when they come', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '阿黄', '阿黑');
    await a.say('晚上吃什么');
    await a.note('对方不在线');
    await a.say('鱼？');
    assert.equal(await a.page.locator('.messages .note').count(), 1, 'once per absence is enough');
    await a.page.locator('.presence[data-state=offline]').waitFor();
    const b = await (await Person.come(browser)).chat(daemon.url, '阿黑', '阿黄');
    await b.sees(['晚上吃什么', '鱼？']);
    await a.note('阿黑 上线了');
    await both(a, b);
});

test('somebody else who writes is announced, counted, and one click away', async () => {
    const a = await (await Person.come(browser, { phone: true })).chat(daemon.url, '甲', '乙');
    const line = await Line.login(daemon, '丙');
    for (const text of ['在吗', '有空吗', '急']) await line.send('甲', text);
    const notice = a.page.locator('.elsewhere', { hasText: '丙 发来 3 条新消息' });
    await notice.waitFor();
    await a.page.waitForFunction(() => document.title.startsWith('(3) '));
    assert.equal(await a.page.locator('.message').count(), 0);
    await notice.click();
    await a.sees(['在吗', '有空吗', '急']);
    await a.page.waitForFunction(() => !document.querySelector('.elsewhere') && document.title.startsWith('丙'));
    await a.page.locator('.menu').click();
    assert.equal(await a.page.locator('.conv[aria-current] .conv-name').textContent(), '丙');
    await a.page.keyboard.press('Escape');
    await a.page.locator('.chat:not(.drawer)').waitFor();
    line.close();
    await a.leave();
});

test('unread messages are still unread after a reload', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '丁', '戊');
    const line = await Line.login(daemon, '己');
    for (const text of ['一', '二']) await line.send('丁', text);
    await a.page.locator('.elsewhere', { hasText: '2 条' }).waitFor();
    await a.page.reload();
    await a.connected();
    await a.page.locator('.elsewhere', { hasText: '2 条' }).waitFor();
    line.close();
    await a.leave();
});

test('a reload continues the chat with its history, and older messages come when scrolling up', async () => {
    const line = await Line.login(daemon, '写手');
    const texts = Array.from({ length: 130 }, (_, i) => `第 ${i + 1} 条`);
    const a = await (await Person.come(browser)).chat(daemon.url, '读者', '写手');
    for (const text of texts) await line.send('读者', text);
    await a.sees(texts);
    await a.page.reload();
    await a.connected();
    await a.page.locator('.message .text', { hasText: '第 130 条' }).waitFor();
    const log = a.page.locator('.log');
    await a.page.waitForFunction(() => {
        const log = document.querySelector('.log');
        return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
    });
    for (let before = -1, count; (count = await a.page.locator('.message').count()) < texts.length && count !== before;) {
        before = count;
        await log.evaluate(node => node.scrollTo(0, 0));
        await a.page.waitForFunction(n => document.querySelectorAll('.message').length > n, count);
        assert.ok(await log.evaluate(node => node.scrollTop) > 0, 'what was in sight stays in sight');
    }
    await a.sees(texts);
    await log.evaluate(node => node.scrollTo(0, 0)); // what came live says nothing of what was before it
    await a.page.locator('.begin').waitFor();
    line.close();
    await a.leave();
});

test('clearing empties this view only, lasts, and can be undone', async () => {
    const [a, b] = await two('清', '洁');
    await a.say('旧的');
    await b.sees(['旧的']);
    await a.page.locator('.clear').click();
    await a.sees([]);
    await b.say('新的');
    await a.sees(['新的']);
    await b.sees(['旧的', '新的']);
    await a.page.reload();
    await a.connected();
    await a.page.locator('.cleared').waitFor();
    await a.sees(['新的']);
    await a.page.locator('.cleared button').click();
    await a.sees(['旧的', '新的']);
    await both(a, b);
});

test('text is shown as text, whatever it says', async () => {
    const [a, b] = await two('白帽', '黑帽');
    const hostile = [
        '<img src=x onerror="window.hurt=1">',
        '</p><script>window.hurt=1</script>',
        '&lt;b&gt; <b>bold</b> ${1+1} {peer}',
        'abc\u202egnp.exe\u2066x',
        'javascript:alert(1) http://127.0.0.1:1/\u202e',
        '长'.repeat(500) + 'W'.repeat(500),
        '\u0001\u001b[31mred',
    ];
    for (const text of hostile) await b.type(text);
    const shown = hostile.map(text => text.replace('\u202e', 'U+202E').replace('\u2066', 'U+2066'));
    await b.allSent();
    for (const person of [a, b]) await person.sees(shown);
    for (const { page } of [a, b]) {
        assert.equal(await page.evaluate(() => window.hurt), undefined);
        assert.equal(await page.locator('.message img, .message script, .message b').count(), 0);
        assert.deepEqual(await page.locator('.message a').evaluateAll(nodes => nodes.map(n => n.href)), ['http://127.0.0.1:1/']);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
    }
    await both(a, b);
});

test('what is too long or no id is refused with words', async () => {
    const a = await Person.come(browser);
    await a.page.goto(daemon.url);
    await a.page.locator('.login-card button').click();
    await a.page.locator('#me-error', { hasText: '请先填写' }).waitFor();
    await a.page.locator('#me').fill('小 明');
    await a.page.locator('#peer').fill('猫');
    await a.page.keyboard.press('Enter');
    await a.page.locator('#me-error', { hasText: '1 到 32' }).waitFor();
    await a.page.locator('#me').fill('猫');
    await a.page.keyboard.press('Enter');
    await a.page.locator('#peer-error', { hasText: '你自己' }).waitFor();
    await a.page.locator('#me').fill('小明一');
    await a.page.keyboard.press('Enter');
    await a.connected();
    await a.type('喵'.repeat(6000));
    await a.page.locator('.compose-error', { hasText: '太长' }).waitFor();
    assert.equal(await a.page.locator('.message').count(), 0);
    await a.say('短');
    await a.leave();
});

test('an id that only the server refuses brings the entry page back, with its reason', async () => {
    const a = await Person.come(browser);
    await a.page.goto(`${daemon.url}/#${new URLSearchParams({ me: '小\u20dd明', to: '翠花' })}`);
    await a.page.locator('.login-card button').click();
    await a.page.locator('#me-error', { hasText: '喵喵号不合法' }).waitFor();
    assert.equal(await a.page.locator('#peer').inputValue(), '翠花');
    await a.page.locator('#me').fill('小明二');
    await a.page.keyboard.press('Enter');
    await a.connected();
    await a.leave();
});

test('a message that the server refuses says why, stays until removed, and stops nothing', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '退信', '查\u20dd无此人');
    await a.type('有人吗');
    await a.page.locator('.failure', { hasText: '喵喵号不合法' }).waitFor();
    await a.page.reload();
    await a.connected();
    await a.page.locator('.message[data-state=failed]').waitFor();
    await a.page.locator('#new').fill('有这个人');
    await a.page.keyboard.press('Enter');
    await a.page.locator('.peer h1 bdi', { hasText: '有这个人' }).waitFor();
    await a.say('你好');
    await a.page.locator('.conv', { hasText: '未送出' }).click();
    await a.page.locator('.failure button', { hasText: '删除' }).click();
    await a.sees([]);
    await a.leave();
});

test('the same user in a second page takes over, and the first says so and can come back', async () => {
    const first = await (await Person.come(browser)).chat(daemon.url, '双', '对');
    const second = await (await Person.come(browser, { context: first.context })).chat(daemon.url, '双', '对');
    await first.page.locator('.strip[data-state=stopped]', { hasText: '另一个页面' }).waitFor();
    assert.ok(await first.page.locator('#compose').isDisabled());
    assert.equal(await first.page.locator('.dot.on').count(), 0, 'who is there is not known now');
    await first.page.locator('.strip button').click();
    await second.page.locator('.strip[data-state=stopped]').waitFor();
    await first.connected();
    await first.say('我回来了');
    await first.leave();
});

test('the address names who talks with whom; a link invites the other', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '主人', '客人');
    const link = await a.page.locator('.invite-link').inputValue();
    const b = await Person.come(browser);
    await b.page.goto(link);
    assert.equal(await b.page.locator('#me').inputValue(), '客人');
    assert.equal(await b.page.locator('#peer').inputValue(), '主人');
    await b.page.locator('.login-card button').click();
    await b.say('我来了');
    await a.sees(['我来了']);
    await a.page.locator('.leave').click();
    await a.page.locator('.login-card').waitFor();
    await b.page.locator('.presence[data-state=offline]').waitFor();
    await both(a, b);
});
