import { locale, t } from '../i18n/index.js';
import { mentions } from '../state/message.js';
import { h } from '../util/dom.js';
import { key, mentionParts, oneLine, textParts, withoutBidi } from '../util/text.js';
import { clock, fullTime } from '../util/time.js';
import { botBadge, face, icon, renderFace } from './parts.js';

const QUOTE_POINTS = 120;
const TICKS = { sending: 'clock', sent: 'check', received: 'checks', read: 'checks', failed: 'alert' };

function mentionNodes(text, ids, me) {
    return mentionParts(text, ids).map(part => (part.mention === undefined
        ? part
        : h('span', { class: part.mention === '*' || key(part.mention) === key(me) ? 'mention to-me' : 'mention' }, part.text)));
}

function textNodes(text, ids = [], me = '') {
    return textParts(text).flatMap(part => {
        if (part.url) return h('bdi', {}, h('a', { href: part.url, target: '_blank', rel: 'noopener noreferrer nofollow' }, part.url));
        return part.control ? h('bdi', { class: 'control' }, part.control) : mentionNodes(part, ids, me);
    });
}

// How far an own message has got.
function ticks(message, conv) {
    if (message.state !== 'sent' || conv.group) return message.state;
    if (conv.peerRead >= message.seq) return 'read';
    return conv.peerReceived >= message.seq ? 'received' : 'sent';
}

/* One message. `acts`: what can be done with it: menu(message, anchor), reply(message), emoji(message, anchor),
 * react(message, emoji, on), jump(seq), person(id), retry(cid), discard(cid). */
export class MessageView {
    #session;
    #conv;
    #message;
    #acts;
    #parts = {};
    #shown = {}; // what each part shows now

    constructor({ session, conv, message, acts }) {
        this.#session = session;
        this.#conv = conv;
        this.#message = message;
        this.#acts = acts;
        this.#build();
    }

    get more() {
        return this.#parts.more;
    }

    #build() {
        const p = this.#parts;
        const message = this.#message;
        const { own } = message;
        p.sender = h('span', { class: 'sr' });
        p.quote = h('div', { class: 'quote-slot', hidden: true });
        p.text = h('p', { class: 'text', dir: 'auto' });
        p.meta = h('span', { class: 'meta' });
        p.more = this.#tool('more', 'msg.more', anchor => this.#acts.menu(message, anchor), { class: 'tool more', 'aria-haspopup': 'menu' });
        p.tools = h('span', { class: 'tools' },
            this.#tool('smile', 'msg.react', anchor => this.#acts.emoji(message, anchor), { class: 'tool spare', 'aria-haspopup': 'menu' }),
            this.#tool('reply', 'msg.reply', () => this.#acts.reply(message), { class: 'tool spare' }), p.more);
        p.reactions = h('ul', { class: 'reactions', hidden: true });
        const bubble = h('div', { class: 'bubble', oncontextmenu: event => this.#longPress(event) }, p.sender, p.quote, p.text, p.meta);
        p.by = this.#conv.group && !own ? this.#by() : null;
        this.node = h('li', { class: `message ${own ? 'own' : 'other'}`, 'data-seq': message.seq || null }, p.by, h('div', { class: 'line' }, bubble, p.tools), p.reactions);
    }

    #tool(name, label, f, props) {
        return h('button', { type: 'button', tabindex: -1, 'aria-label': t(label), title: t(label), onclick: event => f(event.currentTarget), ...props }, icon(name));
    }

    // Who wrote it, in a group.
    #by() {
        const p = this.#parts;
        p.face = face();
        p.name = h('bdi', { class: 'by-name' });
        p.bot = this.#message.bot ? botBadge() : null;
        return h('button', { type: 'button', class: 'by', tabindex: -1, onclick: () => this.#acts.person(this.#message.from) }, p.face, p.name, p.bot);
    }

    // A long press of a finger is what a right click is to a mouse; but the mouse keeps the browser's own menu.
    #longPress(event) {
        if (event.pointerType !== 'touch' || event.target.closest('a')) return;
        event.preventDefault();
        this.#acts.menu(this.#message, this.#parts.more);
    }

    // follows: it stands right under another one of the same sender.
    render(follows) {
        const message = this.#message;
        const { node } = this;
        node.classList.toggle('follows', follows);
        node.dataset.state = message.state;
        if (message.seq) node.dataset.seq = message.seq;
        node.classList.toggle('mentions-me', !message.own && mentions(message, this.#session.me));
        this.#part('sender', [message.from], () => this.#renderSender());
        this.#part('quote', [message.reply, ...this.#quoted()], () => this.#renderQuote());
        this.#part('text', [message.rev, message.deleted], () => this.#renderText());
        this.#part('meta', [message.rev, message.state, ticks(message, this.#conv)], () => this.#renderMeta());
        this.#part('reactions', [message.rev], () => this.#renderReactions());
        this.#part('failure', [message.state, message.error], () => this.#renderFailure());
        if (this.#parts.by) this.#renderBy();
    }

    // Draws a part afresh if what it shows has changed.
    #part(name, values, draw) {
        const what = JSON.stringify(values);
        if (this.#shown[name] === what) return;
        this.#shown[name] = what;
        draw();
    }

    #renderSender() {
        const { own, from } = this.#message;
        this.#parts.sender.textContent = `${own ? t('msg.you') : this.#session.chat.people.name(from)}: `;
    }

    #renderBy() {
        const { from } = this.#message;
        const p = this.#parts;
        renderFace(p.face, from, this.#session);
        p.name.textContent = this.#session.chat.people.name(from);
        p.by.title = from;
        this.#session.profiles.want(from);
    }

    // The message replied to: undefined while it is not known, null if there is none (any more).
    #target() {
        const { reply } = this.#message;
        if (!reply) return null;
        const target = this.#conv.find(reply) ?? this.#conv.quotes.get(reply);
        if (target === undefined) this.#session.quote(this.#conv, reply);
        return target;
    }

    #quoted() {
        const target = this.#target();
        return target ? [target.from, target.text, Boolean(target.deleted)] : [target === null];
    }

    #renderQuote() {
        const slot = this.#parts.quote;
        const { reply } = this.#message;
        slot.hidden = !reply;
        if (!reply) return;
        const target = this.#target();
        const name = target && (target.own ? t('msg.you') : this.#session.chat.people.name(target.from));
        const text = !target || target.deleted ? t(target === undefined ? 'chat.loading' : 'msg.gone') : oneLine(target.text, QUOTE_POINTS);
        slot.replaceChildren(h('button', { type: 'button', class: 'quote', disabled: !target, tabindex: -1, onclick: () => this.#acts.jump(reply) },
            h('span', { class: 'sr' }, t('msg.answers')), name ? h('strong', {}, h('bdi', {}, name)) : null, h('span', { class: 'quote-text', dir: 'auto' }, text)));
    }

    #renderText() {
        const { text, mentions: ids, deleted } = this.#message;
        const node = this.#parts.text;
        node.classList.toggle('gone', Boolean(deleted));
        node.replaceChildren(...(deleted ? [t('msg.gone')] : textNodes(text, ids, this.#session.me)));
        node.classList.toggle('jumbo', !deleted && /^(\p{Emoji_Presentation}|\p{Emoji}\ufe0f){1,3}$/u.test(text));
        this.#parts.tools.hidden = !this.#message.seq;
        for (const tool of this.#parts.tools.querySelectorAll('.spare')) tool.hidden = Boolean(deleted);
    }

    #renderMeta() {
        const { ts, own, edited, deleted } = this.#message;
        const time = h('time', { datetime: new Date(ts).toISOString(), title: fullTime(ts, locale()) }, clock(ts, locale()));
        const mark = edited && !deleted && h('span', { class: 'edited', title: fullTime(edited, locale()) }, t('msg.edited'));
        const state = ticks(this.#message, this.#conv);
        const tick = own && !deleted && h('span', { class: 'state', 'data-ticks': state, title: t(`msg.${state}`) }, icon(TICKS[state]), h('span', { class: 'sr' }, t(`msg.${state}`)));
        this.#parts.meta.replaceChildren(...[mark, time, tick].filter(Boolean));
    }

    #renderReactions() {
        const { reactions = [] } = this.#message;
        const list = this.#parts.reactions;
        list.hidden = reactions.length === 0;
        list.replaceChildren(...reactions.map(({ emoji, count, mine = false }) => h('li', {}, h('button', {
            type: 'button', class: 'reaction', tabindex: -1, 'aria-pressed': String(mine), 'aria-label': t('react.label', { emoji, n: count }),
            onclick: () => this.#acts.react(this.#message, emoji, !mine),
        }, h('span', { class: 'emoji' }, withoutBidi(emoji)), h('span', {}, String(count))))));
    }

    #renderFailure() {
        const { state, error, cid } = this.#message;
        this.node.querySelector('.failure')?.remove();
        if (state !== 'failed') return;
        const button = (id, f) => h('button', { type: 'button', class: 'quiet', onclick: f }, t(id));
        this.node.append(h('p', { class: 'failure' }, h('span', {}, `${t('msg.failed')} · ${error}`),
            button('msg.retry', () => this.#acts.retry(cid)), button('msg.discard', () => this.#acts.discard(cid))));
    }
}
