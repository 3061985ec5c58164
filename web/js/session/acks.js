const ACK_MS = 200;

/* Tells the server how far this device has got. Cumulative: one acknowledgement for many events. */
export class Acks {
    #client;
    #pos = null;
    #timer = 0;

    constructor(client) {
        this.#client = client;
    }

    got(pos) {
        this.#pos = pos;
        this.#timer ||= setTimeout(() => this.flush(), ACK_MS);
    }

    // What the server does not want acknowledged yet (it is still sending what came before) it will send again.
    flush() {
        clearTimeout(this.#timer);
        this.#timer = 0;
        if (this.#pos !== null) this.#client.request('ack', { pos: this.#pos }).catch(() => {});
        this.#pos = null;
    }
}
