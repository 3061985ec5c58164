import { locale, t } from '../i18n/index.js';
import { arrange, h } from '../util/dom.js';
import { key, oneLine, parseConv } from '../util/text.js';
import { shortTime } from '../util/time.js';
import { memberLine } from './member.js';
import { brand, face, icon, iconButton, langSwitch, renderFace } from './parts.js';
import { presenceWords } from './top.js';

const SNIPPET = 80;

/* Who I am, whom I talk with, and the way to somebody new. hooks: onopen(id), onpanel(kind, opener), onleave(),
 * onlang(code), onclose(). */
export class Sidebar {
    #session;
    #rows = new Map(); // conversation key -> parts
    #list;
    #empty;
    #me = {};
    #hooks;

    constructor({ session, ...hooks }) {
        this.#session = session;
        this.#hooks = hooks;
        this.#list = h('ul', { class: 'convs', 'aria-label': t('side.title') });
        this.#empty = h('p', { class: 'convs-empty' }, t('side.empty'));
        const panel = kind => ({ 'data-focus': `panel-${kind}`, onclick: event => hooks.onpanel(kind, event.currentTarget) });
        this.node = h('aside', { class: 'side', id: 'side', 'aria-label': t('side.title') },
            h('header', { class: 'side-top' }, brand(), h('span', { class: 'side-name' }, t('app.name')),
                iconButton('search', t('search.title'), panel('search')), iconButton('people', t('groups.title'), panel('groups')),
                h('button', { type: 'button', class: 'icon-button side-close', 'aria-label': t('side.close'), onclick: hooks.onclose }, icon('close'))),
            this.#newChat(),
            h('div', { class: 'convs-frame' }, this.#list, this.#empty),
            this.#foot(panel('settings')));
    }

    #foot(settings) {
        const me = this.#me;
        me.face = face();
        me.name = h('bdi', { class: 'me-id' });
        me.status = h('span', { class: 'label me-status' });
        const leave = t(this.#session.account.signedIn ? 'side.signout' : 'side.leave');
        return h('footer', { class: 'side-foot' },
            h('button', { type: 'button', class: 'me', title: t('settings.title'), ...settings }, me.face,
                h('span', { class: 'me-text' }, h('span', { class: 'label me-label' }, t('side.me')), me.name, me.status), icon('gear')),
            h('div', { class: 'side-tools' }, langSwitch(this.#hooks.onlang),
                h('button', { type: 'button', class: 'quiet leave', 'data-focus': 'leave', onclick: this.#hooks.onleave }, icon('swap'), leave)));
    }

    #newChat() {
        const error = h('p', { class: 'field-error', id: 'new-error', role: 'alert' });
        const input = h('input', {
            id: 'new', 'aria-label': t('side.new'), placeholder: t('side.new'), maxlength: 64, autocomplete: 'off', autocapitalize: 'off',
            spellcheck: 'false', enterkeyhint: 'go', dir: 'auto', 'aria-describedby': 'new-error', 'data-focus': 'new', oninput: () => { error.textContent = ''; },
        });
        const submit = event => {
            event.preventDefault();
            const id = parseConv(input.value);
            if (id === null) error.textContent = t(input.value.trim() ? 'login.bad' : 'login.empty.peer');
            else if (key(id) === key(this.#session.me)) error.textContent = t('login.same');
            else {
                input.value = '';
                this.#hooks.onopen(id);
                return;
            }
            input.focus();
        };
        return h('form', { class: 'new-chat', onsubmit: submit },
            h('div', { class: 'new-row' }, input, h('button', { class: 'soft' }, t('side.new.go'))), error);
    }

    render() {
        const { chat, conv: open } = this.#session;
        const convs = chat.conversations;
        if (open && !convs.includes(open)) convs.unshift(open);
        arrange(this.#list, convs.map(conv => this.#row(conv, conv === open)));
        this.#empty.hidden = convs.length > 0;
        this.#renderMe();
    }

    #renderMe() {
        const { client, me, chat, ownStatus } = this.#session;
        renderFace(this.#me.face, me, this.#session);
        const dot = this.#me.face.lastChild;
        dot.classList.toggle('on', client.online);
        dot.dataset.state = ownStatus.state;
        this.#me.name.textContent = chat.people.name(me);
        const status = ownStatus.state === 'online' && !ownStatus.text ? '' : presenceWords(ownStatus);
        this.#me.status.textContent = status;
        this.#me.status.hidden = status === '';
        this.node.querySelector('.me-label').hidden = status !== '';
    }

    #row(conv, current) {
        if (!this.#rows.has(conv.key)) this.#rows.set(conv.key, this.#makeRow(conv));
        const row = this.#rows.get(conv.key);
        const { chat } = this.#session;
        const shown = conv.last && (!chat.isCleared(conv) || conv.last.seq > chat.clearedAt(conv) || !conv.last.seq);
        const last = conv.pending.at(-1) ?? (shown ? conv.last : null);
        renderFace(row.face, conv.id, this.#session);
        row.name.textContent = conv.group ? conv.id : chat.people.name(conv.id);
        row.text.textContent = this.#snippet(conv, last);
        row.text.classList.toggle('typing', chat.people.typing(conv.key).length > 0);
        row.time.textContent = last?.ts ? shortTime(last.ts, locale(), { yesterday: t('day.yesterday') }) : '';
        this.#renderBadges(row, conv);
        if (current) row.button.setAttribute('aria-current', 'true');
        else row.button.removeAttribute('aria-current');
        if (!conv.group) this.#session.profiles.want(conv.id);
        return row.node;
    }

    #renderBadges(row, conv) {
        const { unread, mentioned } = conv;
        row.badge.hidden = unread === 0;
        row.count.textContent = unread > 99 ? '99+' : String(unread);
        row.words.textContent = t('side.unread', { n: unread });
        row.at.hidden = !mentioned;
        row.invited.hidden = conv.role !== 'invited';
    }

    #snippet(conv, message) {
        const { chat } = this.#session;
        if (chat.people.typing(conv.key).length) return t('typing');
        if (!message) return '';
        if (message.op === 'member') return memberLine(message, this.#session);
        const text = message.deleted ? t('msg.gone') : oneLine(message.text, SNIPPET);
        if (message.state === 'failed') return t('side.failed', { text });
        if (message.own) return t('side.own', { text });
        return conv.group ? t('side.by', { who: chat.people.name(message.from), text }) : text;
    }

    #makeRow(conv) {
        const row = {
            face: face(), name: h('bdi', { class: 'conv-name' }), text: h('span', { class: 'conv-text', dir: 'auto' }), time: h('span', { class: 'conv-time' }),
            count: h('span', { 'aria-hidden': 'true' }), words: h('span', { class: 'sr' }),
            at: h('span', { class: 'badge at', hidden: true }, h('span', { 'aria-hidden': 'true' }, '@'), h('span', { class: 'sr' }, t('side.mentioned'))),
            invited: h('span', { class: 'badge', hidden: true }, t('side.invited')),
        };
        row.badge = h('span', { class: 'badge', hidden: true }, row.count, row.words);
        row.button = h('button', { type: 'button', class: 'conv', 'data-focus': `conv-${conv.key}`, onclick: () => this.#hooks.onopen(conv.id) }, row.face,
            h('span', { class: 'conv-main' }, h('span', { class: 'conv-line' }, row.name, row.time), h('span', { class: 'conv-line' }, row.text, row.at, row.badge, row.invited)));
        row.node = h('li', {}, row.button);
        return row;
    }
}
