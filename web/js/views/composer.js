import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { oneLine } from '../util/text.js';
import { Complete } from './complete.js';
import { icon, iconButton } from './parts.js';

const IME_KEY = 229; // what browsers report while an input method has the key
const QUOTE_POINTS = 100;
const GROWS = CSS.supports('field-sizing', 'content'); // the style sheet does it

// Enter sends; but the Enter that picks a word in an input method belongs to that.
export function isSendKey(event) {
    return event.key === 'Enter' && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey &&
        !event.isComposing && event.keyCode !== IME_KEY;
}

/* Where one writes. onsend(text, reply) and onedit(message, text) return whether it was taken; check(text) returns a
 * complaint or ''; ontyping(on); onlast() asks for the user's last message, to edit it; candidates() gives the ids that
 * '@' may name. */
export class Composer {
    #input;
    #button;
    #complaint;
    #banner;
    #complete;
    #hooks;
    #about = null; // { edit: message } or { reply: message }
    #before = '';  // what was written when an edit began

    constructor({ session, ...hooks }) {
        this.#hooks = hooks;
        this.#complaint = h('p', { class: 'compose-error', id: 'compose-error', role: 'alert' });
        this.#banner = h('div', { class: 'about-slot' });
        this.#input = h('textarea', {
            id: 'compose', rows: 1, 'aria-label': t('compose.label'), 'aria-describedby': 'compose-keys compose-error', enterkeyhint: 'send',
            'aria-autocomplete': 'list', 'aria-controls': 'complete', 'data-focus': 'compose', dir: 'auto', autocomplete: 'off',
            oninput: () => this.#typed(), onkeydown: event => this.#keydown(event), onblur: () => this.#complete.close(),
        });
        this.#complete = new Complete({ session, input: this.#input, candidates: hooks.candidates });
        this.#button = h('button', { class: 'primary send', 'data-focus': 'send' }, h('span'), icon('send'));
        this.node = h('form', { class: 'composer', onsubmit: event => { event.preventDefault(); this.#send(); } },
            this.#complaint, this.#complete.node,
            h('div', { class: 'compose-box' }, this.#banner, h('div', { class: 'compose-row' }, this.#input, this.#button)),
            h('p', { class: 'compose-keys', id: 'compose-keys' }, t('compose.keys')));
        this.#renderAbout();
    }

    get value() {
        return this.#about?.edit ? this.#before : this.#input.value;
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

    // The next message answers this one. `name`: its sender's.
    reply(message, name) {
        this.cancel();
        this.#about = { reply: message, name };
        this.#renderAbout();
        this.focus();
    }

    edit(message) {
        this.cancel();
        this.#before = this.#input.value;
        this.#about = { edit: message };
        this.#renderAbout();
        this.value = message.text;
        this.focus();
        this.#input.setSelectionRange(message.text.length, message.text.length);
    }

    cancel() {
        const editing = this.#about?.edit;
        this.#about = null;
        this.#renderAbout();
        if (editing) this.value = this.#before;
    }

    #keydown(event) {
        if (this.#complete.keydown(event)) return;
        if (isSendKey(event)) {
            event.preventDefault();
            this.#send();
        } else if (event.key === 'Escape' && this.#about) {
            event.stopPropagation();
            this.cancel();
        } else if (event.key === 'ArrowUp' && this.#input.value === '' && !this.#about) {
            const last = this.#hooks.onlast();
            if (!last) return;
            event.preventDefault();
            this.edit(last);
        }
    }

    #send() {
        const text = this.#input.value;
        const { edit, reply } = this.#about ?? {};
        const good = text.trim() !== '' && !this.#hooks.check(text);
        if (good && edit && this.#hooks.onedit(edit, text)) this.cancel();
        else if (good && !edit && this.#hooks.onsend(text, reply?.seq)) {
            this.value = '';
            this.cancel();
        }
        this.focus();
    }

    #typed() {
        this.#changed();
        this.#complete.update();
        if (!this.#about?.edit) this.#hooks.ontyping(this.#input.value.trim() !== '');
    }

    #changed() {
        const complaint = this.#hooks.check(this.#input.value);
        if (this.#complaint.textContent !== complaint) this.#complaint.textContent = complaint;
        if (GROWS) return;
        this.#input.style.height = 'auto';
        this.#input.style.height = `${this.#input.scrollHeight}px`;
    }

    #renderAbout() {
        const { edit, reply, name } = this.#about ?? {};
        this.#button.firstChild.textContent = t(edit ? 'compose.save' : 'compose.send');
        if (!this.#about) return this.#banner.replaceChildren();
        const message = edit ?? reply;
        this.#banner.replaceChildren(h('div', { class: 'about' }, icon(edit ? 'edit' : 'reply'),
            h('p', { class: 'about-text' }, h('strong', {}, edit ? t('compose.editing') : t('compose.replying', { name })),
                h('span', { dir: 'auto' }, oneLine(message.text, QUOTE_POINTS))),
            iconButton('close', t('compose.cancel'), { onclick: () => { this.cancel(); this.focus(); } })));
    }
}
