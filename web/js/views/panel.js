import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { iconButton } from './parts.js';

/* The side panel: shows one thing at a time ({ title, node, render(), close(), focus?() }). onclose() when it has gone. */
export class Panel {
    #view = null;
    #opener = null;
    #title = h('h2', { class: 'panel-title', tabindex: -1 });
    #body = h('div', { class: 'panel-body', tabindex: 0 });
    #onchange;

    constructor({ onchange }) {
        this.#onchange = onchange;
        this.node = h('aside', { class: 'panel', hidden: true, 'aria-label': t('panel') },
            h('header', { class: 'panel-top' }, this.#title, iconButton('close', t('panel.close'), { class: 'icon-button panel-close', onclick: () => this.close() })), this.#body);
    }

    get open() {
        return this.#view !== null;
    }

    get view() {
        return this.#view;
    }

    show(view, opener) {
        this.#view?.close();
        this.#view = view;
        this.#opener = opener ?? this.#opener;
        this.#title.textContent = view.title;
        this.#body.setAttribute('aria-label', view.title);
        this.#body.replaceChildren(view.node);
        this.#body.scrollTop = 0;
        this.node.hidden = false;
        this.#onchange();
        if (view.focus) view.focus();
        else this.#title.focus();
    }

    close() {
        if (!this.open) return;
        this.#view.close();
        this.#view = null;
        this.node.hidden = true;
        this.#body.replaceChildren();
        this.#onchange();
        if (this.#opener?.isConnected) this.#opener.focus();
        this.#opener = null;
    }

    render() {
        this.#view?.render();
    }
}
