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

function field(name, label, hint, value) {
    const error = h('p', { class: 'field-error', id: `${name}-error`, role: 'alert' });
    const input = h('input', {
        id: name, name, value, placeholder: hint, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', maxlength: 64,
        enterkeyhint: name === 'me' ? 'next' : 'go', 'aria-describedby': error.id, 'data-focus': name, dir: 'auto', required: true,
    });
    const complain = text => {
        error.textContent = text;
        if (text) input.setAttribute('aria-invalid', 'true');
        else input.removeAttribute('aria-invalid');
    };
    input.addEventListener('input', () => complain(''));
    return { input, complain, row: h('div', { class: 'field' }, h('label', { for: name }, label), input, error) };
}

/* The entry page. `values` { me, peer } fills it in, and onstart({ me, peer }) is told when both are good. `error`: what
 * the server said about the last attempt. */
export function loginView({ values, error, onstart, onlang }) {
    const me = field('me', t('login.me'), t('login.me.hint'), values.me ?? '');
    const peer = field('peer', t('login.peer'), t('login.peer.hint'), values.peer ?? '');

    // Returns the id, or complains.
    const read = ({ input, complain }, empty) => {
        const id = parseId(input.value);
        if (id === null) complain(t(input.value.trim() === '' ? empty : 'login.bad'));
        return id;
    };

    const submit = event => {
        event.preventDefault();
        const ids = { me: read(me, 'login.empty.me'), peer: read(peer, 'login.empty.peer') };
        if (ids.me && ids.peer && key(ids.me) === key(ids.peer)) {
            ids.peer = null;
            peer.complain(t('login.same'));
        }
        if (ids.me === null) me.input.focus();
        else if (ids.peer === null) peer.input.focus();
        else onstart(ids);
    };

    if (error) me.complain(error);
    const node = h('main', { class: 'login' },
        h('div', { class: 'login-top' }, langSwitch(onlang)),
        h('div', { class: 'login-stage' },
            peekingCat(),
            h('form', { class: 'login-card', novalidate: true, onsubmit: submit },
                h('h1', {}, t('login.welcome')),
                h('p', { class: 'tagline' }, t('login.tagline')),
                me.row,
                peer.row,
                h('button', { class: 'primary', 'data-focus': 'start' }, t('login.start')))));
    return {
        node,
        title: t('app.name'),
        values: () => ({ me: me.input.value, peer: peer.input.value }),
        focus: () => (me.input.value && !error ? (peer.input.value ? node.querySelector('.primary') : peer.input) : me.input).focus(),
        close() {},
    };
}
