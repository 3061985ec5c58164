// What this browser remembers. Storage can be full, switched off or edited by hand: then the page forgets, no more.
const PREFIX = 'imd.';

export function recall(name, fallback, area = globalThis.localStorage) {
    try {
        const text = area.getItem(PREFIX + name);
        return text === null ? fallback : JSON.parse(text);
    } catch {
        return fallback;
    }
}

export function remember(name, value, area = globalThis.localStorage) {
    try {
        if (value === undefined) area.removeItem(PREFIX + name);
        else area.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
        // the page works without
    }
}
