// How long to wait before the next attempt: doubles up to a limit, half of it by chance, so that a thousand pages do
// not come back to a restarted server in the same instant.
export const BACKOFF_FIRST_MS = 500;
export const BACKOFF_MAX_MS = 30000;

export function backoff(attempt, random = Math.random) {
    const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 16));
    return Math.round(full / 2 + random() * (full / 2));
}
