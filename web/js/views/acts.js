import { t } from '../i18n/index.js';
import { may } from '../state/rights.js';
import { ask } from './dialog.js';
import { openEmoji, QUICK } from './emoji.js';
import { openMenu } from './menu.js';
import { report } from './person.js';

/* What one can do with a message. hooks: onreply(message), onedit(message), onjump(seq), onperson(id). */
export function messageActs(session, conv, { onreply, onedit, onjump, onperson }) {
    const writes = () => !conv.group || may(conv.role, 'send');
    const react = (message, emoji, on) => session.attempt(session.changes.react(message, emoji, on));
    const given = (message, emoji) => Boolean(message.reactions?.find(row => row.emoji === emoji)?.mine);
    const toggle = message => emoji => react(message, emoji, !given(message, emoji));
    const emoji = (message, anchor) => openEmoji(anchor, toggle(message));

    const remove = (message, forWhom) => async () => {
        const sure = await ask({ title: t(`msg.delete.${forWhom}`), text: t(`msg.delete.what.${forWhom}`), ok: t('msg.delete'), danger: true });
        if (sure) await session.attempt(session.changes.remove(message, forWhom));
    };

    function items(message, anchor) {
        const { own, deleted } = message;
        const canAll = !deleted && (own || (conv.group && may(conv.role, 'deleteAny')));
        return [
            !deleted && writes() && { label: t('msg.reply'), icon: 'reply', onpick: () => onreply(message) },
            !deleted && writes() && { label: t('react.more'), icon: 'smile', onpick: () => emoji(message, anchor) },
            !deleted && navigator.clipboard && { label: t('msg.copy'), icon: 'copy', onpick: () => navigator.clipboard.writeText(message.text) },
            !deleted && own && writes() && { label: t('msg.edit'), icon: 'edit', onpick: () => onedit(message) },
            !own && { label: t('report.title'), icon: 'flag', onpick: () => report(session, { user: message.from, conv: conv.id, seq: message.seq }) },
            { label: t('msg.delete.me'), icon: 'bin', danger: true, onpick: remove(message, 'me') },
            canAll && { label: t('msg.delete.all'), icon: 'bin', danger: true, onpick: remove(message, 'all') },
        ].filter(Boolean);
    }

    function menu(message, anchor) {
        const quick = message.deleted || !writes() ? [] : QUICK.map(text => ({ label: text, text, onpick: () => toggle(message)(text) }));
        openMenu(anchor, { label: t('msg.more'), quick, items: items(message, anchor) });
    }

    return {
        menu, emoji, react, reply: message => writes() && onreply(message), jump: onjump, person: onperson, retry: cid => session.retry(cid), discard: cid => session.discard(cid),
    };
}
