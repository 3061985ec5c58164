import { Emitter } from '../util/emitter.js';
import { backoff } from './backoff.js';

const REPLY_MS = 15000; // a request unanswered for so long means that the connection is dead
const PROBE_MS = 5000;  // the same, for a ping that asks whether it is
const OPEN_MS = 10000;  // to connect and log in
const STABLE_MS = 5000; // a connection that lived so long was a good one
const WATCH_MS = 1000;

const CLOSE_KICKED = 4003;
const CLOSE_REPLACED = 4009;

// The server refused a request.
export class Refused extends Error {
    constructor({ code, name, text, retry, after }) {
        super(text ?? name);
        Object.assign(this, { code, reason: name, retry: Boolean(retry), after });
    }
}

// The connection went before the answer came; nobody knows whether the request was done.
export class Disconnected extends Error {}

/* im.v1 over a WebSocket that comes back by itself.
 *
 *      idle ── start() ──► connecting ──► greeting (hello, login) ──► online
 *                             ▲  │             │                        │
 *                             │  └─────────────┴────── connection lost ─┤
 *                             └────────── waiting ◄─────────────────────┤
 *                                                stopped ◄── refused, told not to return, stop()
 *
 * Emits `status` ({ state, … }), `online` ({ hello, login }), and `event` (every message that answers no request). */
export class Client extends Emitter {
    status = { state: 'idle' };
    limits = {};
    hello = null; // what the server said of itself last

    #options;
    #socket = null;
    #requests = new Map();
    #lastId = 0;
    #attempt = 0;
    #timer = 0;
    #watch = 0;
    #openedAt = 0;
    #onlineAt = 0;
    #heardAt = 0;
    #pingMs = 30000;
    #bye = null;

    /* { url, device, lang, agent, login, refused }: login() gives the op and fields to come in with; refused(error) says
     * whether to try that again at once. */
    constructor(options) {
        super();
        this.#options = options;
    }

    get online() {
        return this.status.state === 'online';
    }

    start() {
        this.#watch = setInterval(() => this.#check(), WATCH_MS);
        this.#connect();
    }

    // Ends it for good. forget: what this device logs in with shall not hold any more, either.
    stop({ forget = false } = {}) {
        this.push('bye', forget ? { forget } : {});
        this.#halt({ state: 'stopped' });
    }

    // Something suggests that the network is back or the page is looked at again: do not wait any longer.
    wake() {
        if (this.status.state === 'waiting') this.#connect();
        else if (this.online) this.#ping(PROBE_MS);
    }

    setLang(lang) {
        this.#options.lang = lang;
        if (this.online) this.request('hello', { v: 1, lang }).catch(() => {});
    }

    // Resolves with the `ok`; rejects with Refused or Disconnected.
    request(op, fields = {}, timeout = REPLY_MS) {
        return new Promise((resolve, reject) => {
            const id = ++this.#lastId;
            if (!this.push(op, { id, ...fields })) return reject(new Disconnected());
            this.#requests.set(id, { resolve, reject, deadline: Date.now() + timeout });
        });
    }

    // Sends without waiting for an answer. Returns whether there was a connection to send it on.
    push(op, fields = {}) {
        if (this.#socket?.readyState !== WebSocket.OPEN) return false;
        this.#socket.send(JSON.stringify({ op, ...fields }));
        return true;
    }

    #set(status) {
        this.status = status;
        this.emit('status', status);
    }

    #connect() {
        clearTimeout(this.#timer);
        this.#bye = null;
        this.#openedAt = Date.now();
        this.#onlineAt = 0;
        const socket = new WebSocket(this.#options.url, 'im.v1');
        const current = f => event => this.#socket === socket && f(event);
        socket.onopen = current(() => this.#greet());
        socket.onmessage = current(event => this.#receive(event.data));
        socket.onclose = current(event => this.#lost(event.code));
        this.#socket = socket;
        this.#set({ state: 'connecting' });
    }

    async #hello() {
        const { device, lang, agent } = this.#options;
        const hello = await this.request('hello', { v: 1, device, lang, agent });
        this.hello = hello;
        this.limits = hello.limits ?? {};
        this.#pingMs = hello.ping || this.#pingMs;
        return hello;
    }

    async #greet() {
        this.#set({ state: 'greeting' });
        try {
            const hello = await this.#hello();
            const login = await this.#login();
            this.#onlineAt = Date.now();
            this.#set({ state: 'online' });
            this.emit('online', { hello, login });
        } catch (error) {
            if (error instanceof Disconnected) return;
            if (!(error instanceof Refused)) throw error;
            if (error.retry && error.reason !== 'back_off') this.#drop();
            else this.#halt({ state: 'stopped', refused: true, reason: error.reason, text: error.message });
        }
    }

    async #login() {
        for (;;) {
            try {
                return await this.request(...this.#options.login());
            } catch (error) {
                if (!(error instanceof Refused) || !this.#options.refused?.(error)) throw error;
            }
        }
    }

    #receive(data) {
        this.#heardAt = Date.now();
        let message;
        try {
            message = JSON.parse(data);
        } catch {
            return this.#drop();
        }
        const request = this.#requests.get(message.id);
        if (request && (message.op === 'ok' || message.op === 'err')) {
            this.#requests.delete(message.id);
            if (message.op === 'ok') request.resolve(message);
            else request.reject(new Refused(message));
            return;
        }
        if (message.op === 'bye') this.#bye = message;
        this.emit('event', message);
    }

    // Half-open connections send nothing, not even their end: ask from time to time, and give up by a deadline.
    #check() {
        const now = Date.now();
        const { state } = this.status;
        if ((state === 'connecting' || state === 'greeting') && now - this.#openedAt > OPEN_MS) return this.#drop();
        if (state !== 'online') return;
        for (const { deadline } of this.#requests.values()) if (now > deadline) return this.#drop();
        if (now - this.#heardAt >= this.#pingMs && this.#requests.size === 0) this.#ping(REPLY_MS);
    }

    #ping(timeout) {
        this.request('ping', {}, timeout).catch(() => {});
    }

    // Lets go of the socket without waiting for it.
    #release() {
        const socket = this.#socket;
        this.#socket = null;
        socket?.close();
        const requests = [...this.#requests.values()];
        this.#requests.clear();
        for (const { reject } of requests) reject(new Disconnected());
    }

    #drop() {
        this.#release();
        this.#again();
    }

    #halt(status) {
        clearInterval(this.#watch);
        clearTimeout(this.#timer);
        this.#release();
        this.#set(status);
    }

    #lost(code) {
        const bye = this.#bye;
        this.#release();
        if (bye?.reconnect === false) this.#halt({ state: 'stopped', reason: bye.name, text: bye.text });
        else if (code === CLOSE_KICKED) this.#halt({ state: 'stopped', reason: 'kicked' });
        else if (code === CLOSE_REPLACED) this.#halt({ state: 'stopped', reason: 'replaced' });
        else this.#again(bye?.after);
    }

    #again(atLeast = 0) {
        if (this.#onlineAt && Date.now() - this.#onlineAt > STABLE_MS) this.#attempt = 0;
        const delay = Math.max(atLeast, backoff(this.#attempt++));
        this.#timer = setTimeout(() => this.#connect(), delay);
        this.#set({ state: 'waiting', until: Date.now() + delay });
    }
}
