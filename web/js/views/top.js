import { locale, t } from '../i18n/index.js';
import { isMember } from '../state/rights.js';
import { h } from '../util/dom.js';
import { withoutBidi } from '../util/text.js';
import { ago } from '../util/time.js';
import { botBadge, face, icon, iconButton, renderFace } from './parts.js';

const NAMED = 3; // who writes is named up to this many

// What there is to say of a user's presence, in words. seen: when they were last here, if they tell.
export function presenceWords(row, seen) {
    if (!row) return '';
    const words = row.state === 'offline' && seen ? t('peer.seen', { time: ago(seen, locale()) }) : t(`peer.${row.state}`);
    return row.text ? `${words} · ${withoutBidi(row.text)}` : words;
}

/* Who one talks with, above the conversation. hooks: onmenu(), onclear(), onpanel(kind, opener). */
export class RoomTop {
    #session;
    #parts = {};

    constructor({ session, onmenu, onclear, onpanel }) {
        this.#session = session;
        const p = this.#parts;
        p.badge = h('span', { class: 'badge', hidden: true, 'aria-hidden': 'true' });
        this.menu = h('button', {
            type: 'button', class: 'icon-button menu', 'aria-controls': 'side', 'aria-expanded': 'false', 'data-focus': 'menu', onclick: onmenu,
        }, icon('menu'), p.badge);
        p.face = face();
        p.id = h('bdi');
        p.bot = botBadge();
        p.alias = h('span', { class: 'alias' });
        p.presence = h('span', { class: 'presence' });
        p.me = h('span', { class: 'me-short' });
        p.search = iconButton('search', t('search.here'), { 'data-focus': 'search-here', onclick: event => onpanel('search', event.currentTarget, true) });
        p.info = iconButton('info', t('info.open'), { 'data-focus': 'info', onclick: event => onpanel('info', event.currentTarget) });
        p.clear = h('button', { type: 'button', class: 'soft clear', 'data-focus': 'clear', title: t('chat.clear'), onclick: onclear }, icon('broom'), h('span', {}, t('chat.clear')));
        p.buttons = h('div', { class: 'top-buttons' }, p.clear, p.search, p.info);
        this.node = h('header', { class: 'room-top' }, this.menu, p.face,
            h('div', { class: 'peer' },
                h('h1', {}, h('span', { class: 'sr' }), p.id, p.alias, p.bot),
                h('p', { class: 'peer-line' }, p.presence, p.me)),
            p.buttons);
    }

    // unread: in other conversations.
    render(conv, unread) {
        this.#renderMenu(unread);
        const p = this.#parts;
        for (const part of [p.face, p.buttons]) part.hidden = conv === null;
        p.me.textContent = t('me.short', { me: this.#session.me });
        if (conv === null) return this.#renderNone();
        const { people } = this.#session.chat;
        const name = people.name(conv.id);
        renderFace(p.face, conv.id, this.#session);
        this.node.querySelector('.sr').textContent = `${t(conv.group ? 'group.label' : 'peer.label')} `;
        p.id.textContent = name;
        p.alias.textContent = name === conv.id ? '' : conv.id;
        p.bot.hidden = !people.profile(conv.id)?.bot;
        p.clear.disabled = this.#session.chat.shown(conv).length === 0;
        p.search.hidden = conv.group && !isMember(conv.role);
        this.#renderLine(conv);
    }

    #renderNone() {
        const p = this.#parts;
        this.node.querySelector('.sr').textContent = '';
        p.id.textContent = t('app.name');
        p.alias.textContent = p.presence.textContent = '';
        p.bot.hidden = true;
        p.presence.dataset.state = 'unknown';
    }

    #renderLine(conv) {
        const { presence } = this.#parts;
        const writing = this.#session.chat.people.typing(conv.key);
        const row = this.#session.presence(conv.id);
        presence.classList.toggle('typing', writing.length > 0);
        presence.dataset.state = conv.group ? 'group' : row?.state ?? 'unknown';
        const words = writing.length ? this.#writing(conv, writing) : conv.group ? this.#group(conv, row) : presenceWords(row, this.#session.chat.people.profile(conv.id)?.seen);
        if (presence.textContent !== words) presence.textContent = words;
        presence.title = words;
    }

    #writing(conv, users) {
        if (!conv.group) return t('typing');
        if (users.length > NAMED) return t('typing.many');
        return t('typing.who', { who: users.map(id => this.#session.chat.people.name(id)).join(t('list.comma')) });
    }

    #group(conv, row) {
        if (!isMember(conv.role)) return conv.topic ? withoutBidi(conv.topic) : '';
        const counts = conv.members ? t('group.members', { n: conv.members }) : '';
        const online = row?.online ? t('group.online', { n: row.online }) : '';
        return [counts, online, withoutBidi(conv.topic)].filter(Boolean).join(' · ');
    }

    #renderMenu(unread) {
        const { badge } = this.#parts;
        badge.hidden = unread === 0;
        badge.textContent = unread > 99 ? '99+' : String(unread);
        this.menu.setAttribute('aria-label', unread ? t('side.open.unread', { n: unread }) : t('side.open'));
    }
}
