import { recall, remember } from '../state/local.js';
import { key } from '../util/text.js';

/* How a user comes in: with the token that this browser was given, with a password, as somebody new, or by id alone. */
export class Account {
    #name;
    #user;
    #secret; // { password, invite, register } as typed

    // token: given by another site, instead of the one remembered.
    constructor({ user, password, invite, register = false, token }) {
        this.#user = user;
        this.#name = `token:${key(user)}`;
        this.#secret = password ? { password, invite, register } : null;
        if (token) remember(this.#name, { token });
    }

    // Is there something to stay signed in with?
    static remembered(user) {
        const { token, expires } = recall(`token:${key(user)}`, null) ?? {};
        return typeof token === 'string' && !(expires < Date.now());
    }

    // Does leaving mean to sign out?
    get signedIn() {
        return this.#secret !== null || Account.remembered(this.#user);
    }

    // The request to come in with.
    login() {
        const user = this.#user;
        if (this.#secret) {
            const { password, invite, register } = this.#secret;
            return register ? ['register', { user, password, ...(invite ? { invite } : {}) }] : ['login', { user, password }];
        }
        return ['login', Account.remembered(user) ? { token: recall(this.#name).token } : { user }];
    }

    accepted({ token, expires }) {
        if (token) {
            remember(this.#name, { token, expires });
            this.#secret = null;
        } else if (this.#secret) this.#secret.register = false;
    }

    // Whether it is worth another try at once: a token that holds no more is forgotten.
    refused(reason) {
        if (reason !== 'bad_token' || !recall(this.#name, null)) return false;
        this.forget();
        return true;
    }

    forget() {
        remember(this.#name, undefined);
    }
}

// The user that a signed token of another site is for, or undefined. Only the server can tell whether it is genuine.
export function tokenUser(token) {
    try {
        const bytes = Uint8Array.from(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
        const { sub } = JSON.parse(new TextDecoder().decode(bytes));
        return typeof sub === 'string' ? sub : undefined;
    } catch {
        return undefined;
    }
}
