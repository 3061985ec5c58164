import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';

let lastId = 0;

/* Asks before something is done. Resolves with the text written (or true where none is asked for), or null.
 * { title, text, ok, danger?, input?: { label, required? } } */
export function ask({ title, text, ok, danger = false, input }) {
    return new Promise(resolve => {
        const id = `ask-${++lastId}`;
        const area = input && h('textarea', { id: `${id}-text`, rows: 3, maxlength: 500, 'aria-label': input.label, placeholder: input.label, required: input.required });
        const form = h('form', {
            onsubmit: event => {
                event.preventDefault();
                dialog.close('ok');
            },
        },
        h('h2', { id: `${id}-title` }, title), text ? h('p', {}, text) : null, area,
        h('div', { class: 'dialog-buttons' },
            h('button', { type: 'button', class: 'soft', onclick: () => dialog.close() }, t('ask.cancel')),
            h('button', { class: danger ? 'primary danger' : 'primary' }, ok)));
        const dialog = h('dialog', {
            class: 'dialog', 'aria-labelledby': `${id}-title`, onclose: () => {
                dialog.remove();
                resolve(dialog.returnValue === 'ok' ? area?.value.trim() ?? true : null);
            },
        }, form);
        document.body.append(dialog);
        dialog.showModal();
    });
}
