import { locale, t } from '../i18n/index.js';
import { arrange, h } from '../util/dom.js';
import { textParts } from '../util/text.js';
import { clock, dayKey, dayName, fullTime } from '../util/time.js';
import { icon } from './parts.js';

const GROUP_MS = 5 * 60000; // messages of one sender closer than this stand together
const AT_END_PX = 80;
const NEAR_TOP_PX = 200;

function dayWords() {
    return { today: t('day.today'), yesterday: t('day.yesterday') };
}

function textNodes(text) {
    return textParts(text).map(part => {
        if (part.url) return h('bdi', {}, h('a', { href: part.url, target: '_blank', rel: 'noopener noreferrer nofollow' }, part.url));
        return part.control ? h('bdi', { class: 'control' }, part.control) : part;
    });
}

const STATE_ICONS = { sending: 'clock', sent: 'check', failed: 'alert' };

/* The messages of one conversation. `session` gives them; `conv` is the state's conversation, `empty` what stands there
 * while there is none. It stays at the end while
 * the reader is there, and stays in place when older ones come in above. */
export class Log {
    #session;
    #conv;
    #nodes = new WeakMap(); // message or note -> its element
    #days = new Map();
    #list;
    #top;
    #cleared;
    #begin;
    #empty;
    #newer;
    #resize;
    #stay = true;    // the reader is at the end
    #unseen = false; // something came below what is in sight

    constructor(session, conv, empty) {
        this.#session = session;
        this.#conv = conv;
        this.#empty = empty;
        this.#list = h('ol', { class: 'messages' });
        this.#top = h('button', { type: 'button', class: 'quiet older', onclick: () => session.loadOlder() });
        this.#cleared = h('p', { class: 'note cleared' }, `${t('chat.cleared')} · `,
            h('button', { type: 'button', class: 'quiet', onclick: () => session.unclear() }, t('chat.unclear')));
        this.#begin = h('p', { class: 'note begin' });
        this.log = h('div', { class: 'log', role: 'log', 'aria-live': 'polite', tabindex: 0, 'data-focus': 'log', onscroll: () => this.#scrolled() },
            this.#top, this.#cleared, this.#begin, this.#empty, this.#list);
        this.#newer = h('button', { type: 'button', class: 'newer', hidden: true, onclick: () => this.toEnd() }, icon('down'), t('chat.newer'));
        this.node = h('div', { class: 'log-frame' }, this.log, this.#newer);
        this.#resize = new ResizeObserver(() => this.#stay && this.toEnd());
        this.#resize.observe(this.log);
        this.render();
    }

    close() {
        this.#resize.disconnect();
    }

    toEnd() {
        this.log.scrollTop = this.log.scrollHeight;
        this.#stay = true;
        this.#seen();
    }

    render() {
        const { log } = this;
        const anchor = this.#list.querySelector('.message');
        const anchorTop = anchor?.offsetTop;
        const items = this.#items();
        log.setAttribute('aria-busy', String(this.#conv.loading));
        log.setAttribute('aria-label', t('chat.log', { peer: this.#conv.id }));
        this.#renderTop(items.length > 0);
        const lastBefore = this.#list.lastChild;
        arrange(this.#list, items);
        if (this.#stay) this.toEnd();
        else if (anchor?.isConnected) log.scrollTop += anchor.offsetTop - anchorTop;
        if (!this.#stay && lastBefore !== this.#list.lastChild) this.#unseen = true;
        this.#newer.hidden = !this.#unseen;
    }

    #renderTop(any) {
        const { more, loading, loaded } = this.#conv;
        const cleared = this.#session.chat.isCleared(this.#conv);
        this.#top.hidden = !((more && loaded) || loading);
        this.#top.disabled = loading;
        this.#top.textContent = t(loading ? 'chat.loading' : 'chat.older');
        this.#cleared.hidden = !cleared;
        this.#begin.hidden = !any || cleared || more || !loaded;
        this.#begin.textContent = t('chat.begin', { peer: this.#conv.id });
        this.#empty.hidden = any || cleared || more || !loaded;
    }

    // The elements, in order: days, messages, and notes where they happened.
    #items() {
        const { pending, notes } = this.#conv;
        const out = [];
        const waiting = [...notes];
        let day = '', before = null;
        const putNotes = upTo => {
            while (waiting.length && waiting[0].after < upTo) {
                out.push(this.#node(waiting.shift(), note => this.#makeNote(note)));
                before = null;
            }
        };
        for (const message of [...this.#session.chat.shown(this.#conv), ...pending]) {
            putNotes(message.seq || Infinity);
            const today = dayKey(message.ts);
            if (today !== day) out.push(this.#day(today, message.ts));
            if (today !== day) before = null;
            day = today;
            out.push(this.#message(message, before));
            before = message;
        }
        putNotes(Infinity);
        return out;
    }

    #node(item, make) {
        if (!this.#nodes.has(item)) this.#nodes.set(item, make(item));
        return this.#nodes.get(item);
    }

    #day(id, ts) {
        if (!this.#days.has(id)) this.#days.set(id, h('li', { class: 'day' }, h('span')));
        const node = this.#days.get(id);
        const name = dayName(ts, locale(), dayWords());
        if (node.firstChild.textContent !== name) node.firstChild.textContent = name;
        return node;
    }

    #makeNote({ kind, text }) {
        return h('li', { class: 'note' }, text ?? t(`note.${kind}`, { peer: this.#conv.id }));
    }

    #message(message, before) {
        const node = this.#node(message, m => this.#makeMessage(m));
        const follows = before && before.own === message.own && message.ts - before.ts < GROUP_MS;
        node.classList.toggle('follows', Boolean(follows));
        if (node.dataset.state !== message.state) this.#renderState(node, message);
        return node;
    }

    #makeMessage(message) {
        const sender = h('span', { class: 'sr' }, `${message.own ? t('msg.you') : message.from}: `);
        return h('li', { class: `message ${message.own ? 'own' : 'other'}` },
            h('div', { class: 'bubble' },
                sender,
                h('p', { class: 'text', dir: 'auto' }, textNodes(message.text)),
                h('span', { class: 'meta' })));
    }

    #renderState(node, message) {
        const { state, ts, own, cid } = message;
        node.dataset.state = state;
        const time = h('time', { datetime: new Date(ts).toISOString(), title: fullTime(ts, locale()) }, clock(ts, locale()));
        const mark = own && h('span', { class: 'state', title: t(`msg.${state}`) }, icon(STATE_ICONS[state]), h('span', { class: 'sr' }, t(`msg.${state}`)));
        node.querySelector('.meta').replaceChildren(...[time, mark].filter(Boolean));
        node.querySelector('.failure')?.remove();
        if (state === 'failed') node.append(this.#failure(cid, message.error));
    }

    #failure(cid, why) {
        const button = (text, f) => h('button', { type: 'button', class: 'quiet', onclick: f }, text);
        return h('p', { class: 'failure' }, h('span', {}, `${t('msg.failed')} · ${why}`),
            button(t('msg.retry'), () => this.#session.retry(cid)), button(t('msg.discard'), () => this.#session.discard(cid)));
    }

    #scrolled() {
        const { scrollTop, scrollHeight, clientHeight } = this.log;
        this.#stay = scrollHeight - scrollTop - clientHeight < AT_END_PX;
        if (this.#stay) this.#seen();
        if (scrollTop < NEAR_TOP_PX && !this.#stay) this.#session.loadOlder();
    }

    #seen() {
        this.#unseen = false;
        this.#newer.hidden = true;
    }
}
