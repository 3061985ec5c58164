import { locale, t } from '../i18n/index.js';
import { arrange, h } from '../util/dom.js';
import { key, parseId, withoutBidi } from '../util/text.js';
import { shortTime } from '../util/time.js';
import { avatar, brand, icon, langSwitch } from './parts.js';

const SNIPPET = 80;

function snippet(message) {
    const text = withoutBidi(message.text.replace(/\s+/g, ' ').slice(0, SNIPPET));
    if (message.state === 'failed') return t('side.failed', { text });
    return message.own ? t('side.own', { text }) : text;
}

/* Who I am, whom I talk with, and the way to somebody new. */
export class Sidebar {
    #session;
    #rows = new Map(); // conversation key -> parts
    #list;
    #empty;
    #dot;
    #onopen;

    constructor({ session, onopen, onleave, onlang, onclose }) {
        this.#session = session;
        this.#onopen = onopen;
        this.#list = h('ul', { class: 'convs', 'aria-label': t('side.title') });
        this.#empty = h('p', { class: 'convs-empty' }, t('side.empty'));
        this.#dot = h('span', { class: 'dot' });
        this.node = h('aside', { class: 'side', id: 'side', 'aria-label': t('side.title') },
            h('header', { class: 'side-top' }, brand(), h('span', { class: 'side-name' }, t('app.name')),
                h('button', { type: 'button', class: 'icon-button side-close', 'aria-label': t('side.close'), onclick: onclose }, icon('close'))),
            this.#newChat(),
            h('div', { class: 'convs-frame' }, this.#list, this.#empty),
            h('footer', { class: 'side-foot' },
                h('div', { class: 'me' }, h('span', { class: 'avatar-frame' }, avatar(session.me), this.#dot),
                    h('span', { class: 'me-text' }, h('span', { class: 'label' }, t('side.me')), h('bdi', { class: 'me-id' }, session.me))),
                h('div', { class: 'side-tools' }, langSwitch(onlang),
                    h('button', { type: 'button', class: 'quiet leave', 'data-focus': 'leave', onclick: onleave }, icon('swap'), t('side.leave')))));
    }

    #newChat() {
        const error = h('p', { class: 'field-error', id: 'new-error', role: 'alert' });
        const input = h('input', {
            id: 'new', 'aria-label': t('side.new'), placeholder: t('side.new'), maxlength: 64, autocomplete: 'off', autocapitalize: 'off',
            spellcheck: 'false', enterkeyhint: 'go', dir: 'auto', 'aria-describedby': 'new-error', 'data-focus': 'new', oninput: () => { error.textContent = ''; },
        });
        const submit = event => {
            event.preventDefault();
            const id = parseId(input.value);
            if (id === null) error.textContent = t(input.value.trim() ? 'login.bad' : 'login.empty.peer');
            else if (key(id) === key(this.#session.me)) error.textContent = t('login.same');
            else {
                input.value = '';
                this.#onopen(id);
                return;
            }
            input.focus();
        };
        return h('form', { class: 'new-chat', onsubmit: submit },
            h('div', { class: 'new-row' }, input, h('button', { class: 'soft' }, t('side.new.go'))), error);
    }

    render() {
        const { chat, client } = this.#session;
        const convs = chat.conversations;
        const open = chat.conversation(this.#session.peer);
        if (!convs.includes(open)) convs.unshift(open);
        arrange(this.#list, convs.map(conv => this.#row(conv, conv === open)));
        this.#empty.hidden = convs.length > 0;
        this.#dot.classList.toggle('on', client.online);
    }

    #row(conv, current) {
        if (!this.#rows.has(conv.key)) this.#rows.set(conv.key, this.#makeRow(conv));
        const row = this.#rows.get(conv.key);
        const { chat } = this.#session;
        const last = conv.pending.at(-1) ?? (conv.last?.seq && (!chat.isCleared(conv) || chat.shown(conv).length) ? conv.last : null);
        const unread = chat.unread(conv);
        row.name.textContent = conv.id;
        row.text.textContent = last ? snippet(last) : '';
        row.time.textContent = last ? shortTime(last.ts, locale(), { yesterday: t('day.yesterday') }) : '';
        row.dot.classList.toggle('on', this.#session.presence(conv.id) === 'online');
        row.badge.hidden = unread === 0;
        row.count.textContent = unread > 99 ? '99+' : String(unread);
        row.words.textContent = t('side.unread', { n: unread });
        if (current) row.button.setAttribute('aria-current', 'true');
        else row.button.removeAttribute('aria-current');
        return row.node;
    }

    #makeRow(conv) {
        const name = h('bdi', { class: 'conv-name' });
        const text = h('span', { class: 'conv-text', dir: 'auto' });
        const time = h('span', { class: 'conv-time' });
        const dot = h('span', { class: 'dot' });
        const count = h('span', { 'aria-hidden': 'true' });
        const words = h('span', { class: 'sr' });
        const badge = h('span', { class: 'badge', hidden: true }, count, words);
        const button = h('button', { type: 'button', class: 'conv', 'data-focus': `conv-${conv.key}`, onclick: () => this.#onopen(conv.id) },
            h('span', { class: 'avatar-frame' }, avatar(conv.id), dot),
            h('span', { class: 'conv-main' }, h('span', { class: 'conv-line' }, name, time), h('span', { class: 'conv-line' }, text, badge)));
        return { node: h('li', {}, button), button, name, text, time, dot, badge, count, words };
    }
}
