import { locale, t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { isGroup, markParts, oneLine } from '../util/text.js';
import { shortTime } from '../util/time.js';
import { avatar } from './parts.js';

const WAIT_MS = 300;
const LIMIT = 20;
const BEFORE_POINTS = 24; // shown before the first word found
const SHOWN_POINTS = 140;

// The part of a text where the words are.
function around(text, words) {
    const line = text.replace(/\s+/g, ' ').trim();
    const low = line.toLowerCase();
    const at = Math.min(...words.map(word => low.indexOf(word.toLowerCase())).filter(i => i >= 0), Infinity);
    const far = Number.isFinite(at) && at > BEFORE_POINTS ? at - BEFORE_POINTS : 0;
    const space = far ? line.indexOf(' ', far) + 1 : 0; // not in the middle of a word
    const from = space > 0 && space <= at ? space : far;
    return (from ? '…' : '') + oneLine(line.slice(from).replace(/^[\udc00-\udfff]/, ''), SHOWN_POINTS);
}

/* Finds messages, in one conversation or in all. hooks: onjump(conv, seq). here: only in the conversation on show. */
export class SearchPanel {
    #session;
    #onjump;
    #input;
    #here;
    #list = h('ol', { class: 'results' });
    #line = h('p', { class: 'soft-text', role: 'status' });
    #more = h('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => this.#find(this.#next) }, t('search.more'));
    #next;
    #timer = 0;
    #asked = 0;

    constructor({ session, here, onjump }) {
        this.#session = session;
        this.#onjump = onjump;
        this.title = t('search.title');
        const later = event => {
            clearTimeout(this.#timer);
            if (!event.isComposing) this.#timer = setTimeout(() => this.#find(), WAIT_MS);
        };
        this.#input = h('input', {
            type: 'search', id: 'search', 'aria-label': t('search.title'), placeholder: t('search.hint'), autocomplete: 'off', dir: 'auto', maxlength: 200,
            oninput: later, oncompositionend: later,
        });
        this.#here = h('input', { type: 'checkbox', checked: here && session.conv !== null, onchange: () => this.#find() });
        this.node = h('div', { class: 'card search' },
            h('form', { class: 'stack', role: 'search', onsubmit: event => { event.preventDefault(); this.#find(); } }, this.#input,
                h('label', { class: 'check' }, this.#here, h('span', {}, t('search.only')))),
            this.#line, this.#list, this.#more);
    }

    focus() {
        this.#input.focus();
    }

    // For another conversation, or all.
    setHere(here) {
        this.#here.checked = here && this.#session.conv !== null;
        this.#find();
    }

    render() {}

    close() {
        clearTimeout(this.#timer);
    }

    async #find(next) {
        clearTimeout(this.#timer);
        const text = this.#input.value.trim();
        const { conv } = this.#session;
        const asked = ++this.#asked;
        if (next === undefined) {
            this.#list.replaceChildren();
            this.#more.hidden = true;
        }
        this.#line.textContent = text && next === undefined ? t('chat.loading') : '';
        if (!text) return;
        const where = this.#here.checked && conv ? { conv: conv.id } : {};
        const answer = await this.#session.ask('search', { text, limit: LIMIT, context: 1, ...where, ...(next === undefined ? {} : { pos: next }) });
        if (asked !== this.#asked) return;
        this.#show(answer, text.split(/\s+/));
    }

    #show(answer, words) {
        const results = answer?.results ?? [];
        this.#list.append(...results.map(result => this.#result(result, words)));
        this.#next = answer?.next;
        this.#more.hidden = this.#next === undefined;
        this.#line.textContent = this.#list.childElementCount ? '' : t(answer ? 'search.none' : 'search.failed');
    }

    #result({ messages, at }, words) {
        const { chat } = this.#session;
        const found = messages[at];
        const line = (message, main) => message && message.op === 'msg' && !message.deleted && h('span', { class: main ? 'found' : 'context', dir: 'auto' },
            h('bdi', { class: 'found-by' }, `${message.from === chat.me ? t('msg.you') : chat.people.name(message.from)}: `),
            main ? markParts(around(message.text ?? '', words), words).map(part => (part.mark ? h('mark', {}, part.mark) : part)) : oneLine(message.text ?? '', 60));
        return h('li', {}, h('button', { type: 'button', class: 'result', onclick: () => this.#onjump(found.conv, found.seq) },
            h('span', { class: 'avatar-frame' }, avatar(found.conv, chat.people.profile(found.conv))),
            h('span', { class: 'result-main' },
                h('span', { class: 'conv-line' }, h('bdi', { class: 'conv-name' }, isGroup(found.conv) ? found.conv : chat.people.name(found.conv)),
                    h('span', { class: 'conv-time' }, shortTime(found.ts, locale(), { yesterday: t('day.yesterday') }))),
                line(messages[at - 1], false), line(found, true), line(messages[at + 1], false))));
    }
}
