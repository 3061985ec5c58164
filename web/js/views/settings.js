import { locale, t } from '../i18n/index.js';
import { recall, remember } from '../state/local.js';
import { h } from '../util/dom.js';
import { smallPicture } from '../util/picture.js';
import { key, withoutBidi } from '../util/text.js';
import { ago } from '../util/time.js';
import { ask } from './dialog.js';
import { face, icon, iconButton, renderFace } from './parts.js';
import { action } from './person.js';

const STATES = ['online', 'away', 'dnd'];

/* The user's own things: profile, what others see, password, devices, whom they have blocked. hooks: onleave(). */
export class SettingsPanel {
    #session;
    #parts = {};
    #blockedShown = '';

    constructor({ session, onleave }) {
        this.#session = session;
        this.title = t('settings.title');
        const p = this.#parts;
        p.face = face();
        p.name = h('bdi');
        p.id = h('p', { class: 'card-id' }, h('bdi', {}, session.me));
        p.blocked = h('div');
        p.devices = h('ul', { class: 'members' });
        this.node = h('div', { class: 'card' }, p.face, h('h3', { class: 'card-name' }, p.name), p.id,
            this.#status(), this.#profile(), this.#password(),
            h('h3', { class: 'section' }, t('settings.devices')), p.devices, p.blocked,
            h('ul', { class: 'actions' }, action('exit', t(session.account.signedIn ? 'side.signout' : 'side.leave'), onleave, true)));
        this.#loadDevices();
        this.render();
    }

    close() {}

    render() {
        const p = this.#parts;
        const { people } = this.#session.chat;
        renderFace(p.face, this.#session.me, this.#session);
        p.face.lastChild.hidden = true;
        p.name.textContent = people.name(this.#session.me);
        p.id.hidden = people.name(this.#session.me) === this.#session.me;
        const blocked = people.blocked.join(' ');
        if (blocked !== this.#blockedShown) p.blocked.replaceChildren(...this.#blocked(people.blocked));
        this.#blockedShown = blocked;
    }

    #status() {
        const { state, text } = this.#session.ownStatus;
        const words = h('input', { value: text, placeholder: t('settings.words'), 'aria-label': t('settings.words'), maxlength: 100, dir: 'auto', onchange: () => save() });
        const radio = name => h('label', { class: 'choice' }, h('input', { type: 'radio', name: 'state', value: name, checked: name === state, onchange: () => save() }),
            h('span', { class: 'dot on', 'data-state': name }), h('span', {}, t(`state.${name}`)));
        const set = h('fieldset', { class: 'stack' }, h('legend', { class: 'section' }, t('settings.state')), h('div', { class: 'choices' }, STATES.map(radio)), words);
        const save = () => this.#session.setStatus({ state: set.querySelector('input:checked').value, text: words.value.trim() });
        return set;
    }

    #profile() {
        const session = this.#session;
        const known = session.chat.people.profile(session.me) ?? {};
        const seen = `seen:${key(session.me)}`;
        const name = h('input', { id: 'own-name', value: known.name ?? '', placeholder: session.me, maxlength: 64, autocomplete: 'off', dir: 'auto' });
        const file = h('input', {
            type: 'file', accept: 'image/*', class: 'sr', id: 'own-picture', 'aria-label': t('settings.picture'), tabindex: -1,
            onchange: () => this.#picture(file.files[0]),
        });
        const submit = event => {
            event.preventDefault();
            this.#set({ name: name.value.trim() });
        };
        const box = h('input', {
            type: 'checkbox', checked: recall(seen, true), onchange: async () => await this.#set({ seen: box.checked }) && remember(seen, box.checked),
        });
        return h('div', { class: 'stack' }, h('h3', { class: 'section' }, t('settings.profile')),
            h('form', { class: 'field', onsubmit: submit }, h('label', { for: name.id }, t('settings.name')),
                h('div', { class: 'new-row' }, name, h('button', { class: 'soft' }, t('save')))),
            h('div', { class: 'button-row' },
                h('button', { type: 'button', class: 'soft', onclick: () => file.click() }, t('settings.picture')), file,
                h('button', { type: 'button', class: 'quiet', onclick: () => this.#set({ avatar: '' }) }, t('settings.picture.none'))),
            h('label', { class: 'check' }, box, h('span', {}, t('settings.seen'))));
    }

    async #picture(file) {
        const avatar = file && await smallPicture(file);
        if (avatar) await this.#set({ avatar });
        else this.#session.emit('notice', t('settings.picture.bad'));
    }

    async #set(fields) {
        const done = await this.#session.ask('profile', fields);
        if (!done) return false;
        this.#session.profiles.want(this.#session.me, true);
        this.#session.emit('notice', t('settings.saved'));
        return true;
    }

    // Those who came in without a password have none to change.
    #password() {
        if (!this.#session.account.signedIn) return null;
        const error = h('p', { class: 'field-error', role: 'alert' });
        const field = (id, label, hint) => h('input', {
            type: 'password', id, 'aria-label': label, placeholder: label, autocomplete: hint, maxlength: 1024, required: true,
        });
        const old = field('old-password', t('settings.password.old'), 'current-password');
        const fresh = field('new-password', t('settings.password.new'), 'new-password');
        const submit = async event => {
            event.preventDefault();
            try {
                await this.#session.client.request('password', { password: old.value, new: fresh.value });
                old.value = fresh.value = error.textContent = '';
                this.#session.emit('notice', t('settings.saved'));
            } catch (refused) {
                error.textContent = refused.message || t('status.waiting');
            }
        };
        return h('form', { class: 'stack', onsubmit: submit }, h('h3', { class: 'section' }, t('settings.password')),
            h('input', { type: 'text', class: 'sr', autocomplete: 'username', value: this.#session.me, tabindex: -1, readonly: true, 'aria-hidden': 'true' }),
            old, fresh, error, h('button', { class: 'soft' }, t('settings.password.set')));
    }

    async #loadDevices() {
        const answer = await this.#session.ask('devices', {}, true);
        this.#parts.devices.replaceChildren(...(answer?.devices ?? []).map(row => this.#device(row)));
    }

    #device({ device, seen, online, current }) {
        const name = withoutBidi(device || t('settings.device.default'));
        const state = current ? t('settings.device.this') : online ? t('peer.online') : seen ? t('peer.seen', { time: ago(seen, locale()) }) : '';
        const forget = async () => {
            const sure = await ask({ title: t('settings.device.sure', { device: name }), text: t('settings.device.what'), ok: t('settings.device.forget'), danger: true });
            if (sure && await this.#session.ask('devices', { device, forget: true })) await this.#loadDevices();
        };
        return h('li', { class: 'member-row' }, h('span', { class: 'device-icon' }, icon('device')),
            h('span', { class: 'two-lines' }, h('bdi', { class: 'member-name' }, name), h('span', { class: 'label' }, state)),
            current || !device ? null : iconButton('close', t('settings.device.forget.one', { device: name }), { onclick: forget }));
    }

    #blocked(ids) {
        if (ids.length === 0) return [];
        return [h('h3', { class: 'section' }, t('settings.blocked')), h('ul', { class: 'members' }, ids.map(id => h('li', { class: 'member-row' },
            h('bdi', { class: 'member-name' }, id), h('button', { type: 'button', class: 'quiet', onclick: () => this.#session.block(id, false) }, t('block.off')))))];
    }
}
