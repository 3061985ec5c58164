import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Daemon } from './daemon.mjs';

const web = `${process.env.top_srcdir}/web`;
const files = fs.readdirSync(web, { recursive: true }).filter(name => /^(css|js)\/.*\.(css|js)$/.test(name) || /\.(svg|webmanifest)$/.test(name));

let daemon;
before(async () => {
    daemon = await Daemon.start();
});
after(() => daemon.remove());

function get(path, headers = {}) {
    return new Promise((resolve, reject) => http.get(daemon.url + path, { headers, agent: false }, async response => {
        const chunks = await response.toArray();
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
    }).on('error', reject));
}

test('every file of the page is served as it is, gzipped when wanted, and known again', async () => {
    for (const name of ['index.html', ...files]) {
        const path = name === 'index.html' ? '/' : `/${name}`;
        const content = fs.readFileSync(`${web}/${name}`);
        const plain = await get(path);
        assert.equal(plain.status, 200, name);
        assert.ok(plain.body.equals(content), name);
        assert.equal(plain.headers['content-encoding'], undefined);
        const zipped = await get(path, { 'Accept-Encoding': 'gzip, br' });
        if (zipped.headers['content-encoding'] === 'gzip') assert.ok(zipped.body.length < content.length && gunzipSync(zipped.body).equals(content), name);
        else assert.ok(content.length < 200, `${name} is worth compressing`);
        const again = await get(path, { 'If-None-Match': plain.headers.etag });
        assert.equal(again.status, 304, name);
        assert.equal(again.body.length, 0);
    }
});

test('the page may load its own files, and nothing else', async () => {
    const { headers } = await get('/');
    const csp = headers['content-security-policy'];
    assert.match(csp, /default-src 'none'/);
    assert.match(csp, /require-trusted-types-for 'script'/);
    assert.doesNotMatch(csp, /unsafe|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
});

test('the page asks ahead for every module that it will need, and for no other', () => {
    const html = fs.readFileSync(`${web}/index.html`, 'utf8');
    const asked = [...html.matchAll(/(?:modulepreload" href|module" src)="\/(js\/[^"]+)"/g)].map(m => m[1]);
    assert.deepEqual(asked.sort(), files.filter(name => name.endsWith('.js')).sort());
});

test('the languages have the same texts', async () => {
    const [zh, en] = await Promise.all(['zh', 'en'].map(async code => (await import(`${web}/js/i18n/${code}.js`)).default));
    assert.deepEqual(Object.keys(zh), Object.keys(en));
    const holes = text => [...text.matchAll(/\{\w+\}/g)].map(m => m[0]).sort().join();
    for (const id of Object.keys(zh)) if (id !== 'note.away') assert.equal(holes(zh[id]), holes(en[id]), id);
    const source = files.filter(name => name.endsWith('.js') && !name.includes('i18n/')).map(name => fs.readFileSync(`${web}/${name}`, 'utf8')).join('\n');
    for (const id of Object.keys(zh)) {
        const family = id.replace(/\.[^.]+$/, '.');
        assert.ok(id === 'lang.name' || source.includes(`'${id}'`) || source.includes(`\`${family}\${`), `${id} is used`);
    }
});
