import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Daemon } from './daemon.mjs';
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

test('the Enter that ends an input method\'s composition does not send', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '拼音', '汉字');
    const box = a.page.locator('#compose');
    const cdp = await a.context.newCDPSession(a.page);
    await box.focus();
    await box.evaluate(node => {
        window.keys = [];
        node.addEventListener('keydown', e => window.keys.push({ key: e.key, composing: e.isComposing, code: e.keyCode }));
    });
    await cdp.send('Input.imeSetComposition', { text: 'ni hao', selectionStart: 6, selectionEnd: 6 });
    assert.equal(await box.inputValue(), 'ni hao');
    await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 });
    await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 });
    const keys = await a.page.evaluate(() => window.keys);
    assert.equal(keys.length, 2);
    assert.ok(keys.every(({ key, composing }) => key === 'Enter' && composing), JSON.stringify(keys));
    assert.equal(await a.page.locator('.message').count(), 0);
    await cdp.send('Input.insertText', { text: '你好' });
    assert.equal(await box.inputValue(), '你好');
    // Some browsers end the composition first: then only the key code tells.
    await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 229 });
    assert.equal(await a.page.locator('.message').count(), 0);
    await a.page.keyboard.press('Enter');
    await a.sees(['你好']);
    assert.equal(await box.inputValue(), '');
    await a.leave();
});

test('it works by keyboard alone', async () => {
    const a = await Person.come(browser);
    await a.page.goto(daemon.url);
    await a.page.locator('#me:focus').waitFor();
    await a.page.keyboard.type('键');
    await a.page.keyboard.press('Tab');
    await a.page.keyboard.type('盘');
    await a.page.keyboard.press('Enter');
    await a.page.locator('#compose:focus').waitFor();
    await a.connected();
    await a.page.keyboard.type('嗒嗒');
    await a.page.keyboard.press('Enter');
    await a.sees(['嗒嗒']);
    await a.page.locator('#compose:focus').waitFor();
    const order = [];
    await a.page.locator('#new').focus();
    for (let i = 0; i < 16; i++) {
        order.push(await a.page.evaluate(() => document.activeElement.dataset.focus ?? document.activeElement.className));
        await a.page.keyboard.press('Tab');
    }
    for (const [one, other] of [['new', 'conv-盘'], ['conv-盘', 'lang-zh'], ['lang-en', 'leave'], ['leave', 'clear'], ['clear', 'log'], ['log', 'compose'], ['compose', 'send']])
        assert.ok(order.includes(one) && order.indexOf(one) < order.indexOf(other), `${one} before ${other}: ${order}`);
    await a.leave();
});

test('the language follows the browser, can be changed, and is remembered', async () => {
    const a = await Person.come(browser, { locale: 'en-US' });
    await a.page.goto(daemon.url);
    await a.page.getByRole('heading', { name: 'Welcome to Meow Chat' }).waitFor();
    await a.page.locator('#me').fill('Milo');
    await a.page.getByRole('button', { name: '中文' }).click();
    await a.page.getByRole('heading', { name: '欢迎使用喵喵号聊天' }).waitFor();
    assert.equal(await a.page.locator('#me').inputValue(), 'Milo');
    assert.equal(await a.page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await a.page.reload();
    await a.page.getByRole('button', { name: '聊一下' }).waitFor();
    await a.chat(daemon.url, 'Milo', 'Luna');
    await a.page.locator('#compose').fill('draft');
    await a.page.getByRole('button', { name: 'English' }).click();
    await a.page.getByRole('button', { name: 'Clear messages' }).waitFor();
    assert.equal(await a.page.locator('#compose').inputValue(), 'draft');
    await a.page.locator('#compose').press('Enter');
    await a.note('Luna is away; your message waits.');
    await a.sees(['draft']);
    await a.leave();
});
