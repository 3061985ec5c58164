import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon, Line } from './daemon.mjs';
import { launch, Person } from './people.mjs';

const PASSWORD = 'mimi-12345';

let closed, open, browser;
before(async () => {
    closed = await Daemon.start('auth: { mode: password, register: on, argon2_memory: 8MiB, argon2_ops: 1 }');
    open = await Daemon.start('auth: { mode: open, register: on, argon2_memory: 8MiB, argon2_ops: 1 }');
    browser = await launch();
});
after(async () => {
    await browser.close();
    await closed.remove();
    await open.remove();
});

async function entry(daemon, me) {
    const person = await Person.come(browser);
    await person.page.goto(daemon.url);
    await person.page.locator('#me').fill(me);
    return person;
}

async function register(daemon, me) {
    const person = await entry(daemon, me);
    await person.page.getByRole('button', { name: '注册一个喵喵号' }).click();
    await person.page.locator('#password').fill(PASSWORD);
    await person.page.locator('.login-card .primary').click();
    await person.connected();
    return person;
}

async function signOut(person) {
    await person.page.locator('.leave', { hasText: '退出登录' }).click();
    await person.page.locator('.login-card').waitFor();
}

test('somebody registers, stays signed in over a reload, signs out, and signs in again', async () => {
    const a = await register(closed, '小账');
    await a.page.locator('.nobody').waitFor();
    await a.page.reload();
    await a.connected();
    const again = await Person.come(browser, { context: a.context });
    await again.page.goto(closed.url);
    await again.connected(); // another tab needs no password either
    await a.page.locator('.strip[data-state=stopped]').waitFor();
    await signOut(again);
    assert.deepEqual(await again.page.evaluate(() => Object.keys(localStorage).filter(name => name.includes('token'))), []);
    await again.page.reload();
    await again.page.locator('#me').fill('小账');
    await again.page.locator('#password').fill(PASSWORD);
    await again.page.locator('.login-card .primary').click();
    await again.connected();
    await again.leave();
});

test('a wrong password is refused with words, and nobody comes in without', async () => {
    const a = await register(closed, '守门');
    await signOut(a);
    await a.page.locator('#password').fill('wrong-one');
    await a.page.locator('.login-card .primary').click();
    await a.page.locator('#password-error', { hasText: '喵喵号或密码不正确' }).waitFor();
    assert.equal(await a.page.locator('#me').inputValue(), '守门');
    await a.page.locator('.login-card .primary').click();
    await a.page.locator('#password-error', { hasText: '请填写密码' }).waitFor();
    await a.page.locator('#password').fill(PASSWORD);
    await a.page.keyboard.press('Enter');
    await a.connected();
    await a.leave();
});

test('an id that is taken and a password too short are refused in their place', async () => {
    const a = await register(closed, '先到');
    const b = await entry(closed, '先到');
    await b.page.getByRole('button', { name: '注册一个喵喵号' }).click();
    await b.page.locator('#password').fill(PASSWORD);
    await b.page.keyboard.press('Enter');
    await b.page.locator('#me-error', { hasText: '已被注册' }).waitFor();
    await b.page.locator('#me').fill('后到');
    await b.page.locator('#password').fill('short');
    await b.page.keyboard.press('Enter');
    await b.page.locator('#password-error', { hasText: '密码长度' }).waitFor();
    for (const person of [a, b]) await person.leave();
});

test('in open mode an id with a password asks for it, and others come in as ever', async () => {
    const a = await register(open, '有锁');
    await signOut(a);
    const b = await (await Person.come(browser)).chat(open.url, '没锁', '有锁');
    await b.say('在吗');
    const c = await Person.come(browser);
    await c.page.goto(`${open.url}/#${new URLSearchParams({ me: '有锁', to: '没锁' })}`);
    assert.ok(await c.page.locator('#password').isHidden());
    await c.page.locator('.login-card .primary').click();
    await c.page.locator('#password-error', { hasText: '需要密码' }).waitFor();
    await c.page.locator('#password').fill(PASSWORD);
    await c.page.keyboard.press('Enter');
    await c.sees(['在吗']);
    for (const person of [a, b, c]) await person.leave();
});

test('a password is changed, a device removed, and what it was signed in with ends', async () => {
    const a = await register(closed, '搬家');
    const b = await entry(closed, '搬家');
    await b.page.locator('#password').fill(PASSWORD);
    await b.page.keyboard.press('Enter');
    await b.connected();
    await a.page.locator('[data-focus=panel-settings]').click();
    const other = a.page.locator('.member-row', { hasText: 'web-' }).filter({ hasNotText: '本机' });
    await other.waitFor();
    await other.locator('.icon-button').click();
    await a.answer();
    await b.page.locator('.login-card').waitFor();
    await a.page.locator('#old-password').fill(PASSWORD);
    await a.page.locator('#new-password').fill('another-123');
    await a.page.keyboard.press('Enter');
    await a.page.locator('.toast', { hasText: '已保存' }).waitFor();
    await b.page.locator('#password').fill('another-123');
    await b.page.keyboard.press('Enter');
    await b.connected();
    const line = await Line.login(closed, '搬家', { user: '搬家', password: 'another-123' });
    line.close();
    for (const person of [a, b]) await person.leave();
});

test('where one must be invited, the code opens the door once', async context => {
    const daemon = await Daemon.start('auth: { mode: password, register: invite, argon2_memory: 8MiB, argon2_ops: 1 }');
    context.after(() => daemon.remove());
    const { code } = await daemon.admin('invite.create');
    const come = async me => {
        const person = await entry(daemon, me);
        await person.page.getByRole('button', { name: '注册一个喵喵号' }).click();
        await person.page.locator('#password').fill(PASSWORD);
        await person.page.locator('#invite').fill(code);
        await person.page.keyboard.press('Enter');
        return person;
    };
    const a = await come('客一');
    await a.connected();
    const b = await come('客二');
    await b.page.locator('#invite-error', { hasText: '邀请码无效' }).waitFor();
    assert.ok(await b.page.locator('#password').isVisible(), 'still about to register');
    for (const person of [a, b]) await person.leave();
});

test('a site that embeds the chat sends its users in with a token, and nobody comes without', async context => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'imd-key-'));
    context.after(() => fs.rmSync(dir, { recursive: true }));
    const secret = 'a secret of thirty-two bytes or more';
    fs.writeFileSync(path.join(dir, 'key'), secret, { mode: 0o600 });
    const daemon = await Daemon.start(`auth: { mode: token, jwt_keys: ["HS256:${path.join(dir, 'key')}"] }`);
    context.after(() => daemon.remove());
    const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: '网友', aud: 'imd', exp: Math.floor(Date.now() / 1000) + 600 })}`;
    const token = `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
    const a = await Person.come(browser);
    await a.page.goto(daemon.url);
    await a.page.locator('.tagline', { hasText: '令牌' }).waitFor();
    assert.ok(await a.page.locator('#password').isHidden());
    await a.page.goto('about:blank');
    await a.page.goto(`${daemon.url}/#${new URLSearchParams({ token })}`);
    await a.connected();
    assert.equal(await a.page.locator('.me-id').textContent(), '网友');
    assert.ok(!a.page.url().includes('token'), 'it does not stay in the address');
    await a.page.reload();
    await a.connected();
    await a.leave();
});
