import { recall, remember } from '../state/local.js';
import en from './en.js';
import zh from './zh.js';

const TEXTS = { zh, en };
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
export const LANGS = Object.keys(TEXTS);

function preferred() {
    const saved = recall('lang');
    if (LANGS.includes(saved)) return saved;
    const wanted = (navigator.languages ?? [navigator.language]).map(tag => tag.toLowerCase().split('-')[0]);
    return wanted.find(tag => LANGS.includes(tag)) ?? 'en';
}

let current = preferred();

export function lang() {
    return current;
}

// For Intl and the lang attribute.
export function locale() {
    return current === 'zh' ? 'zh-CN' : 'en-GB';
}

export function setLang(next) {
    current = next;
    remember('lang', next);
}

export function langName(code) {
    return TEXTS[code]['lang.name'];
}

// The text for an id, with {name} replaced. A name written from right to left must not turn the words around it.
export function t(id, vars = {}) {
    return TEXTS[current][id].replace(/\{(\w+)\}/g, (whole, name) => {
        const value = String(vars[name] ?? whole);
        return RTL.test(value) ? `\u2068${value}\u2069` : value;
    });
}
