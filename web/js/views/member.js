import { t } from '../i18n/index.js';
import { key, withoutBidi } from '../util/text.js';

// What a `member` event says, in the reader's words.
export function memberLine(event, session) {
    const { me, chat } = session;
    const called = (id, you) => (key(id) === key(me) ? t(you) : chat.people.name(id));
    const vars = {
        who: called(event.from, 'member.You'), whom: event.user === undefined ? '' : called(event.user, 'member.you'),
        role: event.role === undefined ? '' : t(`role.${event.role}`), topic: withoutBidi(event.topic ?? ''),
    };
    if (event.do === 'topic' && !event.topic) return t('member.topic.none', vars);
    return t(`member.${event.do}`, vars);
}
