import { t } from '../i18n/index.js';
import { coalesce, h } from '../util/dom.js';
import { Composer } from './composer.js';
import { Log } from './log.js';
import { avatar, brand, icon } from './parts.js';
import { Sidebar } from './sidebar.js';

const NARROW = '(max-width: 759px)';
const NOTICE_MS = 8000;

/* The chat: list of conversations, the open one, and what the connection does. */
export class ChatView {
    #session;
    #sidebar;
    #composer;
    #log = null;
    #frame;
    #drafts;
    #offs = [];
    #narrow = matchMedia(NARROW);
    #parts = {};
    #noticeTimer = 0;
    #hooks;
    #shownConv = null;
    #closed = false;

    // hooks: onleave(), onresume(), onlang(code), onopen(id). drafts: a Map that outlives the view.
    constructor({ session, drafts, hooks }) {
        this.#session = session;
        this.#drafts = drafts;
        this.#hooks = hooks;
        this.#sidebar = new Sidebar({
            session, onopen: id => this.#open(id), onleave: hooks.onleave, onlang: hooks.onlang, onclose: () => this.#drawer(false),
        });
        this.#composer = new Composer({ onsend: text => this.#send(text), check: text => (session.tooLong(text) ? t('compose.long') : '') });
        this.#build();
        const render = coalesce(() => this.#closed || this.#render());
        this.#listen(session.chat.on('change', render), session.on('status', render), session.on('notice', text => this.#notice(text)));
        this.#listen(session.on('open', () => this.#shown()));
        this.#listenTo(document, 'visibilitychange', render);
        this.#listenTo(window, 'focus', render);
        this.#listenTo(this.#narrow, 'change', () => this.#drawer(false));
        this.#shown();
        this.#drawer(false);
    }

    get title() {
        const unread = this.#unreadTotal();
        const { id } = this.#conv;
        return `${unread ? `(${unread > 99 ? '99+' : unread}) ` : ''}${id} · ${t('app.name')}`;
    }

    focus() {
        this.#composer.focus();
    }

    close() {
        this.#closed = true;
        this.#keepDraft();
        this.#offs.forEach(off => off());
        this.#log?.close();
        clearTimeout(this.#noticeTimer);
    }

    get #conv() {
        return this.#session.chat.conversation(this.#session.peer);
    }

    #listen(...offs) {
        this.#offs.push(...offs);
    }

    #listenTo(target, name, f) {
        target.addEventListener(name, f);
        this.#listen(() => target.removeEventListener(name, f));
    }

    #build() {
        const p = this.#parts;
        p.menuBadge = h('span', { class: 'badge', hidden: true, 'aria-hidden': 'true' });
        p.menu = h('button', {
            type: 'button', class: 'icon-button menu', 'aria-controls': 'side', 'aria-expanded': 'false', 'data-focus': 'menu', onclick: () => this.#drawer(true),
        }, icon('menu'), p.menuBadge);
        p.peerAvatar = h('span', { class: 'avatar-frame' });
        p.peerId = h('bdi');
        p.presence = h('span', { class: 'presence' });
        p.me = h('span', { class: 'me-short' });
        p.clear = h('button', { type: 'button', class: 'soft clear', 'data-focus': 'clear', title: t('chat.clear'), onclick: () => this.#clear() },
            icon('broom'), h('span', {}, t('chat.clear')));
        p.status = h('div', { class: 'strip', role: 'status' });
        p.elsewhere = h('div', { class: 'elsewhere-frame', role: 'status' });
        p.notice = h('p', { class: 'toast', role: 'alert', hidden: true });
        this.#frame = h('div', { class: 'log-slot' });
        this.main = h('main', { class: 'room' },
            h('header', { class: 'room-top' }, p.menu, p.peerAvatar,
                h('div', { class: 'peer' },
                    h('h1', {}, h('span', { class: 'sr' }, `${t('peer.label')} `), p.peerId),
                    h('p', { class: 'peer-line' }, p.presence, p.me)),
                p.clear),
            p.status, p.elsewhere, h('div', { class: 'stage' }, this.#frame, p.notice), this.#composer.node);
        this.scrim = h('div', { class: 'scrim', onclick: () => this.#drawer(false) });
        this.node = h('div', { class: 'chat', onkeydown: event => this.#keydown(event) }, this.#sidebar.node, this.scrim, this.main);
    }

    #keydown(event) {
        if (event.key === 'Escape' && this.node.classList.contains('drawer')) this.#drawer(false);
    }

    // The list slides over the room on narrow screens; what lies under it is out of reach then.
    #drawer(open) {
        const narrow = this.#narrow.matches;
        const was = this.node.classList.contains('drawer');
        this.node.classList.toggle('drawer', open && narrow);
        this.#sidebar.node.inert = narrow && !open;
        this.main.inert = narrow && open;
        this.#parts.menu.setAttribute('aria-expanded', String(open && narrow));
        if (open && narrow) this.#sidebar.node.querySelector('.side-close').focus();
        else if (was) this.#parts.menu.focus();
    }

    #open(id) {
        this.#keepDraft();
        this.#hooks.onopen(id);
        this.#session.open(id);
        this.#drawer(false);
        this.#composer.focus();
    }

    #keepDraft() {
        if (this.#shownConv) this.#drafts.set(this.#shownConv.key, this.#composer.value);
    }

    // Another conversation is on show.
    #shown() {
        const conv = this.#conv;
        this.#shownConv = conv;
        this.#log?.close();
        this.#log = new Log(this.#session, conv, this.#empty(conv));
        this.#frame.replaceChildren(this.#log.node);
        this.#parts.peerAvatar.replaceChildren(avatar(conv.id), h('span', { class: 'dot' }));
        this.#composer.hint = t('compose.hint', { peer: conv.id });
        this.#render();
        this.#composer.value = this.#drafts.get(conv.key) ?? '';
        this.#log.toEnd();
    }

    #send(text) {
        const taken = this.#session.send(text);
        if (taken) this.#log.toEnd();
        else this.#notice(t('compose.full'));
        return taken;
    }

    #clear() {
        this.#session.chat.clear(this.#session.peer);
        this.#composer.focus();
    }

    #render() {
        const { chat } = this.#session;
        if (document.visibilityState === 'visible' && document.hasFocus()) chat.markRead(this.#session.peer);
        this.#renderTop();
        this.#renderStatus();
        this.#renderElsewhere();
        this.#log.render();
        this.#sidebar.render();
        document.title = this.title;
    }

    #renderTop() {
        const { chat } = this.#session;
        const p = this.#parts;
        const conv = this.#conv;
        const state = this.#session.presence(conv.id);
        p.peerId.textContent = conv.id;
        p.presence.textContent = state ? t(`peer.${state}`) : '';
        p.presence.dataset.state = state ?? 'unknown';
        p.me.textContent = t('me.short', { me: chat.me });
        p.peerAvatar.lastChild.classList.toggle('on', state === 'online');
        p.clear.disabled = chat.shown(conv).length === 0;
    }

    #renderStatus() {
        const { status } = this.#session.client;
        const { state } = status;
        const strip = this.#parts.status;
        const id = `${state} ${status.reason ?? ''}`;
        if (strip.dataset.id === id) return;
        strip.dataset.id = id;
        strip.dataset.state = state;
        this.#composer.disabled = state === 'stopped';
        strip.replaceChildren(...this.#statusParts(status));
    }

    #statusParts({ state, reason, text }) {
        const button = (id, f) => h('button', { type: 'button', class: 'quiet', onclick: f }, t(id));
        if (state === 'online') return [];
        if (state === 'waiting') return [h('span', {}, t('status.waiting')), button('status.now', () => this.#session.client.wake())];
        if (state !== 'stopped') return [h('span', {}, t('status.connecting'))];
        const known = reason === 'replaced' || reason === 'kicked';
        return [h('span', {}, known ? t(`status.${reason}`) : text ?? t('status.stopped')), button('status.resume', () => this.#hooks.onresume())];
    }

    #unreadTotal() {
        return this.#session.chat.conversations.reduce((sum, conv) => sum + this.#session.chat.unread(conv), 0);
    }

    // Somebody else wrote: say so, and offer to go there.
    #renderElsewhere() {
        const { chat } = this.#session;
        const others = chat.conversations.filter(conv => conv !== this.#conv && chat.unread(conv) > 0);
        const p = this.#parts;
        const total = others.reduce((sum, conv) => sum + chat.unread(conv), 0);
        p.menuBadge.hidden = total === 0;
        p.menuBadge.textContent = total > 99 ? '99+' : String(total);
        p.menu.setAttribute('aria-label', total ? t('side.open.unread', { n: total }) : t('side.open'));
        const id = others.length ? `${others[0].key} ${chat.unread(others[0])}` : '';
        if (p.elsewhere.dataset.id === id) return;
        p.elsewhere.dataset.id = id;
        p.elsewhere.replaceChildren(...others.slice(0, 1).map(conv => h('button', { type: 'button', class: 'elsewhere', onclick: () => this.#open(conv.id) },
            avatar(conv.id), h('span', {}, t('chat.other', { n: chat.unread(conv), peer: conv.id })), h('strong', {}, t('chat.other.go')))));
    }

    #notice(text) {
        const { notice } = this.#parts;
        notice.textContent = text;
        notice.hidden = false;
        clearTimeout(this.#noticeTimer);
        this.#noticeTimer = setTimeout(() => { notice.hidden = true; }, NOTICE_MS);
    }

    // How to begin: a link for the other one to open.
    #empty(conv) {
        const url = new URL(location.origin + location.pathname);
        url.hash = new URLSearchParams({ me: conv.id, to: this.#session.me });
        const shown = h('input', { class: 'invite-link', readonly: true, value: decodeURI(url.href), 'aria-label': t('chat.invite', { peer: conv.id }) });
        const copied = h('span', { class: 'copied', role: 'status' });
        const copy = h('button', {
            type: 'button', class: 'soft', onclick: async () => {
                await navigator.clipboard.writeText(url.href);
                copied.textContent = t('chat.copied');
            },
        }, t('chat.copy'));
        return h('div', { class: 'empty' }, brand(), h('p', { class: 'empty-line' }, t('chat.empty')),
            h('div', { class: 'invite' }, h('p', {}, t('chat.invite', { peer: conv.id })),
                h('div', { class: 'new-row' }, shown, navigator.clipboard ? copy : null), copied));
    }
}
