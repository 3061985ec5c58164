import { lang, LANGS, langName, t } from '../i18n/index.js';
import { h, svg } from '../util/dom.js';
import { initial, isGroup, tone } from '../util/text.js';

const TONES = 8;

const PATHS = {
    menu: 'M4 7h16M4 12h16M4 17h10',
    close: 'M6 6l12 12M18 6L6 18',
    send: 'M5 12h13M12.5 6l6 6-6 6',
    broom: 'M19.5 4.5l-7 7M9.5 10l4.5 4.5c-1 3-3.5 5-9 5 1-1.2 1-2 .5-3.5 1.5 0 2.5-.5 3-1.5-.7-.8-.7-2.5 1-4.5z',
    down: 'M12 5v14M6 13l6 6 6-6',
    clock: 'M12 7.5v5l3 2M12 4a8 8 0 1 1 0 16a8 8 0 0 1 0-16',
    check: 'M5 12.5l4.5 4.5L19 7.5',
    alert: 'M12 7.5v5.5M12 16.5v.01M12 4a8 8 0 1 1 0 16a8 8 0 0 1 0-16',
    checks: 'M2.5 12.5L7 17l9-9.5M11.5 16.2l.8.8 9.2-9.5',
    search: 'M10.5 4.5a6 6 0 1 1 0 12a6 6 0 0 1 0-12M15 15l4.5 4.5',
    plus: 'M12 5v14M5 12h14',
    info: 'M12 11v5.5M12 7.5v.01M12 3.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17',
    people: 'M9 5.5a3 3 0 1 1 0 6a3 3 0 0 1 0-6M3.5 19c0-3 2.2-5 5.5-5s5.5 2 5.5 5M15.5 6a2.6 2.6 0 0 1 0 5M17 14.3c2.1.6 3.5 2.3 3.5 4.7',
    reply: 'M9.5 6L4.5 11l5 5M5 11h8.5c3.5 0 6 2.3 6 7',
    edit: 'M5 19l.8-3.8L16 5l3 3L8.8 18.2z',
    bin: 'M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7M10.2 10.5v5.5M13.8 10.5v5.5',
    copy: 'M9 8.5h9.5V20H9zM15 8.5V4.5H5.5V16H9',
    smile: 'M12 3.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17M8.5 14c1.6 2.4 5.4 2.4 7 0M9.3 9.6v.01M14.7 9.6v.01',
    more: 'M5.5 12v.01M12 12v.01M18.5 12v.01',
    flag: 'M6 20.5V4.5M6 5c4-2 7 2 12 0v8.5c-5 2-8-2-12 0',
    ban: 'M12 3.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17M6 6l12 12',
    gear: 'M12 8.8a3.2 3.2 0 1 1 0 6.4a3.2 3.2 0 0 1 0-6.4M12 3v2.6M12 18.4V21M3 12h2.6M18.4 12H21M5.6 5.6l1.9 1.9M16.5 16.5l1.9 1.9M18.4 5.6l-1.9 1.9M7.5 16.5l-1.9 1.9',
    exit: 'M10 4.5H5.5v15H10M10 12h9.5M16 8l4 4-4 4',
    role: 'M12 3.5l7 2.5v5.5c0 4.5-3 7.5-7 9-4-1.5-7-4.5-7-9V6z',
    mute: 'M4.5 9.5v5H8l5 4V5.5l-5 4zM16.5 9.5l4.5 5M21 9.5l-4.5 5',
    user: 'M12 4.5a3.7 3.7 0 1 1 0 7.4a3.7 3.7 0 0 1 0-7.4M5 20c0-3.7 2.8-6 7-6s7 2.3 7 6',
    device: 'M5 5.5h14v9.5H5zM3 18.5h18',
    lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
    globe: 'M12 3.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17M3.5 12h17M12 3.5c3 2.5 3 14.5 0 17M12 3.5c-3 2.5-3 14.5 0 17',
    back: 'M14.5 5.5L8 12l6.5 6.5',
    swap: 'M14 5h4a1.5 1.5 0 0 1 1.5 1.5v11A1.5 1.5 0 0 1 18 19h-4M4.5 12h10M8 8.5L4.5 12 8 15.5',
};

export function icon(name) {
    return svg('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
        svg('path', { d: PATHS[name], 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }));
}

const HEAD = 'M6.5 19L7.5 5.5L16 9.8Q20 9 24 9.8L32.5 5.5L33.5 19Q36 24.5 32.5 29.5Q28 35 20 35Q12 35 7.5 29.5Q4 24.5 6.5 19Z';
const HOUSE = 'M8 17Q8 15.5 9.2 14.5L18 7Q20 5.5 22 7L30.8 14.5Q32 15.5 32 17V30Q32 33 29 33H11Q8 33 8 30Z';
const PICTURE = /^data:image\/(png|jpeg|webp|gif);base64,/;

/* Everybody is a cat: a head with two ears, a colour of their own, and their first character, or their picture if the
 * page may show it. A group is a house for cats. */
export function avatar(id, { name, avatar: picture } = {}) {
    const shown = PICTURE.test(picture ?? '');
    return svg('svg', { class: `avatar tone-${tone(id, TONES)}`, viewBox: '0 0 40 40', 'aria-hidden': 'true', focusable: 'false' },
        svg('path', { d: isGroup(id) ? HOUSE : HEAD, 'stroke-width': isGroup(id) ? 5 : 3, 'stroke-linejoin': 'round' }),
        shown
            ? svg('image', { href: picture, x: 3, y: 3, width: 34, height: 34, preserveAspectRatio: 'xMidYMid slice' })
            : svg('text', { x: 20, y: 27.5, 'text-anchor': 'middle', 'font-size': 15, 'font-weight': 600 }, initial(name ?? id).toUpperCase()));
}

const drawn = new WeakMap();

// An avatar with a dot for the presence, which renderFace() keeps up to date.
export function face() {
    return h('span', { class: 'avatar-frame' }, h('span', { class: 'face' }), h('span', { class: 'dot' }));
}

export function renderFace(frame, id, session) {
    const profile = session.chat.people.profile(id);
    const what = `${id} ${profile?.name ?? ''} ${profile?.avatar ?? ''}`;
    if (drawn.get(frame) !== what) frame.firstChild.replaceChildren(avatar(id, profile));
    drawn.set(frame, what);
    renderDot(frame.lastChild, id, session);
}

function renderDot(dot, id, session) {
    const state = isGroup(id) ? undefined : session.presence(id)?.state;
    dot.classList.toggle('on', state !== undefined && state !== 'offline');
    dot.hidden = isGroup(id);
    dot.dataset.state = state ?? '';
}

export function iconButton(name, label, props = {}) {
    return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, ...props }, icon(name));
}

export function botBadge() {
    return h('span', { class: 'bot', title: t('bot.what') }, t('bot'));
}

export function brand() {
    return svg('svg', { class: 'brand-mark', viewBox: '0 0 64 64', 'aria-hidden': 'true', focusable: 'false' },
        svg('path', { class: 'fur', d: 'M11 31L12.5 9.5L27 17Q32 16 37 17L51.5 9.5L53 31Q57 40 50 47.5Q43 54 32 54Q29 54 26 53.6L15 59L17 50.5Q7 43 11 31Z', 'stroke-width': 5, 'stroke-linejoin': 'round' }),
        svg('path', { class: 'ear', d: 'M16.5 24L17.2 16.5L23 20ZM47.5 24L46.8 16.5L41 20Z', 'stroke-width': 2, 'stroke-linejoin': 'round' }),
        svg('circle', { class: 'eye', cx: 23, cy: 34, r: 3.4 }),
        svg('circle', { class: 'eye', cx: 41, cy: 34, r: 3.4 }),
        svg('path', { class: 'mouth', d: 'M26.5 41.5Q29.5 45 32 41.5Q34.5 45 37.5 41.5', 'stroke-width': 2.6, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }));
}

// Two buttons, the current language pressed. onpick(code)
export function langSwitch(onpick) {
    const button = code => h('button', {
        type: 'button', lang: code === 'zh' ? 'zh-CN' : code, 'aria-pressed': String(code === lang()), 'data-focus': `lang-${code}`,
        onclick: () => code !== lang() && onpick(code),
    }, langName(code));
    return h('div', { class: 'lang-switch', role: 'group', 'aria-label': t('lang.label') }, LANGS.map(button));
}
