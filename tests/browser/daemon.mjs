import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const START_MS = 10000;
const IMD = process.env.IMD;
if (!IMD) throw new Error('IMD must name the built daemon');

async function freePort() {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    server.close();
    await once(server, 'close');
    return port;
}

/* A real imd with a store of its own on ports that were free. It can be stopped and started again on the same ones.
 * IMD_STORE chooses the kind of store; with `memory` what needs a restart fails. */
export class Daemon {
    #settings;

    // settings: further lines of the configuration
    static async start(...settings) {
        const daemon = new Daemon();
        daemon.#settings = settings;
        daemon.dir = await fs.mkdtemp(path.join(os.tmpdir(), 'imd-browser-'));
        daemon.port = await freePort();
        daemon.linePort = await freePort();
        await fs.writeFile(path.join(daemon.dir, 'imd.yaml'), daemon.#config());
        await daemon.up();
        return daemon;
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    #config() {
        return [
            'listen:',
            `  - { transport: websocket, address: "127.0.0.1:${this.port}" }`,
            `  - { transport: line, address: "127.0.0.1:${this.linePort}" }`,
            `data_dir: "${this.dir}"`,
            `store: { kind: ${process.env.IMD_STORE ?? 'sqlite'} }`,
            'shutdown: { spread: 0s }',
            ...this.#settings,
        ].join('\n');
    }

    async up() {
        this.process = spawn(IMD, ['-c', path.join(this.dir, 'imd.yaml')], { stdio: ['ignore', 'ignore', 'pipe'] });
        this.log = '';
        process.once('exit', () => this.process.kill());
        this.process.stderr.on('data', data => { this.log += data; });
        for (const deadline = Date.now() + START_MS; ;) {
            if (await fetch(`${this.url}/healthz`).then(r => r.ok, () => false)) return;
            if (this.process.exitCode !== null || Date.now() > deadline) throw new Error(`imd did not start:\n${this.log}`);
            await new Promise(done => setTimeout(done, 20)); // between two looks
        }
    }

    async down() {
        if (this.process.exitCode !== null) return;
        this.process.kill('SIGTERM');
        await once(this.process, 'exit');
        if (this.process.exitCode !== 0) throw new Error(`imd ended with ${this.process.exitCode}:\n${this.log}`);
    }

    // One admin command, as imctl gives it; the result.
    async admin(method, params = {}) {
        const socket = net.connect(path.join(this.dir, 'admin.sock'));
        socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`);
        const { value } = await createInterface({ input: socket })[Symbol.asyncIterator]().next();
        socket.destroy();
        const { result, error } = JSON.parse(value);
        if (error) throw new Error(value);
        return result;
    }

    async remove() {
        await this.down();
        await fs.rm(this.dir, { recursive: true });
    }
}

/* im.v1 over a line: somebody who is not a browser. */
export class Line {
    // as: other fields of the login
    static async login(daemon, user, as = { user }) {
        const line = new Line();
        line.socket = net.connect(daemon.linePort, '127.0.0.1').unref();
        line.answers = createInterface({ input: line.socket })[Symbol.asyncIterator]();
        line.lastId = 0;
        await line.request('hello', { v: 1, device: 'line' });
        await line.request('login', as);
        return line;
    }

    async request(op, fields) {
        const id = ++this.lastId;
        this.socket.write(`${JSON.stringify({ op, id, ...fields })}\n`);
        for (;;) {
            const { value, done } = await this.answers.next();
            if (done) throw new Error('the line has ended');
            const answer = JSON.parse(value);
            if (answer.id !== id) continue;
            if (answer.op !== 'ok') throw new Error(value);
            return answer;
        }
    }

    send(to, text, more = {}) {
        return this.request('send', { to, text, ...more });
    }

    group(act, conv, fields = {}) {
        return this.request('group', { do: act, conv, ...fields });
    }

    close() {
        this.socket.destroy();
    }
}

/* A wire between a page and the daemon that can be cut, or carry nothing back. */
export class Wire {
    #pairs = new Set();
    #cut = false;
    #mute = false;

    static async to(daemon) {
        const wire = new Wire();
        wire.server = net.createServer(near => wire.#join(near, daemon.port)).listen(0, '127.0.0.1');
        await once(wire.server, 'listening');
        wire.server.unref();
        wire.url = `http://127.0.0.1:${wire.server.address().port}`;
        return wire;
    }

    #join(near, port) {
        if (this.#cut) return near.destroy();
        const far = net.connect(port, '127.0.0.1').unref();
        near.unref();
        const pair = { near, far };
        const end = () => {
            near.destroy();
            far.destroy();
            this.#pairs.delete(pair);
        };
        this.#pairs.add(pair);
        near.on('data', data => far.write(data)).on('error', end).on('close', end);
        far.on('data', data => this.#mute || near.write(data)).on('error', end).on('close', end);
    }

    mute() {
        this.#mute = true;
    }

    cut() {
        this.#cut = true;
        for (const { near, far } of this.#pairs) {
            near.destroy();
            far.destroy();
        }
    }

    mend() {
        this.#cut = false;
        this.#mute = false;
    }

    close() {
        this.cut();
        this.server.close();
    }
}
