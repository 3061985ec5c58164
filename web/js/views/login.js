import { t } from '../i18n/index.js';
import { h, svg } from '../util/dom.js';
import { key, parseId } from '../util/text.js';
import { langSwitch } from './parts.js';

// A cat that looks over the edge of the card.
function peekingCat() {
    const eye = x => svg('ellipse', { class: 'eye', cx: x, cy: 62, rx: 5, ry: 6.5 });
    const paw = x => svg('g', {},
        svg('rect', { class: 'paw', x, y: 76, width: 34, height: 25, rx: 12 }),
        svg('path', { class: 'stripe', d: `M${x + 12} 92V98M${x + 22} 92V98`, 'stroke-width': 2.6, 'stroke-linecap': 'round' }));
    return svg('svg', { class: 'peek', viewBox: '0 0 180 106', 'aria-hidden': 'true', focusable: 'false' },
        svg('path', { class: 'fur', d: 'M40 79Q38 64 42 52L45 13L74 31Q90 27 106 31L135 13L138 52Q142 64 140 79Z', 'stroke-width': 10, 'stroke-linejoin': 'round' }),
        svg('path', { class: 'ear', d: 'M52 39L53 26L64 33ZM128 39L127 26L116 33Z', 'stroke-width': 4, 'stroke-linejoin': 'round' }),
        svg('path', { class: 'stripe', d: 'M90 29V42M79 31V39M101 31V39', 'stroke-width': 5, 'stroke-linecap': 'round' }),
        eye(70), eye(110),
        svg('path', { class: 'mouth', d: 'M79 75Q85 82 90 75Q95 82 101 75', 'stroke-width': 3.6, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }),
        svg('path', { class: 'whisker', d: 'M46 70L26 66M46 77L27 79M134 70L154 66M134 77L153 79', 'stroke-width': 2.4, 'stroke-linecap': 'round' }),
        paw(30), paw(116));
}

function field(name, label, props = {}) {
    const error = h('p', { class: 'field-error', id: `${name}-error`, role: 'alert' });
    const input = h('input', {
        id: name, name, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', maxlength: 64, enterkeyhint: name === 'me' ? 'next' : 'go',
        'aria-describedby': error.id, 'data-focus': name, dir: 'auto', required: true, ...props,
    });
    const complain = text => {
        error.textContent = text;
        if (text) input.setAttribute('aria-invalid', 'true');
        else input.removeAttribute('aria-invalid');
    };
    input.addEventListener('input', () => complain(''));
    const row = h('div', { class: 'field' }, h('label', { for: name }, label), input, error);
    return { input, complain, row };
}

// Why the server did not let somebody in, and which field that is about.
const FIELDS = {
    bad_login: 'password', password_needed: 'password', weak_password: 'password', back_off: 'password', bad_token: 'password', bad_invite: 'invite', register_off: 'me', user_exists: 'me',
};

/* The entry page. `values` { me, peer, register } fills it in, and onstart({ me, peer, password?, invite?, register })
 * is told when all is good. `error` { reason, text }: what the server said about the last attempt. `hello`: what it said
 * of itself, if that is known; offer(hello) tells later. */
export function loginView({ values, error, hello = null, onstart, onlang }) {
    const me = field('me', t('login.me'), { value: values.me ?? '', placeholder: t('login.me.hint') });
    const password = field('password', t('login.password'), { type: 'password', maxlength: 1024 });
    const invite = field('invite', t('login.invite'), { maxlength: 128 });
    const peer = field('peer', t('login.peer'), { value: values.peer ?? '', placeholder: t('login.peer.hint') });
    const go = h('button', { class: 'primary', 'data-focus': 'start' });
    const other = h('button', { type: 'button', class: 'quiet other', 'data-focus': 'register', onclick: () => change({ register: !state.register }) });
    const tokens = h('p', { class: 'tagline', role: 'status' }, t('login.tokens'));
    const state = { hello, register: Boolean(values.register), asked: FIELDS[error?.reason] === 'password' };

    const accounts = () => state.hello !== null && !state.hello.auth.includes('open');
    const closed = () => accounts() && !state.hello.auth.includes('password');
    const wantsPassword = () => !closed() && (accounts() || state.register || state.asked);

    function change(values) {
        Object.assign(state, values);
        render();
    }

    function render() {
        const registers = state.hello?.register ?? 'off';
        password.row.hidden = !wantsPassword();
        password.input.autocomplete = state.register ? 'new-password' : 'current-password';
        me.input.autocomplete = wantsPassword() ? 'username' : 'off';
        invite.row.hidden = !state.register || registers !== 'invite';
        peer.row.hidden = state.register;
        peer.input.required = !wantsPassword();
        peer.row.firstChild.textContent = t(wantsPassword() ? 'login.peer.maybe' : 'login.peer');
        tokens.hidden = !closed();
        other.hidden = registers === 'off' && !state.register;
        other.textContent = t(state.register ? 'login.have' : 'login.register');
        go.textContent = t(state.register ? 'login.register.go' : wantsPassword() ? 'login.go' : 'login.start');
    }

    // Returns the id, or complains.
    const read = ({ input, complain }, empty) => {
        const id = parseId(input.value);
        if (id === null) complain(t(input.value.trim() === '' ? empty : 'login.bad'));
        return id;
    };

    // Returns the id, undefined where none is needed, or null with a complaint.
    const readPeer = () => {
        const none = peer.input.value.trim() === '';
        return peer.row.hidden || (none && wantsPassword()) ? undefined : read(peer, 'login.empty.peer');
    };

    const submit = event => {
        event.preventDefault();
        const ids = { me: read(me, 'login.empty.me'), peer: readPeer() };
        if (ids.me && ids.peer && key(ids.me) === key(ids.peer)) {
            ids.peer = null;
            peer.complain(t('login.same'));
        }
        const lacks = wantsPassword() && password.input.value === '';
        if (lacks) password.complain(t('login.empty.password'));
        if (ids.me === null) me.input.focus();
        else if (lacks) password.input.focus();
        else if (ids.peer === null) peer.input.focus();
        else onstart({ ...ids, ...(wantsPassword() ? { password: password.input.value, invite: invite.input.value.trim(), register: state.register } : {}) });
    };

    const faulty = error ? { me, password, invite }[FIELDS[error.reason] ?? 'me'] : null;
    faulty?.complain(error.text);
    render();
    const node = h('main', { class: 'login' },
        h('div', { class: 'login-top' }, langSwitch(onlang)),
        h('div', { class: 'login-stage' },
            peekingCat(),
            h('form', { class: 'login-card', novalidate: true, onsubmit: submit },
                h('h1', {}, t('login.welcome')),
                h('p', { class: 'tagline' }, t('login.tagline')),
                tokens, me.row, password.row, invite.row, peer.row, go),
            h('p', { class: 'login-other' }, other)));
    const firstEmpty = () => [me, password, invite, peer].find(({ input, row }) => !row.hidden && input.value === '');
    return {
        node,
        title: t('app.name'),
        values: () => ({ me: me.input.value, peer: peer.input.value, register: state.register }),
        offer: news => change({ hello: news }),
        focus: () => (faulty ?? firstEmpty() ?? { input: go }).input.focus(),
        close() {},
    };
}
