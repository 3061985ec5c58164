import { t } from '../i18n/index.js';
import { coalesce, h } from '../util/dom.js';
import { messageActs } from './acts.js';
import { Composer } from './composer.js';
import { emptyChat, noChat } from './empty.js';
import { gate, gateKey } from './gate.js';
import { GroupPanel } from './group.js';
import { GroupsPanel } from './groups.js';
import { Log } from './log.js';
import { Panel } from './panel.js';
import { avatar } from './parts.js';
import { PersonPanel } from './person.js';
import { SearchPanel } from './search.js';
import { SettingsPanel } from './settings.js';
import { Sidebar } from './sidebar.js';
import { RoomTop } from './top.js';

const NARROW = '(max-width: 759px)';
const NOTICE_MS = 8000;

/* The chat: list of conversations, the open one, a panel beside it, and what the connection does. */
export class ChatView {
    #session;
    #sidebar;
    #top;
    #composer;
    #panel;
    #log = null;
    #frame;
    #drafts;
    #offs = [];
    #narrow = matchMedia(NARROW);
    #parts = {};
    #noticeTimer = 0;
    #hooks;
    #shownConv = null;
    #gate = '';
    #closed = false;

    // hooks: onleave(), onresume(), onlang(code), onopen(id). drafts: a Map that outlives the view.
    constructor({ session, drafts, hooks }) {
        this.#session = session;
        this.#drafts = drafts;
        this.#hooks = hooks;
        this.#sidebar = new Sidebar({
            session, onopen: id => this.#open(id), onleave: hooks.onleave, onlang: hooks.onlang, onclose: () => this.#drawer(false),
            onpanel: (kind, opener) => this.#show(kind, opener),
        });
        this.#top = new RoomTop({ session, onmenu: () => this.#drawer(true), onclear: () => this.#clear(), onpanel: (kind, opener, here) => this.#show(kind, opener, here) });
        this.#composer = this.#makeComposer();
        this.#panel = new Panel({ onchange: () => this.#reach() });
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
        const { conv, chat } = this.#session;
        const name = conv ? `${conv.group ? conv.id : chat.people.name(conv.id)} · ` : '';
        return `${unread ? `(${unread > 99 ? '99+' : unread}) ` : ''}${name}${t('app.name')}`;
    }

    focus() {
        if (this.#session.conv) this.#composer.focus();
        else this.#sidebar.node.querySelector('input')?.focus();
    }

    close() {
        this.#closed = true;
        this.#keepDraft();
        this.#offs.forEach(off => off());
        this.#log?.close();
        this.#panel.view?.close();
        clearTimeout(this.#noticeTimer);
        for (const dialog of document.querySelectorAll('body > dialog')) dialog.close();
    }

    #listen(...offs) {
        this.#offs.push(...offs);
    }

    #listenTo(target, name, f) {
        target.addEventListener(name, f);
        this.#listen(() => target.removeEventListener(name, f));
    }

    #makeComposer() {
        const session = this.#session;
        return new Composer({
            session, check: text => (session.tooLong(text) ? t('compose.long') : ''),
            onsend: (text, reply) => this.#send(text, reply), onedit: (message, text) => this.#edit(message, text),
            ontyping: on => session.conv && session.typing.set(session.conv.id, on),
            onlast: () => session.conv.messages.findLast(m => m.own && m.op === 'msg' && !m.deleted),
            candidates: () => (session.conv ? session.members.callable(session.conv) : []),
        });
    }

    #build() {
        const p = this.#parts;
        p.status = h('div', { class: 'strip', role: 'status' });
        p.elsewhere = h('div', { class: 'elsewhere-frame', role: 'status' });
        p.notice = h('p', { class: 'toast', role: 'alert', hidden: true });
        p.gate = h('div', { class: 'gate-slot', hidden: true });
        this.#frame = h('div', { class: 'log-slot' });
        this.main = h('main', { class: 'room' }, this.#top.node, p.status, p.elsewhere, h('div', { class: 'stage' }, this.#frame), p.gate, this.#composer.node);
        this.scrim = h('div', { class: 'scrim', onclick: () => this.#drawer(false) });
        this.node = h('div', { class: 'chat', onkeydown: event => this.#keydown(event) }, this.#sidebar.node, this.scrim, this.main, this.#panel.node, p.notice);
    }

    #keydown(event) {
        if (event.key !== 'Escape' || event.defaultPrevented) return;
        if (this.node.classList.contains('drawer')) this.#drawer(false);
        else this.#panel.close();
    }

    // The list slides over the room on narrow screens.
    #drawer(open) {
        const narrow = this.#narrow.matches;
        const was = this.node.classList.contains('drawer');
        this.node.classList.toggle('drawer', open && narrow);
        this.#reach();
        this.#top.menu.setAttribute('aria-expanded', String(open && narrow));
        if (open && narrow) this.#sidebar.node.querySelector('.side-close').focus();
        else if (was && !this.#panel.open) this.#top.menu.focus();
    }

    // What lies under something else is out of reach.
    #reach() {
        const narrow = this.#narrow.matches;
        const drawer = this.node.classList.contains('drawer');
        this.#sidebar.node.inert = narrow && !drawer;
        this.main.inert = narrow && (drawer || this.#panel.open);
        this.#panel.node.inert = drawer;
        this.node.classList.toggle('with-panel', this.#panel.open);
    }

    // Shows something in the panel; the button that showed it puts it away again. here: search in this conversation only.
    #show(kind, opener, here = false) {
        const session = this.#session;
        const { conv } = session;
        const make = {
            search: () => new SearchPanel({ session, here, onjump: (id, seq) => this.#jumpTo(id, seq) }),
            groups: () => new GroupsPanel({ session, onopen: id => this.#open(id) }),
            settings: () => new SettingsPanel({ session, onleave: this.#hooks.onleave }),
            info: () => (conv.group ? this.#groupPanel(conv) : this.#personPanel(conv.id)),
        }[kind];
        const name = `${kind} ${here} ${kind === 'info' ? conv.key : ''}`;
        if (this.#panel.open && this.#panel.node.dataset.shows === name) return this.#panel.close();
        this.#panel.node.dataset.shows = name;
        const from = this.node.classList.contains('drawer') ? this.#top.menu : opener;
        this.#drawer(false);
        this.#panel.show(make(), from);
    }

    #groupPanel(conv) {
        return new GroupPanel({
            session: this.#session, conv, onperson: id => this.#person(id), onsearch: () => this.#show('search', null, true), onleft: left => this.#remove(left),
        });
    }

    #personPanel(id) {
        return new PersonPanel({ session: this.#session, id, onopen: to => this.#open(to), onsearch: () => this.#show('search', null, true) });
    }

    #person(id) {
        this.#panel.node.dataset.shows = `person ${id}`;
        this.#panel.show(this.#personPanel(id), this.#panel.open ? null : document.activeElement);
    }

    #open(id) {
        this.#keepDraft();
        this.#hooks.onopen(id);
        this.#session.open(id);
        this.#drawer(false);
        if (this.#narrow.matches || this.#aboutOther()) this.#panel.close();
        this.#composer.focus();
    }

    // Does the panel tell of a conversation that is not on show any more?
    #aboutOther() {
        const { view } = this.#panel;
        return view instanceof GroupPanel || view instanceof PersonPanel || view instanceof GroupsPanel;
    }

    async #jumpTo(id, seq) {
        if (!this.#session.isOpen(id)) {
            this.#keepDraft();
            this.#hooks.onopen(id);
            this.#session.open(id);
        }
        if (this.#narrow.matches) this.#panel.close();
        if (!await this.#log.jump(seq)) this.#notice(t('msg.unreachable'));
    }

    #remove(conv) {
        const next = this.#session.chat.conversations.find(other => other !== conv && !other.gone);
        this.#panel.close();
        this.#hooks.onopen(next?.id ?? null);
        this.#session.open(next?.id ?? null);
        this.#session.chat.remove(conv.id);
    }

    #keepDraft() {
        if (this.#shownConv) this.#drafts.set(this.#shownConv.key, this.#composer.value);
    }

    // Another conversation is on show.
    #shown() {
        const { conv } = this.#session;
        this.#shownConv = conv;
        this.#log?.close();
        this.#log = conv && this.#makeLog(conv);
        this.#frame.replaceChildren(this.#log?.node ?? noChat());
        this.#composer.cancel();
        this.#composer.hint = conv ? t('compose.hint', { peer: conv.group ? conv.id : this.#session.chat.people.name(conv.id) }) : '';
        this.#gate = '';
        this.#render();
        this.#composer.value = (conv && this.#drafts.get(conv.key)) ?? '';
        this.#log?.toEnd();
    }

    #makeLog(conv) {
        const { people } = this.#session.chat;
        const acts = messageActs(this.#session, conv, {
            onreply: message => this.#composer.reply(message, message.own ? t('msg.yourself') : people.name(message.from)),
            onedit: message => this.#composer.edit(message),
            onjump: seq => this.#jumpTo(conv.id, seq),
            onperson: id => this.#person(id),
        });
        return new Log({ session: this.#session, conv, empty: emptyChat(this.#session, conv), acts });
    }

    #send(text, reply) {
        const taken = this.#session.send(text, reply);
        if (!taken) this.#notice(t('compose.full'));
        else if (this.#session.conv.newer) this.#session.toNewest().then(() => this.#log.toEnd());
        else this.#log.toEnd();
        return taken;
    }

    #edit(message, text) {
        if (text.trimEnd() !== message.text) this.#session.attempt(this.#session.changes.edit(message, text.trimEnd()));
        return true;
    }

    #clear() {
        this.#session.chat.clear(this.#session.peer);
        this.#composer.focus();
    }

    #render() {
        const { conv } = this.#session;
        if (conv && !conv.newer && document.visibilityState === 'visible' && document.hasFocus()) this.#session.markRead();
        const others = this.#session.chat.conversations.filter(other => other !== conv && other.unread > 0);
        this.#top.render(conv, others.reduce((sum, other) => sum + other.unread, 0));
        this.#renderStatus();
        this.#renderElsewhere(others);
        this.#renderGate(conv);
        this.#log?.render();
        this.#sidebar.render();
        this.#panel.render();
        document.title = this.title;
    }

    // The field to write in, or why there is none.
    #renderGate(conv) {
        const id = conv ? gateKey(this.#session, conv) : 'none';
        if (this.#gate === id) return;
        this.#gate = id;
        const slot = this.#parts.gate;
        const bar = conv && gate(this.#session, conv, gone => this.#remove(gone));
        slot.replaceChildren(...(bar ? [bar] : []));
        slot.hidden = !bar;
        this.#composer.node.hidden = conv === null || Boolean(bar);
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
        return this.#session.chat.conversations.reduce((sum, conv) => sum + conv.unread, 0);
    }

    // Somebody else wrote: say so, and offer to go there.
    #renderElsewhere(others) {
        const { elsewhere } = this.#parts;
        const id = others.length ? `${others[0].key} ${others[0].unread}` : '';
        if (elsewhere.dataset.id === id) return;
        elsewhere.dataset.id = id;
        const { people } = this.#session.chat;
        elsewhere.replaceChildren(...others.slice(0, 1).map(conv => h('button', { type: 'button', class: 'elsewhere', onclick: () => this.#open(conv.id) },
            avatar(conv.id, people.profile(conv.id)), h('span', {}, t('chat.other', { n: conv.unread, peer: conv.group ? conv.id : people.name(conv.id) })),
            h('strong', {}, t('chat.other.go')))));
    }

    #notice(text) {
        const { notice } = this.#parts;
        notice.textContent = text;
        notice.hidden = false;
        clearTimeout(this.#noticeTimer);
        this.#noticeTimer = setTimeout(() => { notice.hidden = true; }, NOTICE_MS);
    }
}
