import { key } from '../util/text.js';

/* A message as the page has it: { op, conv, seq, pos, from, to, ts, text, mime, cid, reply, mentions, bot, edited,
 * deleted, reactions, own, state, asOf, rev }. state is `sent`, or for own ones that are not committed yet `sending` or
 * `failed` (then `error` says why); seq is 0 until committed. asOf is the seq of the last event that it shows the
 * effect of, and rev grows with every change. A membership change (op `member`) stands in the same list. */
export function makeMessage(event, me, asOf = event.seq) {
    const text = event.text ?? (event.mime?.startsWith('text/') ? event.body : event.mime ? `[${event.mime}]` : '');
    return { ...event, text, own: key(event.from) === key(me), state: 'sent', asOf: Math.max(asOf, event.seq), rev: 0 };
}

export function change(message, values) {
    Object.assign(message, values);
    message.rev++;
}

// Does it mention this user, by name or with everybody?
export function mentions(message, me) {
    return (message.mentions ?? []).some(id => id === '*' || key(id) === key(me));
}

export function withReaction(reactions, emoji, on, mine) {
    const list = (reactions ?? []).map(row => ({ ...row }));
    let row = list.find(r => r.emoji === emoji);
    if (!row) {
        if (!on) return list;
        row = { emoji, count: 0 };
        list.push(row);
    }
    row.count += on ? 1 : -1;
    if (mine) row.mine = on;
    return list.filter(r => r.count > 0);
}

// Applies an edit, a deletion for all or a reaction. Returns false if the message shows it already.
export function applyChange(message, event, me) {
    if (event.seq <= message.asOf) return false;
    const mine = key(event.from) === key(me);
    if (event.op === 'edit' && !event.deleted) change(message, { text: event.text, mime: undefined, mentions: event.mentions, edited: event.ts });
    else if (event.op === 'edit' || event.op === 'delete') change(message, { text: '', deleted: true, reactions: [], mentions: [] });
    else change(message, { reactions: withReaction(message.reactions, event.emoji, event.on, mine) });
    message.asOf = event.seq;
    return true;
}
