import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { key } from '../util/text.js';
import { ask } from './dialog.js';
import { botBadge, face, icon, renderFace } from './parts.js';
import { presenceWords } from './top.js';

export function action(name, label, f, danger = false) {
    return h('li', {}, h('button', { type: 'button', class: danger ? 'action danger' : 'action', onclick: f }, icon(name), h('span', {}, label)));
}

// Asks why, and reports. what: { user?, conv?, seq? }
export async function report(session, what) {
    const text = await ask({ title: t('report.title'), text: t('report.text'), ok: t('report.ok'), danger: true, input: { label: t('report.why'), required: true } });
    if (!text) return;
    if (await session.ask('report', { text, ...what })) session.emit('notice', t('report.done'));
}

/* A user's card. hooks: onopen(id), onsearch(). */
export class PersonPanel {
    #session;
    #id;
    #parts = {};

    constructor({ session, id, onopen, onsearch }) {
        this.#session = session;
        this.#id = id;
        session.look(id);
        const p = this.#parts;
        const open = session.isOpen(id);
        p.face = face();
        p.name = h('bdi');
        p.bot = botBadge();
        p.id = h('p', { class: 'card-id' }, h('bdi', {}, id));
        p.presence = h('p', { class: 'card-line' });
        p.block = h('span');
        const self = key(id) === key(session.me);
        this.title = t('info.person');
        this.node = h('div', { class: 'card' }, p.face, h('h3', { class: 'card-name' }, p.name, p.bot), p.id, p.presence,
            self ? null : h('ul', { class: 'actions' },
                open ? action('search', t('search.here'), onsearch) : action('send', t('info.write'), () => onopen(id)),
                h('li', {}, h('button', { type: 'button', class: 'action danger', onclick: () => this.#block() }, icon('ban'), p.block)),
                action('flag', t('report.title'), () => report(session, { user: id }), true)));
        this.render();
    }

    render() {
        const p = this.#parts;
        const { people } = this.#session.chat;
        renderFace(p.face, this.#id, this.#session);
        p.name.textContent = people.name(this.#id);
        p.bot.hidden = !people.profile(this.#id)?.bot;
        p.presence.textContent = presenceWords(this.#session.presence(this.#id), people.profile(this.#id)?.seen);
        p.id.hidden = people.name(this.#id) === this.#id;
        p.block.textContent = t(people.isBlocked(this.#id) ? 'block.off' : 'block.on');
    }

    async #block() {
        const { people } = this.#session.chat;
        const on = !people.isBlocked(this.#id);
        const sure = !on || await ask({ title: t('block.sure', { peer: people.name(this.#id) }), text: t('block.what'), ok: t('block.on'), danger: true });
        if (sure) await this.#session.block(this.#id, on);
    }

    close() {
        this.#session.look(null);
    }
}
