// Makes the README's picture from the real page: node picture.mjs FILE
import fs from 'node:fs/promises';
import { Daemon, Line } from './daemon.mjs';
import { launch, Person, TALK } from './people.mjs';

const FRAME = `
    body { margin: 0; width: 1280px; height: 760px; position: relative; background: transparent }
    img { position: absolute; box-shadow: 0 2px 6px #0004, 0 14px 34px #0003; display: block }
    .desktop { left: 20px; top: 20px; width: 950px; border-radius: 14px }
    .phone { right: 24px; top: 74px; width: 300px; border-radius: 26px; outline: 5px solid #14100d }`;

const [file] = process.argv.slice(2);
const daemon = await Daemon.start();
const browser = await launch();

async function scene({ lang, ...options }) {
    const { me, to, third, aside, lines } = TALK[lang];
    const person = await (await Person.come(browser, options)).chat(daemon.url, me, to);
    const other = await Line.login(daemon, to);
    for (const [who, text] of lines) await (who === 'me' ? person.say(text) : other.send(me, text));
    await person.sees(lines.map(([, text]) => text));
    const line = await Line.login(daemon, third);
    await line.send(me, aside);
    await person.page.locator('.elsewhere').waitFor();
    await person.page.locator('.avatar-frame .dot.on').nth(2).waitFor({ state: 'attached' });
    await person.settled();
    const png = await person.page.screenshot();
    other.close();
    line.close();
    await person.leave();
    return `data:image/png;base64,${png.toString('base64')}`;
}

const desktop = await scene({ lang: 'zh', colorScheme: 'light', viewport: { width: 1060, height: 770 } });
const phone = await scene({ lang: 'en', colorScheme: 'dark', phone: true, locale: 'en-GB' });
const page = await browser.newPage({ viewport: { width: 1280, height: 760 } });
await page.setContent(`<style>${FRAME}</style><img class="desktop" src="${desktop}"><img class="phone" src="${phone}">`);
await page.waitForFunction(() => [...document.images].every(image => image.complete));
await fs.writeFile(file, await page.screenshot({ omitBackground: true }));
await browser.close();
await daemon.remove();
