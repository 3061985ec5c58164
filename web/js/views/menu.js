import { h } from '../util/dom.js';
import { icon } from './parts.js';

const GAP = 6; // pixels between the menu and what it belongs to

// The item above, below, before or after another one, wherever they are laid out.
function neighbour(items, from, key) {
    const at = items.indexOf(from);
    if (key === 'Home') return items[0];
    if (key === 'End') return items.at(-1);
    if (key === 'ArrowLeft') return items[(at - 1 + items.length) % items.length];
    if (key === 'ArrowRight') return items[(at + 1) % items.length];
    const here = from.getBoundingClientRect();
    const down = key === 'ArrowDown';
    const rows = items.map(item => ({ item, box: item.getBoundingClientRect() }))
        .filter(({ box }) => (down ? box.top > here.bottom - 2 : box.bottom < here.top + 2))
        .map(row => ({ ...row, far: Math.abs(row.box.top - here.top) * 100 + Math.abs(row.box.left - here.left) }))
        .sort((a, b) => a.far - b.far);
    return rows[0]?.item ?? (down ? items[0] : items.at(-1));
}

function place(dialog, anchor) {
    const box = anchor.getBoundingClientRect();
    const { width, height } = dialog.getBoundingClientRect();
    const left = Math.max(GAP, Math.min(box.right - width, innerWidth - width - GAP));
    const below = box.bottom + GAP;
    const top = below + height <= innerHeight - GAP ? below : Math.max(GAP, box.top - height - GAP);
    dialog.style.setProperty('--x', `${box.left + width <= innerWidth - GAP && box.left < innerWidth / 2 ? Math.max(GAP, box.left) : left}px`);
    dialog.style.setProperty('--y', `${top}px`);
}

/* A menu by an element: on a phone a sheet from below. Each item: { label, text?, icon?, danger?, checked?, onpick }.
 * `quick`: items that stand in a row (or rows) on top, shown by their text. */
export function openMenu(anchor, { label, quick = [], items = [], grid = false }) {
    const pick = onpick => () => {
        dialog.close();
        onpick();
    };
    const button = (item, ...content) => h('button', {
        type: 'button', role: item.checked === undefined ? 'menuitem' : 'menuitemradio', 'aria-checked': item.checked === undefined ? null : String(item.checked),
        class: item.danger ? 'danger' : null, tabindex: -1, onclick: pick(item.onpick),
    }, ...content);
    const rows = items.map(item => button(item, item.icon ? icon(item.icon) : null, h('span', {}, item.label)));
    const cells = quick.map(item => {
        const node = button(item, item.text ?? icon(item.icon));
        node.setAttribute('aria-label', item.label);
        node.title = item.label;
        return node;
    });
    const menu = h('div', { role: 'menu', 'aria-label': label, onkeydown },
        cells.length ? h('div', { role: 'group', class: grid ? 'grid' : 'quick', 'aria-label': label }, cells) : null, rows);
    const dialog = h('dialog', { class: 'popup', 'aria-label': label, onclick: event => event.target === dialog && dialog.close(), onclose: () => dialog.remove() }, menu);

    function onkeydown(event) {
        if (!['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(event.key)) return;
        event.preventDefault();
        neighbour([...cells, ...rows], document.activeElement, event.key).focus();
    }

    document.body.append(dialog);
    dialog.showModal();
    place(dialog, anchor);
    (cells[0] ?? rows[0]).focus();
    return dialog;
}
