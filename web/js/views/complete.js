import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { key } from '../util/text.js';
import { face, renderFace } from './parts.js';

const SHOWN = 6;
const TYPED = /(^|[^\p{L}\p{Nd}_]|\p{Script=Han})[@＠]([\p{L}\p{M}\p{Nd}._-]{0,32})$/u;

/* Offers names while somebody types '@'. candidates() gives ids ('*': everybody); onpick(text) takes the field's new
 * content and where the caret goes. */
export class Complete {
    #session;
    #input;
    #candidates;
    #found = [];
    #at = 0;

    constructor({ session, input, candidates }) {
        this.#session = session;
        this.#input = input;
        this.#candidates = candidates;
        this.node = h('ul', { class: 'complete', id: 'complete', role: 'listbox', 'aria-label': t('mention.pick'), hidden: true });
    }

    get open() {
        return !this.node.hidden;
    }

    close() {
        this.node.hidden = true;
        this.node.replaceChildren();
        this.#input.removeAttribute('aria-activedescendant');
    }

    // The field has changed.
    update() {
        const { value, selectionStart, selectionEnd } = this.#input;
        const typed = selectionStart === selectionEnd ? TYPED.exec(value.slice(0, selectionStart)) : null;
        this.#found = typed ? this.#matching(typed[2]) : [];
        this.#at = 0;
        if (this.#found.length === 0) return this.close();
        this.node.hidden = false;
        this.#render();
    }

    // Returns whether the key was meant for the list.
    keydown(event) {
        if (!this.open || event.isComposing) return false;
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (step) {
            this.#at = (this.#at + step + this.#found.length) % this.#found.length;
            this.#render();
        } else if (event.key === 'Enter' || event.key === 'Tab') this.#pick(this.#found[this.#at]);
        else if (event.key === 'Escape') this.close();
        else return false;
        event.preventDefault();
        event.stopPropagation();
        return true;
    }

    #matching(typed) {
        const wanted = key(typed);
        const { people } = this.#session.chat;
        const names = id => (id === '*' ? ['all', '所有人'] : [key(id), key(people.name(id))]);
        const fits = id => names(id).some(name => name.startsWith(wanted));
        return this.#candidates().filter(fits).slice(0, SHOWN);
    }

    #render() {
        this.node.replaceChildren(...this.#found.map((id, i) => this.#option(id, i)));
        this.#input.setAttribute('aria-activedescendant', `complete-${this.#at}`);
    }

    #option(id, i) {
        const all = id === '*';
        const frame = all ? h('span', { class: 'avatar-frame everybody' }, '@') : face();
        if (!all) renderFace(frame, id, this.#session);
        const { people } = this.#session.chat;
        const name = all ? t('mention.all') : people.name(id);
        return h('li', {
            id: `complete-${i}`, role: 'option', 'aria-selected': String(i === this.#at), onpointerdown: event => {
                event.preventDefault();
                this.#pick(id);
            },
        }, frame, h('bdi', {}, name), !all && name !== id ? h('span', { class: 'label' }, id) : null);
    }

    #pick(id) {
        const { value, selectionStart } = this.#input;
        const start = value.slice(0, selectionStart).search(/[@＠][^@＠]*$/u);
        const name = id === '*' ? t('mention.word') : id;
        const head = `${value.slice(0, start)}@${name} `;
        this.#input.value = head + value.slice(selectionStart);
        this.#input.setSelectionRange(head.length, head.length);
        this.close();
        this.#input.dispatchEvent(new Event('input'));
    }
}
