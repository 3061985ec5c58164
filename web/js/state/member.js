import { key } from '../util/text.js';

// Where the event does not say it.
const ROLE_AFTER = { create: 'owner', join: 'member', leave: 'none', invite: 'invited', kick: 'none', ban: 'banned', unban: 'none' };
const COUNT_CHANGE = { join: 1, leave: -1, kick: -1 };

// What the one whom a `member` event concerns is from then on; undefined where it changes nobody's role.
export function roleAfter(event) {
    return event.role ?? ROLE_AFTER[event.do];
}

// Applies a `member` event to the group as the page knows it.
export function applyMember(conv, event, me) {
    const whom = event.user ?? event.from;
    const concerns = key(whom) === key(me);
    const role = roleAfter(event);
    if (event.do === 'delete') conv.role = 'none';
    else if (concerns && role) {
        conv.role = role;
        conv.invitedBy = role === 'invited' ? event.from : null;
    }
    if (event.do === 'create') conv.members = 1;
    else conv.members = Math.max(0, conv.members + (COUNT_CHANGE[event.do] ?? 0));
    if (event.topic !== undefined && (event.do === 'create' || event.do === 'topic')) conv.topic = event.topic;
    if (event.public !== undefined || event.history !== undefined)
        conv.settings = { public: event.public ?? conv.settings?.public ?? false, history: event.history ?? conv.settings?.history ?? 'joined' };
}
