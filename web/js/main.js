import { lang, locale, setLang, t } from './i18n/index.js';
import { greet } from './protocol/greet.js';
import { Session } from './session.js';
import { Account, tokenUser } from './session/account.js';
import { recall, remember } from './state/local.js';
import { key, parseConv, parseId } from './util/text.js';
import { ChatView } from './views/chat.js';
import { loginView } from './views/login.js';

/* One page, two views. The address bar names who talks with whom (#me=…&to=…): it fills in the entry page, and a
 * reload of a chat continues it. */
const root = document.getElementById('app');
const RESUME = 'chat'; // in this tab's storage: the chat to continue after a reload
let view = null;
let session = null;
let hello = null; // what the server said of itself
let drafts = new Map();

function socketUrl() {
    const url = new URL('/ws', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return url.href;
}

function fromAddress() {
    const named = new URLSearchParams(location.hash.slice(1) || location.search);
    const token = named.get('token') ?? undefined;
    return { me: named.get('me') ?? (token && tokenUser(token)), peer: named.get('to') ?? undefined, token };
}

function toAddress({ me, peer }) {
    history.replaceState(null, '', `${location.pathname}#${new URLSearchParams({ me, ...(peer ? { to: peer } : {}) })}`);
}

// The view before has put away what it holds when make() makes the next.
function show(make) {
    const focused = document.activeElement?.dataset?.focus;
    view?.close();
    view = make();
    document.documentElement.lang = locale();
    document.title = view.title;
    root.replaceChildren(view.node);
    const again = focused && root.querySelector(`[data-focus="${CSS.escape(focused)}"]`);
    if (again) again.focus();
    else view.focus();
}

function changeLang(rerender) {
    return code => {
        setLang(code);
        session?.client.setLang(code);
        rerender();
    };
}

function showLogin(values, error) {
    const onlang = changeLang(() => showLogin(view.values()));
    show(() => loginView({ values, error, hello, onstart: start, onlang }));
    if (hello !== null) return;
    const asking = view;
    greet(socketUrl(), lang()).then(answer => {
        hello = answer;
        if (view === asking && answer !== null) view.offer(answer);
    });
}

function showChat() {
    const hooks = { onleave: () => leave(), onresume: () => start({ me: session.me, peer: session.peer }), onlang: changeLang(showChat), onopen: entered };
    show(() => new ChatView({ session, drafts, hooks }));
}

// The chat on show is the one a reload comes back to.
function entered(peer) {
    const chat = { me: session.me, peer };
    remember('last', chat);
    remember(RESUME, chat, sessionStorage);
    toAddress(chat);
}

// peer may be missing: then nobody is chosen yet.
function start({ me, peer = null, ...secret }) {
    const before = session;
    session = new Session({ user: me, url: socketUrl(), lang: lang(), ...secret });
    before?.stop();
    session.open(peer);
    const started = session;
    session.on('status', status => session === started && ended(status, secret));
    entered(peer);
    showChat();
    session.start();
}

// What the server refused to let in comes back to the entry page.
function ended({ refused, reason, text }, { register }) {
    if (reason === 'revoked') session.account.forget();
    else if (!refused) return;
    hello = session.client.hello ?? hello;
    leave({ reason, text }, register);
}

// error: why the server ended it; without one the user wants to go, and signs out.
function leave(error, register) {
    const values = { me: session.me, peer: session.peer ?? undefined, register };
    const left = session;
    session = null;
    drafts = new Map();
    remember(RESUME, undefined, sessionStorage);
    showLogin(values, error);
    left.stop({ signOut: !error && left.account.signedIn });
}

function begin() {
    const { token, ...named } = fromAddress();
    if (token && parseId(named.me ?? '')) return start({ ...named, token });
    const resume = recall(RESUME, null, sessionStorage);
    const last = recall('last', {});
    const same = chat => chat && [['me', named.me], ['peer', named.peer]].every(([k, id]) => id === undefined || key(id) === key(chat[k] ?? ''));
    const good = chat => same(chat) && parseId(chat.me ?? '') && (!chat.peer || parseConv(chat.peer));
    if (good(resume)) return start(resume);
    if (good(last) && Account.remembered(last.me)) return start(last);
    showLogin({ me: named.me ?? last?.me, peer: named.peer ?? (named.me === undefined && parseId(last?.peer ?? '') ? last.peer : undefined) });
}

window.addEventListener('hashchange', () => {
    if (!session) showLogin(fromAddress());
});
begin();
document.documentElement.dataset.ready = t('app.name');
