const DAY_MS = 86400000;
const formats = new Map();

function format(locale, name, options) {
    const id = `${locale} ${name}`;
    if (!formats.has(id)) formats.set(id, new Intl.DateTimeFormat(locale, options));
    return formats.get(id);
}

export function clock(ts, locale) {
    return format(locale, 'clock', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(ts);
}

// A day of the reader's own calendar, as something to compare.
export function dayKey(ts) {
    const d = new Date(ts);
    return `${d.getFullYear()}-${d.getMonth() + 1}-${d.getDate()}`;
}

// words: { today, yesterday }
export function dayName(ts, locale, words, now = Date.now()) {
    const day = dayKey(ts);
    if (day === dayKey(now)) return words.today;
    const noon = new Date(now).setHours(12);
    if (day === dayKey(noon - DAY_MS)) return words.yesterday;
    const thisYear = new Date(ts).getFullYear() === new Date(now).getFullYear();
    const options = { month: 'long', day: 'numeric', weekday: 'long' };
    return thisYear
        ? format(locale, 'day', options).format(ts)
        : format(locale, 'year', { ...options, year: 'numeric' }).format(ts);
}

// For lists: the time if today, else a short date.
export function shortTime(ts, locale, words, now = Date.now()) {
    const day = dayKey(ts);
    if (day === dayKey(now)) return clock(ts, locale);
    if (day === dayKey(new Date(now).setHours(12) - DAY_MS)) return words.yesterday;
    return format(locale, 'short', { month: 'numeric', day: 'numeric' }).format(ts);
}

export function fullTime(ts, locale) {
    return format(locale, 'full', { dateStyle: 'full', timeStyle: 'medium' }).format(ts);
}

// How long ago, in words.
export function ago(ts, locale, now = Date.now()) {
    const minutes = Math.max(1, Math.round((now - ts) / 60000));
    const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
    if (minutes < 60) return relative.format(-minutes, 'minute');
    if (minutes < 48 * 60) return relative.format(-Math.round(minutes / 60), 'hour');
    return relative.format(-Math.round(minutes / 1440), 'day');
}
