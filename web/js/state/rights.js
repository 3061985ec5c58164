/* Who may do what in a group: the server's table, for what to offer. The server decides. */
const ROLES = ['none', 'banned', 'silenced', 'invited', 'muted', 'member', 'admin', 'owner'];
const LEAST = {
    send: 'member', read: 'muted', deleteAny: 'admin', mentionAll: 'admin', invite: 'member', kick: 'admin', ban: 'admin', role: 'admin', topic: 'admin',
    set: 'owner', delete: 'owner',
};
const OUTRANKS = new Set(['kick', 'ban', 'role']);

function rank(role) {
    return ROLES.indexOf(role ?? 'none');
}

export function isMember(role) {
    return rank(role) >= rank('muted');
}

// May somebody of `role` do it (to somebody of role `target`, where it is done to somebody)?
export function may(role, action, target) {
    return rank(role) >= rank(LEAST[action]) && !(OUTRANKS.has(action) && rank(target) >= rank(role));
}

// The roles that somebody of `role` may give to somebody of role `target`.
export function mayGive(role, target) {
    if (!isMember(target) || !may(role, 'role', target)) return [];
    return ['muted', 'member', 'admin', 'owner'].filter(other => other !== target && (role === 'owner' || rank(other) < rank(role)));
}
