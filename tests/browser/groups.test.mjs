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

// Somebody at the page with this group open.
async function at(me, group, options = {}) {
    const person = await (await Person.come(browser, options)).chat(daemon.url, me, '谁都不是');
    await person.goTo(group);
    return person;
}

async function lineNote(person, text) {
    await person.page.locator('.messages .note.member', { hasText: text }).first().waitFor();
}

function info(person) {
    return person.page.locator('[data-focus=info]').click();
}

// Opens the menu of a member in the panel, and picks.
async function manage(person, user, label) {
    await person.page.locator('.member-row', { hasText: user }).locator('.icon-button').click();
    await person.page.locator('.popup').getByRole('menuitem', { name: label }).click();
}

test('a group is made, found by others, joined and talked in', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '班长', '谁都不是');
    await a.page.locator('[data-focus=panel-groups]').click();
    await a.page.locator('.soft-text', { hasText: '还没有公开的群' }).waitFor();
    await a.page.locator('#group-name').fill('三年 二班');
    await a.page.keyboard.press('Enter');
    await a.page.locator('#group-error', { hasText: '1 到 32' }).waitFor();
    await a.page.locator('#group-name').fill('三年二班');
    await a.page.locator('#group-topic').fill('作业讨论');
    await a.page.locator('.panel .check', { hasText: '公开' }).click();
    await a.page.locator('.panel .check', { hasText: '以前的消息' }).click();
    await a.page.locator('.panel .primary').click();
    await a.page.locator('.peer h1 bdi', { hasText: '#三年二班' }).waitFor();
    await lineNote(a, '你 建立了群');
    await a.say('欢迎');
    const b = await (await Person.come(browser)).chat(daemon.url, '小红', '谁都不是');
    await b.page.locator('[data-focus=panel-groups]').click();
    await b.page.locator('.member-open', { hasText: '作业讨论' }).click();
    await b.page.locator('.gate', { hasText: '公开的群' }).getByRole('button', { name: '加入' }).click();
    await b.sees(['欢迎']);
    await b.say('大家好');
    await a.sees(['欢迎', '大家好']);
    await lineNote(a, '小红 加入了群');
    assert.equal(await a.message('大家好').locator('.by-name').textContent(), '小红');
    await a.page.locator('.presence[data-state=group]', { hasText: '2 位成员 · 2 人在线 · 作业讨论' }).waitFor();
    await a.page.locator('[data-focus=panel-groups]').click();
    await a.page.locator('#group-name').fill('三年二班');
    await a.page.keyboard.press('Enter');
    await a.page.locator('#group-error', { hasText: '群名已被使用' }).waitFor();
    for (const person of [a, b]) await person.leave();
});

test('a private group is joined by invitation, which waits over a reload, and may be declined', async () => {
    const owner = await Line.login(daemon, '社长');
    await owner.group('create', '#秘密社', { text: '嘘' });
    const a = await (await Person.come(browser)).chat(daemon.url, '新人', '谁都不是');
    await owner.group('invite', '#秘密社', { user: '新人' });
    const row = a.page.locator('.conv', { hasText: '#秘密社' });
    await row.locator('.badge', { hasText: '邀请' }).waitFor();
    await a.page.reload();
    await a.connected();
    await row.click();
    await a.page.locator('.gate', { hasText: '社长 邀请你加入 #秘密社' }).getByRole('button', { name: '加入' }).click();
    await lineNote(a, '你 加入了群');
    await a.say('我来了');
    await owner.group('invite', '#秘密社', { user: '路人' });
    const b = await (await Person.come(browser)).chat(daemon.url, '路人', '谁都不是');
    await b.page.locator('.conv', { hasText: '#秘密社' }).click();
    await b.page.locator('.gate').getByRole('button', { name: '谢绝' }).click();
    await b.page.locator('.conv', { hasText: '#秘密社' }).waitFor({ state: 'detached' });
    await b.goTo('#没有这个');
    await b.page.locator('.gate', { hasText: '没有 #没有这个 这个群' }).waitFor();
    owner.close();
    for (const person of [a, b]) await person.leave();
});

test('an owner manages members by their roles, and they are told', async () => {
    const owner = await at('群主', '#大群');
    await owner.page.locator('.gate', { hasText: '没有 #大群' }).waitFor();
    await owner.page.locator('[data-focus=panel-groups]').click();
    await owner.page.locator('#group-name').fill('大群');
    await owner.page.locator('.panel .check', { hasText: '公开' }).click();
    await owner.page.locator('.panel .primary').click();
    await lineNote(owner, '建立了群');
    const people = [];
    for (const id of ['甲', '乙', '丙']) {
        const person = await at(id, '#大群');
        await person.page.locator('.gate').getByRole('button', { name: '加入' }).click();
        await lineNote(person, '你 加入了群');
        people.push(person);
    }
    const [a, b, c] = people;
    await info(owner);
    await owner.page.locator('.member-row', { hasText: '丙' }).waitFor();
    await manage(owner, '甲', '设为管理员');
    await owner.page.locator('.member-row', { hasText: '甲' }).locator('.role', { hasText: '管理员' }).waitFor();
    await lineNote(a, '群主 将 你 设为管理员');
    await info(a);
    await a.page.locator('.member-row', { hasText: '乙' }).waitFor();
    assert.ok(await a.page.locator('.member-row', { hasText: '群主' }).first().locator('.icon-button').isHidden(), 'an owner is above an admin');
    await manage(a, '乙', '禁言');
    await b.page.locator('.gate', { hasText: '禁言' }).waitFor();
    assert.ok(await b.page.locator('#compose').isHidden());
    await manage(a, '乙', '设为普通成员');
    await b.page.locator('#compose').waitFor();
    await manage(owner, '丙', '封禁');
    await c.page.locator('.gate', { hasText: '你被此群封禁' }).waitFor();
    await manage(owner, '丙', '解除封禁');
    await owner.page.locator('.member-row', { hasText: '丙' }).waitFor({ state: 'detached' });
    await a.page.locator('.topic .icon-button').click();
    await a.page.locator('.topic input').fill('新主题');
    await a.page.keyboard.press('Enter');
    await owner.page.locator('.topic', { hasText: '新主题' }).waitFor();
    await owner.page.locator('.check', { hasText: '公开' }).click();
    await a.page.locator('.card-line', { hasText: '私密群' }).waitFor();
    await owner.page.locator('.action', { hasText: '退出群' }).click();
    await owner.answer();
    await owner.page.locator('.toast', { hasText: '群需要群主' }).waitFor();
    await b.page.locator('[data-focus=info]').click();
    await b.page.locator('.action', { hasText: '退出群' }).click();
    await b.answer();
    await lineNote(owner, '乙 离开了群');
    await b.page.locator('.conv', { hasText: '#大群' }).waitFor({ state: 'detached' });
    await owner.page.locator('.action', { hasText: '解散群' }).click();
    await owner.answer();
    await a.page.locator('.gate', { hasText: '你不在这个群里' }).waitFor();
    await a.page.locator('.gate button').click();
    await a.page.locator('.conv', { hasText: '#大群' }).waitFor({ state: 'detached' });
    for (const person of [owner, ...people]) await person.leave();
});

test('who is named with @ is offered, marked, and told', async () => {
    const owner = await Line.login(daemon, '班主任');
    await owner.group('create', '#点名', { public: true, history: 'all' });
    const a = await at('小明明', '#点名');
    await a.page.locator('.gate').getByRole('button', { name: '加入' }).click();
    const b = await at('小红红', '#点名');
    await b.page.locator('.gate').getByRole('button', { name: '加入' }).click();
    await lineNote(a, '小红红 加入了群');
    await b.goTo('谁都不是');
    const box = a.page.locator('#compose');
    await box.pressSequentially('你好@小');
    await a.page.locator('.complete [aria-selected=true]', { hasText: '小红红' }).waitFor();
    await a.page.keyboard.press('Enter');
    assert.equal(await box.inputValue(), '你好@小红红 ');
    await box.pressSequentially('在吗');
    await a.page.keyboard.press('Enter');
    await a.message('在吗').locator('.mention', { hasText: '@小红红' }).waitFor();
    const row = b.page.locator('.conv', { hasText: '#点名' });
    await row.locator('.badge.at').waitFor();
    await row.click();
    await b.page.locator('.unread-line').waitFor();
    await b.page.locator('.mentions-me .mention.to-me', { hasText: '@小红红' }).waitFor();
    await row.locator('.badge.at').waitFor({ state: 'hidden' });
    await box.pressSequentially('@班');
    await a.page.locator('.complete li').waitFor();
    await a.page.keyboard.press('Escape');
    await a.page.locator('.complete').waitFor({ state: 'hidden' });
    await box.fill('');
    await box.pressSequentially('@所');
    assert.equal(await a.page.locator('.complete li').count(), 0, 'not everybody may call everybody');
    await owner.send('#点名', '@所有人 交作业');
    await a.page.locator('.mentions-me .mention.to-me', { hasText: '@所有人' }).waitFor();
    owner.close();
    for (const person of [a, b]) await person.leave();
});

test('in a group an admin deletes what others wrote', async () => {
    const owner = await at('版主', '#版');
    await owner.page.locator('[data-focus=panel-groups]').click();
    await owner.page.locator('#group-name').fill('版');
    await owner.page.locator('.panel .primary').click();
    await lineNote(owner, '建立了群');
    await info(owner);
    await owner.page.locator('#invite').fill('游客');
    await owner.page.keyboard.press('Enter');
    await owner.page.locator('.toast', { hasText: '已邀请 游客' }).waitFor();
    const line = await Line.login(daemon, '游客');
    await line.group('join', '#版');
    await line.send('#版', '广告广告');
    await owner.act('广告广告', '为所有人删除');
    await owner.answer();
    await owner.sees(['消息已删除']);
    line.close();
    await owner.leave();
});
