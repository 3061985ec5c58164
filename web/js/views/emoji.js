import { t } from '../i18n/index.js';
import { openMenu } from './menu.js';

export const QUICK = ['👍', '❤️', '😄', '🎉', '😮', '🙏'];
const ALL = [
    ...QUICK, '😂', '😊', '😍', '😘', '🤔', '😅', '😭', '😢', '😡', '😱', '😴', '🤗', '🥳', '😎', '🙄', '🤦', '🤷', '👎', '👌', '👏', '💪', '🤝', '✌️', '👀',
    '🔥', '✨', '💯', '✅', '❌', '❓', '❗', '⏰', '☕', '🍜', '🍻', '🎂', '🌹', '🌞', '🌙', '🐱', '🐶', '🐟', '🎁', '🚀', '📌', '📚', '💡', '💔',
];

// onpick(emoji)
export function openEmoji(anchor, onpick) {
    openMenu(anchor, { label: t('react.pick'), grid: true, quick: ALL.map(emoji => ({ label: emoji, text: emoji, onpick: () => onpick(emoji) })) });
}
