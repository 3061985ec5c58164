// Elements from data. Text goes in as text nodes only: nothing here parses markup.
const SVG = 'http://www.w3.org/2000/svg';

function fill(node, props, children) {
    for (const [name, value] of Object.entries(props)) {
        if (value === undefined || value === null || value === false) continue;
        if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
        else if (name === 'value') node.value = value;
        else node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.flat().filter(child => child !== undefined && child !== null && child !== false));
    return node;
}

// h('button', { class: 'send', onclick: f }, 'text', otherNode)
export function h(tag, props = {}, ...children) {
    return fill(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), props, children);
}

// Makes parent's children exactly `nodes`, moving as little as possible: focus, selection and scroll survive.
export function arrange(parent, nodes) {
    let at = parent.firstChild;
    for (const node of nodes) {
        if (node === at) at = at.nextSibling;
        else parent.insertBefore(node, at);
    }
    while (at) {
        const next = at.nextSibling;
        at.remove();
        at = next;
    }
}

const HIDDEN_MS = 100; // pages out of sight get no frames

// Calls f once, before the next frame, however often the returned function is called.
export function coalesce(f) {
    let frame = 0, timer = 0;
    const run = () => {
        cancelAnimationFrame(frame);
        clearTimeout(timer);
        frame = timer = 0;
        f();
    };
    return () => {
        frame ||= requestAnimationFrame(run);
        timer ||= setTimeout(run, HIDDEN_MS);
    };
}
