import { after, before, test } from 'node:test';
import { Daemon, Line, Wire } from './daemon.mjs';
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

function offline({ page }) {
    return page.waitForFunction(() => ['waiting', 'connecting'].includes(document.querySelector('.strip').dataset.state));
}

test('after a restart of the server, what was written meanwhile goes out, each once', async () => {
    const a = await (await Person.come(browser)).chat(daemon.url, '小明', '翠花');
    const b = await (await Person.come(browser)).chat(daemon.url, '翠花', '小明');
    await a.say('之前');
    await b.sees(['之前']);
    await daemon.down();
    await offline(a);
    await a.page.locator('.strip', { hasText: '自动重连' }).waitFor();
    await a.type('离线一');
    await a.type('离线二');
    await a.page.locator('.message[data-state=sending]').nth(1).waitFor();
    await daemon.up();
    for (const person of [a, b]) await person.connected();
    await b.sees(['之前', '离线一', '离线二']);
    await a.allSent();
    await b.say('都收到了');
    await a.sees(['之前', '离线一', '离线二', '都收到了']);
    await a.leave();
    await b.leave();
});

test('a broken line: what was missed comes, what waited goes, each once', async () => {
    const wire = await Wire.to(daemon);
    const a = await (await Person.come(browser)).chat(wire.url, '远', '近');
    const line = await Line.login(daemon, '近');
    await line.send('远', '听得到吗');
    await a.sees(['听得到吗']);
    wire.cut();
    await offline(a);
    await line.send('远', '喂');
    await line.send('远', '喂喂');
    await a.type('刚才断了');
    await a.sees(['听得到吗', '刚才断了']);
    wire.mend();
    await a.sees(['听得到吗', '喂', '喂喂', '刚才断了']);
    await a.allSent();
    await line.send('远', '好了');
    await a.sees(['听得到吗', '喂', '喂喂', '刚才断了', '好了']);
    line.close();
    await a.leave();
    wire.close();
});

test('when the answer to a message is lost, it is sent again and stored once', async () => {
    const wire = await Wire.to(daemon);
    const a = await (await Person.come(browser)).chat(wire.url, '送', '收');
    const b = await (await Person.come(browser)).chat(daemon.url, '收', '送');
    await a.say('一');
    wire.mute();
    await a.type('二');
    await b.sees(['一', '二']);
    await a.page.locator('.message[data-state=sending]', { hasText: '二' }).waitFor();
    wire.cut();
    await offline(a);
    wire.mend();
    await a.connected();
    await a.allSent();
    await a.say('三');
    for (const person of [a, b]) await person.sees(['一', '二', '三']);
    await a.leave();
    await b.leave();
    wire.close();
});

test('what waits to be sent survives a reload of the page', async () => {
    const wire = await Wire.to(daemon);
    const a = await (await Person.come(browser)).chat(wire.url, '早', '晚');
    await a.say('到了吗');
    wire.mute();
    await a.type('等你');
    await a.page.locator('.message[data-state=sending]').waitFor();
    wire.cut();
    wire.mend();
    await a.page.reload();
    await a.connected();
    await a.allSent();
    await a.sees(['到了吗', '等你']);
    await a.leave();
    wire.close();
});
