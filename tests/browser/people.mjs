import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
const ARTIFACTS = path.resolve('artifacts');
const LOST = /WebSocket connection to .* failed/; // what a browser says when the server is away

export function launch() {
    return chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync'],
    });
}

/* Somebody with a browser of their own at the chat page. Everything that the page complains about is kept. */
export class Person {
    complaints = [];

    static async come(browser, { phone = false, context, ...options } = {}) {
        const person = new Person();
        person.context = context ?? await browser.newContext({
            locale: 'zh-CN', viewport: phone ? PHONE : DESKTOP, isMobile: phone, hasTouch: phone, deviceScaleFactor: phone ? 2 : 1, ...options,
        });
        person.page = await person.context.newPage();
        person.page.setDefaultTimeout(20000);
        person.page.on('console', message => person.#heard(message.type(), message.text()));
        person.page.on('pageerror', error => person.#heard('error', error.stack));
        person.page.on('dialog', dialog => person.#heard('error', `dialog: ${dialog.message()}`));
        await person.page.addInitScript(() => {
            addEventListener('securitypolicyviolation', e => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
        });
        return person;
    }

    #heard(type, text) {
        if ((type === 'error' || type === 'warning') && !LOST.test(text)) this.complaints.push(`${type}: ${text}`);
    }

    // Fills in the entry page by its address, and goes in.
    async chat(url, me, to) {
        await this.page.goto(`${url}/#${new URLSearchParams({ me, to })}`);
        await this.page.locator('.login-card button').click();
        await this.connected();
        return this;
    }

    // The message that says this.
    message(text) {
        return this.page.locator('.message', { has: this.page.locator('.text', { hasText: text }) }).last();
    }

    // Does something with a message by its menu.
    async act(text, label) {
        const message = this.message(text);
        await message.hover();
        await message.locator('.more').click();
        await this.page.locator('.popup').getByRole('menuitem', { name: label, exact: true }).click();
    }

    // Answers the question that the page asks; text is what to write there.
    async answer(text) {
        const dialog = this.page.locator('.dialog');
        if (text !== undefined) await dialog.locator('textarea').fill(text);
        await dialog.locator('.primary').click();
        await dialog.waitFor({ state: 'detached' });
    }

    // Goes to a conversation by typing its name.
    async goTo(id) {
        if (await this.page.locator('.menu').isVisible()) await this.page.locator('.menu').click();
        await this.page.locator('#new').fill(id);
        await this.page.keyboard.press('Enter');
        await this.page.locator('.peer h1 bdi', { hasText: id }).waitFor();
    }

    async connected() {
        await this.page.waitForFunction(() => document.querySelector('.strip')?.dataset.state === 'online');
    }

    async type(text) {
        await this.page.locator('#compose').fill(text);
        await this.page.keyboard.press('Enter');
    }

    async say(text) {
        await this.type(text);
        await this.page.locator('.message.own[data-state=sent]', { hasText: text }).first().waitFor();
    }

    // Waits until the messages shown are exactly these, each once, in this order.
    async sees(texts) {
        const shown = () => this.page.locator('.message .text').allTextContents();
        await this.page.waitForFunction(wanted => {
            const shown = Array.from(document.querySelectorAll('.message .text'), node => node.textContent);
            return JSON.stringify(shown) === JSON.stringify(wanted);
        }, texts).catch(async () => assert.deepEqual(await shown(), texts));
    }

    async allSent() {
        await this.page.waitForFunction(() => !document.querySelector('.message.own:not([data-state=sent])'));
    }

    note(text) {
        return this.page.locator('.messages .note', { hasText: text }).first().waitFor();
    }

    // What comes in with a movement has come. One whose element the page draws anew is cancelled, and another may have begun then.
    async settled() {
        await this.page.evaluate(async () => {
            const moving = () => document.getAnimations().filter(a => a.effect.getTiming().iterations === 1 && a.playState === 'running');
            for (let some = moving(); some.length; some = moving()) await Promise.allSettled(some.map(a => a.finished));
        });
    }

    async shot(name) {
        await this.settled();
        fs.mkdirSync(ARTIFACTS, { recursive: true });
        await this.page.screenshot({ path: path.join(ARTIFACTS, `${name}.png`) });
    }

    // Ends the visit. A page that complained about anything has failed.
    async leave() {
        await this.context.close();
        assert.deepEqual(this.complaints, []);
    }
}

/* The first of a conversation that two people are seen to have. */
export const TALK = {
    zh: {
        me: '小明', to: '翠花', third: '小红', aside: '周六去图书馆吗？',
        lines: [
            ['me', '在吗？今天的作业写完了没有'],
            ['to', '写完啦！数学最后一题有点难'],
            ['to', '你先自己想想，想不出来我再告诉你'],
            ['me', '好～我先试试\n第一步是不是要画辅助线？'],
            ['to', '对的，从 A 点向 BC 作垂线，你会发现两个三角形全等，后面就简单了，剩下的可以看课本第 42 页的例题。'],
            ['me', '懂了！谢谢 https://example.com/geometry'],
            ['to', '喵～不客气'],
        ],
    },
    en: {
        me: 'Milo', to: 'Luna', third: 'Oscar', aside: 'Library on Saturday?',
        lines: [
            ['me', 'Are you there? Did you finish the homework?'],
            ['to', 'Yes! The last maths problem was hard though'],
            ['to', 'Try it yourself first, I can give you a hint'],
            ['me', 'OK, let me try\nFirst step: draw a line from A?'],
            ['to', 'Right, perpendicular to BC. Both triangles are congruent then; the rest is like the example on page 42 of the book.'],
            ['me', 'Got it! Thanks https://example.com/geometry'],
            ['to', 'Meow, you are welcome'],
        ],
    },
};

/* What a class has been saying in a group. */
export const CLASS = {
    zh: {
        me: '小明', group: '#三年二班', topic: '周五秋游，记得带水', teacher: '王老师', friend: '翠花', bot: '天气喵',
        lines: [
            ['teacher', '同学们，周五去秋游，早上八点校门口集合。@所有人'],
            ['friend', '好耶！要带什么吗？'],
            ['teacher', '带水和帽子，午饭学校准备'],
            ['friend', '@小明 你坐我旁边吧'],
            ['friend', '我带了小鱼干'],
        ],
        asks: 1, answer: '那我带水果，大家一起吃', edited: '那我带水果和卡牌，大家一起玩', gone: '发错了', call: '@翠花 没问题', emoji: ['🎉', '👍', '🐱'], find: '带', state: '在上课', name: '小明同学',
    },
    en: {
        me: 'Milo', group: '#room-3b', topic: 'Trip on Friday: bring water', teacher: 'MsWong', friend: 'Luna', bot: 'WeatherCat',
        lines: [
            ['teacher', 'Trip on Friday: we meet at the gate at eight. @all'],
            ['friend', 'Yay! What do we bring?'],
            ['teacher', 'Water and a hat. The school brings lunch'],
            ['friend', '@Milo come and sit next to me'],
            ['friend', 'I have dried fish'],
        ],
        asks: 1, answer: 'Then I bring fruit for everybody', edited: 'Then I bring fruit and cards for everybody', gone: 'oops', call: '@Luna sure', emoji: ['🎉', '👍', '🐱'], find: 'bring', state: 'in class', name: 'Milo the cat',
    },
};
