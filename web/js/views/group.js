import { t } from '../i18n/index.js';
import { isMember, may, mayGive } from '../state/rights.js';
import { arrange, h } from '../util/dom.js';
import { key, parseId, withoutBidi } from '../util/text.js';
import { ask } from './dialog.js';
import { openMenu } from './menu.js';
import { face, iconButton, renderFace } from './parts.js';
import { action, report } from './person.js';

// What taking out somebody who is not in it comes to.
const KICKS = { invited: 'group.uninvite', silenced: 'group.unsilence' };
const ICONS = { muted: 'mute', member: 'user', admin: 'role', owner: 'role' };

// What somebody may do with a member of a group, for a menu.
function memberActions(session, conv, row) {
    const change = (act, fields = {}) => () => session.attempt(session.changes.group(act, conv.id, { user: row.user, ...fields }));
    const out = mayGive(conv.role, row.role).map(role => ({ label: t(`role.make.${role}`), icon: ICONS[role], onpick: change('role', { role }) }));
    if (row.role === 'banned') return may(conv.role, 'ban', row.role) ? [{ label: t('group.unban'), icon: 'user', onpick: change('unban') }] : [];
    if (may(conv.role, 'kick', row.role)) out.push({ label: t(KICKS[row.role] ?? 'group.kick'), icon: 'exit', danger: true, onpick: change('kick') });
    if (may(conv.role, 'ban', row.role)) out.push({ label: t('group.ban'), icon: 'ban', danger: true, onpick: change('ban') });
    return out;
}

/* A group: topic, settings, members. hooks: onperson(id), onsearch(), onleft(conv). */
export class GroupPanel {
    #session;
    #conv;
    #parts = {};
    #rows = new Map();
    #hooks;
    #sections = '';

    constructor({ session, conv, ...hooks }) {
        this.#session = session;
        this.#conv = conv;
        this.#hooks = hooks;
        this.title = t('info.group');
        const p = this.#parts;
        p.face = face();
        p.name = h('bdi');
        p.kind = h('p', { class: 'card-line' });
        p.topic = h('div', { class: 'topic' });
        p.invite = h('div');
        p.settings = h('div');
        p.count = h('h3', { class: 'section' });
        p.members = h('ul', { class: 'members' });
        p.more = h('button', { type: 'button', class: 'quiet', onclick: () => session.members.more(conv) }, t('group.more'));
        p.actions = h('ul', { class: 'actions' });
        this.node = h('div', { class: 'card' }, p.face, h('h3', { class: 'card-name' }, p.name), p.kind, p.topic, p.invite, p.settings, p.count, p.members, p.more, p.actions);
        this.render();
    }

    close() {}

    render() {
        const conv = this.#conv;
        const p = this.#parts;
        renderFace(p.face, conv.id, this.#session);
        p.name.textContent = conv.id;
        p.kind.textContent = conv.settings ? t(conv.settings.public ? 'group.public' : 'group.private') : '';
        const sections = JSON.stringify([conv.role, conv.topic, conv.settings]);
        if (sections !== this.#sections) this.#renderSections();
        this.#sections = sections;
        this.#renderMembers();
    }

    #renderSections() {
        const p = this.#parts;
        const { role } = this.#conv;
        p.topic.replaceChildren(...this.#topic());
        p.invite.replaceChildren(...(may(role, 'invite') ? [this.#invite()] : []));
        p.settings.replaceChildren(...(may(role, 'set') && this.#conv.settings ? this.#settings() : []));
        p.actions.replaceChildren(...this.#actions());
    }

    #change(act, fields) {
        return this.#session.attempt(this.#session.changes.group(act, this.#conv.id, fields));
    }

    #topic() {
        const { topic, role } = this.#conv;
        const edit = may(role, 'topic') && iconButton('edit', t('group.topic.edit'), { onclick: () => this.#editTopic() });
        return [h('p', { class: topic ? '' : 'soft-text', dir: 'auto' }, topic ? withoutBidi(topic) : t('group.topic.none')), edit].filter(Boolean);
    }

    #editTopic() {
        const input = h('input', { value: this.#conv.topic, 'aria-label': t('group.topic'), maxlength: 300, dir: 'auto' });
        const submit = async event => {
            event.preventDefault();
            if (await this.#change('topic', { text: input.value.trim() })) this.#parts.topic.replaceChildren(...this.#topic());
        };
        this.#parts.topic.replaceChildren(h('form', { class: 'new-row', onsubmit: submit }, input, h('button', { class: 'soft' }, t('save'))));
        input.focus();
    }

    #invite() {
        const error = h('p', { class: 'field-error', role: 'alert' });
        const hint = t('group.invite.hint');
        const input = h('input', { id: 'invite', placeholder: hint, 'aria-label': hint, maxlength: 64, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' });
        const submit = async event => {
            event.preventDefault();
            const user = parseId(input.value);
            error.textContent = user === null ? t('login.bad') : '';
            if (user === null || !await this.#change('invite', { user })) return;
            input.value = '';
            this.#session.emit('notice', t('group.invite.done', { who: user }));
        };
        return h('form', { class: 'invite-form', onsubmit: submit }, h('div', { class: 'new-row' }, input, h('button', { class: 'soft' }, t('group.invite'))), error);
    }

    #settings() {
        const { settings } = this.#conv;
        const box = (label, checked, fields) => h('label', { class: 'check' },
            h('input', { type: 'checkbox', checked, onchange: async event => {
                const { target } = event;
                if (!await this.#change('set', fields(target.checked))) target.checked = !target.checked;
            } }), h('span', {}, label));
        return [h('fieldset', { class: 'checks' }, h('legend', { class: 'section' }, t('group.settings')),
            box(t('group.set.public'), settings.public, on => ({ public: on, history: settings.history })),
            box(t('group.set.past'), settings.history === 'all', on => ({ public: settings.public, history: on ? 'all' : 'joined' })))];
    }

    #actions() {
        const { id, role } = this.#conv;
        const out = [action('search', t('search.here'), this.#hooks.onsearch), action('flag', t('report.title'), () => report(this.#session, { conv: id }), true)];
        if (isMember(role)) out.push(action('exit', t('group.leave'), () => this.#leave('leave'), true));
        if (may(role, 'delete')) out.push(action('bin', t('group.delete'), () => this.#leave('delete'), true));
        return isMember(role) ? out : [];
    }

    async #leave(act) {
        const sure = await ask({ title: t(`group.sure.${act}`, { group: this.#conv.id }), text: t(`group.what.${act}`), ok: t(`group.${act}`), danger: true });
        if (sure && await this.#change(act)) this.#hooks.onleft(this.#conv);
    }

    #renderMembers() {
        const p = this.#parts;
        const { rows, next } = this.#session.members.of(this.#conv);
        p.count.textContent = t('group.members', { n: Math.max(this.#conv.members, rows.filter(row => isMember(row.role)).length) });
        p.count.hidden = !isMember(this.#conv.role);
        arrange(p.members, isMember(this.#conv.role) ? rows.map(row => this.#member(row)) : []);
        p.more.hidden = next === undefined || !isMember(this.#conv.role);
    }

    #member(row) {
        const k = key(row.user);
        if (!this.#rows.has(k)) this.#rows.set(k, this.#makeMember(row.user));
        const parts = this.#rows.get(k);
        parts.row = row;
        const { people } = this.#session.chat;
        renderFace(parts.face, row.user, this.#session);
        if (!this.#session.presence(row.user)) parts.face.lastChild.classList.toggle('on', this.#session.client.online && row.online);
        parts.name.textContent = people.name(row.user);
        parts.role.textContent = row.role === 'member' ? '' : t(`role.${row.role}`);
        parts.role.dataset.role = row.role;
        parts.menu.hidden = k === key(this.#session.me) || memberActions(this.#session, this.#conv, row).length === 0;
        return parts.node;
    }

    #makeMember(user) {
        const parts = { face: face(), name: h('bdi', { class: 'member-name' }), role: h('span', { class: 'role' }) };
        parts.menu = iconButton('more', t('group.member.menu', { who: user }), {
            'aria-haspopup': 'menu', onclick: () => openMenu(parts.menu, { label: t('group.member.menu', { who: user }), items: memberActions(this.#session, this.#conv, parts.row) }),
        });
        parts.node = h('li', { class: 'member-row' },
            h('button', { type: 'button', class: 'member-open', onclick: () => this.#hooks.onperson(user) }, parts.face, parts.name, parts.role), parts.menu);
        this.#session.profiles.want(user);
        return parts;
    }
}
