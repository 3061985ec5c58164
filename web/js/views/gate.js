import { t } from '../i18n/index.js';
import { isMember, may } from '../state/rights.js';
import { h } from '../util/dom.js';

function bar(text, ...buttons) {
    return h('div', { class: 'gate' }, h('p', {}, text), h('div', { class: 'gate-buttons' }, buttons));
}

function button(id, f, main = false) {
    return h('button', { type: 'button', class: main ? 'primary' : 'soft', onclick: f }, t(id));
}

function invitation(session, { id, invitedBy }) {
    return t('group.invited', { who: invitedBy ? session.chat.people.name(invitedBy) : t('group.somebody'), group: id });
}

/* What stands in the place of the field to write in, where one cannot write; null where one can. onremove(conv): the
 * user wants it off the list. */
export function gate(session, conv, onremove) {
    if (!conv.group) {
        if (!session.chat.people.isBlocked(conv.id)) return null;
        return bar(t('block.here', { peer: session.chat.people.name(conv.id) }), button('block.off', () => session.block(conv.id, false)));
    }
    const change = act => () => session.attempt(session.changes.group(act, conv.id));
    const leave = async () => await session.attempt(session.changes.group('leave', conv.id)) && onremove(conv);
    if (conv.role === null || may(conv.role, 'send')) return null;
    if (conv.role === 'muted') return bar(t('group.muted'));
    if (conv.role === 'invited')
        return bar(invitation(session, conv), button('group.decline', leave), button('group.accept', change('join'), true));
    const off = button('group.off', () => onremove(conv));
    if (conv.missing) return bar(t('group.missing', { group: conv.id }), off);
    if (conv.role === 'banned') return bar(t('group.banned'), off);
    return conv.settings?.public ? bar(t('group.outside'), off, button('group.join', change('join'), true)) : bar(t('group.out'), off);
}

// Which gate that is: it is drawn afresh when this changes.
export function gateKey(session, conv) {
    return [conv.key, conv.role, conv.missing, conv.settings?.public, conv.invitedBy, session.chat.people.isBlocked(conv.id), isMember(conv.role)].join(' ');
}
