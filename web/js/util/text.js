const ID = /^(?!\p{M})(?:(?!\p{Default_Ignorable_Code_Point})[\p{L}\p{M}\p{Nd}._-])+$/u;
const ID_POINTS = 32;
const encoder = new TextEncoder();

// Ids are compared without regard to case (the server folds; lower case never joins two ids that it keeps apart).
export function key(id) {
    return id.normalize('NFC').toLowerCase();
}

// The id as the server will know it, or null if it cannot be one. The server has the last word.
export function parseId(input) {
    const id = input.trim().normalize('NFC');
    return ID.test(id) && [...id].length <= ID_POINTS ? id : null;
}

export function isGroup(id) {
    return id.startsWith('#');
}

// A user's id or a group's name (#name), as the server will know it, or null.
export function parseConv(input) {
    const text = input.trim();
    const id = parseId(isGroup(text) ? text.slice(1) : text);
    return id !== null && isGroup(text) ? `#${id}` : id;
}

// What may go into a JSON string on the wire: no NUL, no lone surrogates, no blank tail.
export function sendable(text) {
    return text.replace(/\0/g, '').replace(/\p{Surrogate}/gu, '\ufffd').trimEnd();
}

export function byteLength(text) {
    return encoder.encode(text).length;
}

// Random hex; works on plain http pages too, where crypto.randomUUID does not exist.
export function randomId(bytes = 16) {
    return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), b => b.toString(16).padStart(2, '0')).join('');
}

// A small stable number for a name, to give everybody a colour.
export function tone(id, count) {
    let sum = 0;
    for (const c of key(id)) sum = (sum * 31 + c.codePointAt(0)) >>> 0;
    return sum % count;
}

// One character that stands for a name, as people count characters. Chinese names differ in their last one.
export function initial(name) {
    const id = name.replace(/^#/, '');
    const characters = globalThis.Intl?.Segmenter ? Array.from(new Intl.Segmenter().segment(id), s => s.segment) : [...id];
    return (/\p{Script=Han}$/u.test(id) ? characters.at(-1) : characters[0]) ?? '';
}

const LINK = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\p{Bidi_Control}，。！？；：、）】》」』]+/giu;
const LINK_TAIL = /[.,!?;:)\]}]+$/;

// Splits text into plain strings and { url } for the web addresses in it.
export function linkParts(text) {
    const parts = [];
    let at = 0;
    for (const match of text.matchAll(LINK)) {
        const url = match[0].replace(LINK_TAIL, '');
        if (match.index > at) parts.push(text.slice(at, match.index));
        parts.push({ url });
        at = match.index + url.length;
    }
    if (at < text.length) parts.push(text.slice(at));
    return parts;
}

const BIDI = /(\p{Bidi_Control})/u;

function codeName(c) {
    return `U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

// The text with the names of the characters that would put what stands around them in another order, instead of these.
export function withoutBidi(text) {
    return text.split(BIDI).map((part, i) => (i % 2 ? codeName(part) : part)).join('');
}

// Splits text as linkParts() does, and gives { control } for each of those characters.
export function textParts(text) {
    return linkParts(text).flatMap(part => (part.url
        ? part
        : part.split(BIDI).map((piece, i) => (i % 2 ? { control: codeName(piece) } : piece)).filter(piece => piece !== '')));
}

const NAME = /[@＠]([\p{L}\p{M}\p{Nd}._-]+)/gu;
const ALL = ['all', '所有人'];

// Splits text into plain strings and { mention, text } where an '@' names one of ids ('*' is everybody). The longest
// beginning of what follows the '@' counts, so that @小明你好 is 小明.
export function mentionParts(text, ids) {
    const names = new Map(ids.filter(id => id !== '*').map(id => [key(id), id]));
    if (ids.includes('*')) for (const word of ALL) names.set(word, '*');
    const parts = [];
    let at = 0;
    for (const match of names.size ? text.matchAll(NAME) : []) {
        if (match.index > 0 && /[\p{L}\p{Nd}]$/u.test(text.slice(0, match.index)) && !/\p{Script=Han}$/u.test(text.slice(0, match.index))) continue;
        const points = [...match[1]];
        let length = points.length;
        while (length > 0 && !names.has(key(points.slice(0, length).join('')))) length--;
        if (length === 0) continue;
        const found = match[0].slice(0, 1) + points.slice(0, length).join('');
        if (match.index > at) parts.push(text.slice(at, match.index));
        parts.push({ mention: names.get(key(found.slice(1))), text: found });
        at = match.index + found.length;
    }
    if (at < text.length) parts.push(text.slice(at));
    return parts;
}

// Splits text into plain strings and { mark } for each place where one of the words stands.
export function markParts(text, words) {
    const wanted = words.filter(Boolean).map(word => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    if (wanted.length === 0) return [text];
    return text.split(new RegExp(`(${wanted.join('|')})`, 'giu')).map((part, i) => (i % 2 ? { mark: part } : part)).filter(part => part !== '');
}

// One line of at most `most` characters, for lists and quotes.
export function oneLine(text, most) {
    const points = [...withoutBidi(text.slice(0, 4 * most).replace(/\s+/g, ' ').trim())];
    return points.length > most ? `${points.slice(0, most).join('')}…` : points.join('');
}
