import { locale, t } from '../i18n/index.js';
import { arrange, h } from '../util/dom.js';
import { key } from '../util/text.js';
import { dayKey, dayName } from '../util/time.js';
import { memberLine } from './member.js';
import { MessageView } from './message.js';
import { icon } from './parts.js';

const GROUP_MS = 5 * 60000; // messages of one sender closer than this stand together
const AT_END_PX = 80;
const NEAR_PX = 200;
const FLASH_MS = 2000;

function dayWords() {
    return { today: t('day.today'), yesterday: t('day.yesterday') };
}

/* The messages of one conversation. `session` gives them; `conv` is the state's conversation, `empty` what stands there
 * while there is none, `acts` what can be done with a message. It stays at the end while the reader is there, and stays
 * in place when older ones come in above. */
export class Log {
    #session;
    #conv;
    #acts;
    #nodes = new WeakMap(); // note or membership change -> its element
    #views = new WeakMap(); // message -> its view
    #byNode = new WeakMap();
    #days = new Map();
    #list;
    #top;
    #cleared;
    #begin;
    #empty;
    #newer;
    #unread;
    #resize;
    #stop = null;    // the message that the tab key comes to
    #last = null;    // … when nobody moved it: the newest
    #stay = true;    // the reader is at the end
    #unseen = false; // something came below what is in sight
    #flashTimer = 0;

    constructor({ session, conv, empty, acts }) {
        this.#session = session;
        this.#conv = conv;
        this.#empty = empty;
        this.#acts = acts;
        this.#list = h('ol', { class: 'messages' });
        this.#top = h('button', { type: 'button', class: 'quiet older', onclick: () => session.loadOlder() });
        this.#cleared = h('p', { class: 'note cleared' }, `${t('chat.cleared')} · `,
            h('button', { type: 'button', class: 'quiet', onclick: () => session.unclear() }, t('chat.unclear')));
        this.#begin = h('p', { class: 'note begin' });
        this.#unread = h('li', { class: 'unread-line' }, h('span', {}, t('chat.unread')));
        this.log = h('div', {
            class: 'log', role: 'log', 'aria-live': 'polite', tabindex: 0, 'data-focus': 'log', onscroll: () => this.#scrolled(), onkeydown: event => this.#keydown(event),
        }, this.#top, this.#cleared, this.#begin, this.#empty, this.#list);
        this.#newer = h('button', { type: 'button', class: 'newer', hidden: true, onclick: () => this.#toNewest() }, icon('down'), h('span'));
        this.node = h('div', { class: 'log-frame' }, this.log, this.#newer);
        this.#resize = new ResizeObserver(() => this.#stay && this.toEnd());
        this.#resize.observe(this.log);
        this.render();
    }

    close() {
        this.#resize.disconnect();
        clearTimeout(this.#flashTimer);
    }

    toEnd() {
        this.log.scrollTop = this.log.scrollHeight;
        this.#stay = !this.#conv.newer;
        this.#seen();
    }

    // Brings a message into sight, wherever in the past it is. Returns whether it could.
    async jump(seq) {
        this.#stay = false;
        if (!await this.#session.reach(seq)) return false;
        this.render();
        const node = this.#list.querySelector(`[data-seq="${Number(seq)}"]`);
        if (!node) return false;
        node.scrollIntoView({ block: 'center' });
        clearTimeout(this.#flashTimer);
        for (const other of this.#list.querySelectorAll('.flash')) other.classList.remove('flash');
        node.classList.add('flash');
        this.#flashTimer = setTimeout(() => node.classList.remove('flash'), FLASH_MS);
        this.#byNode.get(node)?.more.focus({ preventScroll: true });
        return true;
    }

    render() {
        const { log } = this;
        const anchor = this.#list.querySelector('.message');
        const anchorTop = anchor?.offsetTop;
        const items = this.#items();
        log.setAttribute('aria-busy', String(this.#conv.loading));
        log.setAttribute('aria-label', t(this.#conv.group ? 'group.log' : 'chat.log', { peer: this.#conv.id }));
        this.#renderTop(items.length > 0);
        const lastBefore = this.#list.lastChild;
        arrange(this.#list, items);
        this.#renderStop();
        if (this.#stay && !this.#conv.newer) this.toEnd();
        else if (anchor?.isConnected) log.scrollTop += anchor.offsetTop - anchorTop;
        if (!this.#stay && lastBefore !== this.#list.lastChild) this.#unseen = true;
        this.#newer.hidden = !this.#unseen && !this.#conv.newer;
        this.#newer.lastChild.textContent = t(this.#conv.newer ? 'chat.newest' : 'chat.newer');
    }

    #renderTop(any) {
        const { more, loading, loaded, group, id } = this.#conv;
        const cleared = this.#session.chat.isCleared(this.#conv);
        this.#top.hidden = !((more && loaded) || loading);
        this.#top.disabled = loading;
        this.#top.textContent = t(loading ? 'chat.loading' : 'chat.older');
        this.#cleared.hidden = !cleared;
        this.#begin.hidden = !any || cleared || more || !loaded || group; // a group's first line says so itself
        this.#begin.textContent = t('chat.begin', { peer: id });
        this.#empty.hidden = any || cleared || more || !loaded;
    }

    // The elements, in order: days, messages, and notes where they happened.
    #items() {
        const { pending, notes, divider } = this.#conv;
        const out = [];
        const waiting = [...notes];
        let day = '', before = null, divided = divider === null;
        const putNotes = upTo => {
            while (waiting.length && waiting[0].after < upTo) {
                out.push(this.#line(waiting.shift(), note => note.text ?? t(`note.${note.kind}`, { peer: this.#session.chat.people.name(this.#conv.id) })));
                before = null;
            }
        };
        for (const message of [...this.#session.chat.shown(this.#conv), ...(this.#conv.newer ? [] : pending)]) {
            putNotes(message.seq || Infinity);
            const today = dayKey(message.ts);
            if (today !== day) out.push(this.#day(today, message.ts));
            if (today !== day) before = null;
            day = today;
            if (!divided && message.seq > divider && !message.own && message.op === 'msg') {
                out.push(this.#unread);
                divided = true;
                before = null;
            }
            out.push(message.op === 'member' ? this.#line(message, event => memberLine(event, this.#session)) : this.#message(message, before));
            before = message.op === 'member' ? null : message;
        }
        putNotes(Infinity);
        return out;
    }

    #day(id, ts) {
        if (!this.#days.has(id)) this.#days.set(id, h('li', { class: 'day' }, h('span')));
        const node = this.#days.get(id);
        const name = dayName(ts, locale(), dayWords());
        if (node.firstChild.textContent !== name) node.firstChild.textContent = name;
        return node;
    }

    #line(item, words) {
        if (!this.#nodes.has(item)) this.#nodes.set(item, h('li', { class: item.op === 'member' ? 'note member' : 'note', 'data-seq': item.seq || null }));
        const node = this.#nodes.get(item);
        const text = words(item);
        if (node.textContent !== text) node.textContent = text;
        return node;
    }

    #message(message, before) {
        if (!this.#views.has(message)) {
            const view = new MessageView({ session: this.#session, conv: this.#conv, message, acts: this.#acts });
            this.#views.set(message, view);
            this.#byNode.set(view.node, view);
        }
        const view = this.#views.get(message);
        view.render(before !== null && key(before.from) === key(message.from) && message.ts - before.ts < GROUP_MS);
        return view.node;
    }

    // One message is a stop of the tab key; the arrows go from it to the others.
    #renderStop() {
        if (this.#stop?.node.isConnected && this.#stop !== this.#last) return this.#setStop(this.#stop);
        this.#setStop(this.#byNode.get([...this.#list.querySelectorAll('.message')].at(-1)) ?? null);
        this.#last = this.#stop;
    }

    #setStop(view) {
        if (this.#stop && this.#stop !== view) for (const button of this.#stop.node.querySelectorAll('button')) button.tabIndex = -1;
        this.#stop = view;
        for (const button of view?.node.querySelectorAll('button:not(.spare)') ?? []) button.tabIndex = 0;
    }

    #keydown(event) {
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        const here = event.target.closest('.message');
        if (!step || !here || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        const all = [...this.#list.querySelectorAll('.message')];
        const next = this.#byNode.get(all[all.indexOf(here) + step]);
        if (!next) return;
        this.#setStop(next);
        next.more.focus();
    }

    async #toNewest() {
        if (this.#conv.newer) await this.#session.toNewest();
        this.#stay = true;
        this.render();
        this.toEnd();
    }

    #scrolled() {
        const { scrollTop, scrollHeight, clientHeight } = this.log;
        const below = scrollHeight - scrollTop - clientHeight;
        this.#stay = below < AT_END_PX && !this.#conv.newer;
        if (this.#stay) this.#seen();
        if (scrollTop < NEAR_PX && !this.#stay) this.#session.loadOlder();
        if (below < NEAR_PX && this.#conv.newer) this.#session.loadNewer();
    }

    #seen() {
        this.#unseen = false;
        this.#newer.hidden = !this.#conv.newer;
    }
}
