import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { parseId, withoutBidi } from '../util/text.js';
import { avatar } from './parts.js';

/* Making a group, and finding one to join. hooks: onopen(id). */
export class GroupsPanel {
    #session;
    #onopen;
    #list = h('ul', { class: 'members' });
    #none = h('p', { class: 'soft-text', hidden: true }, t('groups.none'));
    #more = h('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => this.#load(this.#next) }, t('group.more'));
    #next;

    constructor({ session, onopen }) {
        this.#session = session;
        this.#onopen = onopen;
        this.title = t('groups.title');
        this.node = h('div', { class: 'card' }, this.#form(), h('h3', { class: 'section' }, t('groups.public')), this.#list, this.#none, this.#more);
        this.#load();
    }

    render() {}

    close() {}

    #form() {
        const error = h('p', { class: 'field-error', id: 'group-error', role: 'alert' });
        const name = h('input', {
            id: 'group-name', placeholder: t('groups.name.hint'), maxlength: 64, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', dir: 'auto',
            'aria-describedby': error.id,
        });
        const topic = h('input', { id: 'group-topic', maxlength: 300, autocomplete: 'off', dir: 'auto' });
        const open = h('input', { type: 'checkbox' });
        const past = h('input', { type: 'checkbox' });
        const submit = async event => {
            event.preventDefault();
            const id = parseId(name.value.trim().replace(/^#/, ''));
            error.textContent = id === null ? t('groups.bad') : '';
            if (id === null) return name.focus();
            const text = topic.value.trim();
            const fields = { public: open.checked, history: past.checked ? 'all' : 'joined', ...(text ? { text } : {}) };
            try {
                const ok = await this.#session.changes.group('create', `#${id}`, fields);
                this.#onopen(ok.conv);
            } catch (refused) {
                error.textContent = refused.message;
            }
        };
        return h('form', { class: 'stack', onsubmit: submit }, h('h3', { class: 'section' }, t('groups.make')),
            h('div', { class: 'field' }, h('label', { for: name.id }, t('groups.name')), name, error),
            h('div', { class: 'field' }, h('label', { for: topic.id }, t('group.topic')), topic),
            h('label', { class: 'check' }, open, h('span', {}, t('group.set.public'))),
            h('label', { class: 'check' }, past, h('span', {}, t('group.set.past'))),
            h('button', { class: 'primary' }, t('groups.make.go')));
    }

    async #load(next) {
        const answer = await this.#session.ask('group', { do: 'list', limit: 50, ...(next === undefined ? {} : { next }) });
        if (!answer) return;
        this.#next = answer.next;
        this.#more.hidden = answer.next === undefined;
        this.#list.append(...answer.groups.map(group => this.#row(group)));
        this.#none.hidden = this.#list.childElementCount > 0;
    }

    #row({ conv, topic, members }) {
        const about = [t('group.members', { n: members }), withoutBidi(topic ?? '')].filter(Boolean).join(' · ');
        return h('li', { class: 'member-row' }, h('button', { type: 'button', class: 'member-open', onclick: () => this.#onopen(conv) },
            h('span', { class: 'avatar-frame' }, avatar(conv)),
            h('span', { class: 'two-lines' }, h('bdi', { class: 'member-name' }, conv), h('span', { class: 'label', dir: 'auto' }, about))));
    }
}
