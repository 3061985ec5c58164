import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { icon } from './parts.js';

const IME_KEY = 229; // what browsers report while an input method has the key
const GROWS = CSS.supports('field-sizing', 'content'); // the style sheet does it

// Enter sends; but the Enter that picks a word in an input method belongs to that.
export function isSendKey(event) {
    return event.key === 'Enter' && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey &&
        !event.isComposing && event.keyCode !== IME_KEY;
}

/* Where one writes. onsend(text) returns whether it was taken; check(text) returns a complaint or ''. */
export class Composer {
    #input;
    #button;
    #complaint;
    #check;
    #onsend;

    constructor({ onsend, check }) {
        this.#check = check;
        this.#onsend = onsend;
        this.#complaint = h('p', { class: 'compose-error', id: 'compose-error', role: 'alert' });
        this.#input = h('textarea', {
            id: 'compose', rows: 1, 'aria-label': t('compose.label'), 'aria-describedby': 'compose-keys compose-error', enterkeyhint: 'send',
            'data-focus': 'compose', dir: 'auto', autocomplete: 'off',
            oninput: () => this.#changed(),
            onkeydown: event => {
                if (!isSendKey(event)) return;
                event.preventDefault();
                this.#send();
            },
        });
        this.#button = h('button', { class: 'primary send', 'data-focus': 'send' }, h('span', {}, t('compose.send')), icon('send'));
        this.node = h('form', { class: 'composer', onsubmit: event => { event.preventDefault(); this.#send(); } },
            this.#complaint,
            h('div', { class: 'compose-row' }, this.#input, this.#button),
            h('p', { class: 'compose-keys', id: 'compose-keys' }, t('compose.keys')));
    }

    get value() {
        return this.#input.value;
    }

    set value(text) {
        this.#input.value = text;
        this.#changed();
    }

    set hint(text) {
        this.#input.placeholder = text;
    }

    set disabled(on) {
        this.#input.disabled = on;
        this.#button.disabled = on;
    }

    focus() {
        this.#input.focus();
    }

    #send() {
        const text = this.#input.value;
        if (text.trim() !== '' && !this.#check(text) && this.#onsend(text)) this.value = '';
        this.focus();
    }

    #changed() {
        const complaint = this.#check(this.#input.value);
        if (this.#complaint.textContent !== complaint) this.#complaint.textContent = complaint;
        if (GROWS) return;
        this.#input.style.height = 'auto';
        this.#input.style.height = `${this.#input.scrollHeight}px`;
    }
}
