const BROWSERS = [['edge', /Edg/], ['firefox', /Firefox|FxiOS/], ['chrome', /Chrome|CriOS|Chromium/], ['safari', /Safari/]];
const SYSTEMS = [['android', /Android/], ['ios', /iPhone|iPad/], ['windows', /Windows/], ['mac', /Mac OS/], ['linux', /Linux/]];

// A name for this browser that its owner recognises in a list.
export function deviceName(agent, tail) {
    const find = table => table.find(([, pattern]) => pattern.test(agent))?.[0];
    return ['web', find(BROWSERS), find(SYSTEMS), tail].filter(Boolean).join('-');
}
