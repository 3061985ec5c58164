const WAIT_MS = 5000;

/* Asks the server what it is like before anybody logs in: resolves with its `hello`, or null. */
export function greet(url, lang) {
    return new Promise(resolve => {
        const socket = new WebSocket(url, 'im.v1');
        const end = hello => {
            clearTimeout(timer);
            resolve(hello);
            socket.close();
        };
        const timer = setTimeout(() => end(null), WAIT_MS);
        socket.onopen = () => socket.send(JSON.stringify({ op: 'hello', id: 1, v: 1, lang, agent: 'imd-web' }));
        socket.onmessage = event => {
            const hello = JSON.parse(event.data);
            end(hello.op === 'ok' ? hello : null);
        };
        socket.onclose = () => end(null);
    });
}
