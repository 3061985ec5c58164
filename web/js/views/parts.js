import { lang, LANGS, langName, t } from '../i18n/index.js';
import { h, svg } from '../util/dom.js';
import { initial, tone } from '../util/text.js';

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
    swap: 'M14 5h4a1.5 1.5 0 0 1 1.5 1.5v11A1.5 1.5 0 0 1 18 19h-4M4.5 12h10M8 8.5L4.5 12 8 15.5',
};

export function icon(name) {
    return svg('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
        svg('path', { d: PATHS[name], 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }));
}

// Everybody is a cat: a head with two ears, a colour of their own, and their first character.
export function avatar(id) {
    return svg('svg', { class: `avatar tone-${tone(id, TONES)}`, viewBox: '0 0 40 40', 'aria-hidden': 'true', focusable: 'false' },
        svg('path', { d: 'M6.5 19L7.5 5.5L16 9.8Q20 9 24 9.8L32.5 5.5L33.5 19Q36 24.5 32.5 29.5Q28 35 20 35Q12 35 7.5 29.5Q4 24.5 6.5 19Z', 'stroke-width': 3, 'stroke-linejoin': 'round' }),
        svg('text', { x: 20, y: 27.5, 'text-anchor': 'middle', 'font-size': 15, 'font-weight': 600 }, initial(id).toUpperCase()));
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
