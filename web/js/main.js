import { lang, locale, setLang, t } from './i18n/index.js';
import { Session } from './session.js';
import { recall, remember } from './state/local.js';
import { key, parseId } from './util/text.js';
import { ChatView } from './views/chat.js';
import { loginView } from './views/login.js';

/* One page, two views. The address bar names who talks with whom (#me=…&to=…): it fills in the entry page, and a
 * reload of a chat continues it. */
const root = document.getElementById('app');
const RESUME = 'chat'; // in this tab's storage: the chat to continue after a reload
let view = null;
let session = null;
let drafts = new Map();

function socketUrl() {
    const url = new URL('/ws', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    return url.href;
}

function fromAddress() {
    const named = new URLSearchParams(location.hash.slice(1) || location.search);
    return { me: named.get('me') ?? undefined, peer: named.get('to') ?? undefined };
}

function toAddress({ me, peer }) {
    history.replaceState(null, '', `${location.pathname}#${new URLSearchParams({ me, to: peer })}`);
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
    show(() => loginView({ values, error, onstart: start, onlang }));
}

function showChat() {
    const hooks = { onleave: leave, onresume: () => start({ me: session.me, peer: session.peer }), onlang: changeLang(showChat), onopen: entered };
    show(() => new ChatView({ session, drafts, hooks }));
}

// The chat on show is the one a reload comes back to.
function entered(peer) {
    const chat = { me: session.me, peer };
    remember('last', chat);
    remember(RESUME, chat, sessionStorage);
    toAddress(chat);
}

function start({ me, peer }) {
    const before = session;
    session = new Session({ user: me, url: socketUrl(), lang: lang() });
    before?.stop();
    session.open(peer);
    session.on('status', status => status.reason === 'bad_id' && leave(status.text));
    entered(peer);
    showChat();
    session.start();
}

function leave(error) {
    const values = { me: session.me, peer: session.peer };
    const ended = session;
    session = null;
    drafts = new Map();
    remember(RESUME, undefined, sessionStorage);
    showLogin(values, typeof error === 'string' ? error : undefined);
    ended.stop();
}

function begin() {
    const named = fromAddress();
    const resume = recall(RESUME, null, sessionStorage);
    const same = resume && [['me', named.me], ['peer', named.peer]].every(([k, id]) => id === undefined || key(id) === key(resume[k]));
    if (same && parseId(resume.me) && parseId(resume.peer)) return start(resume);
    const last = recall('last', {});
    showLogin({ me: named.me ?? last?.me, peer: named.peer ?? (named.me === undefined ? last?.peer : undefined) });
}

window.addEventListener('hashchange', () => {
    if (!session) showLogin(fromAddress());
});
begin();
document.documentElement.dataset.ready = t('app.name');
