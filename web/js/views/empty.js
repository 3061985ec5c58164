import { t } from '../i18n/index.js';
import { h } from '../util/dom.js';
import { brand } from './parts.js';

// How to begin: a link for the other one to open.
function invitation(session, id) {
    const url = new URL(location.origin + location.pathname);
    url.hash = new URLSearchParams({ me: id, to: session.me });
    const shown = h('input', { class: 'invite-link', readonly: true, value: decodeURI(url.href), 'aria-label': t('chat.invite', { peer: id }) });
    const copied = h('span', { class: 'copied', role: 'status' });
    const copy = h('button', {
        type: 'button', class: 'soft', onclick: async () => {
            await navigator.clipboard.writeText(url.href);
            copied.textContent = t('chat.copied');
        },
    }, t('chat.copy'));
    return h('div', { class: 'invite' }, h('p', {}, t('chat.invite', { peer: id })),
        h('div', { class: 'new-row' }, shown, navigator.clipboard ? copy : null), copied);
}

// What stands where there are no messages yet.
export function emptyChat(session, conv) {
    return h('div', { class: 'empty' }, brand(), h('p', { class: 'empty-line' }, t('chat.empty')), conv.group ? null : invitation(session, conv.id));
}

// What stands where no conversation has been chosen.
export function noChat() {
    return h('div', { class: 'empty nobody' }, brand(), h('p', { class: 'empty-line' }, t('chat.none')), h('p', {}, t('chat.none.how')));
}
