// The protocol of a terminal's WebSocket (`shared/src/terminal.rs`), from the page's side.
//
// No DOM here: `term.mjs` gives it a socket and a screen, and the tests a fake of each.

export const SUBPROTOCOL = 'vitrine.term.v1';
const ACK_BYTES = 16 * 1024;
const HELD_BYTES = 64 * 1024; // typed and not confirmed
const FRAME_BYTES = 16 * 1024; // of input in one frame; the server takes 64 KiB
const RING_BYTES = 256 * 1024; // no replay is longer (limits::TERMINAL_RING_BYTES)
const CELLS = 500; // limits::TERMINAL_CELLS
const FINAL_CLOSES = [4401, 4404]; // wire::close: nobody with this cookie, no such terminal
const GAP_CLOSE = 4000;

/** A frame to the server; a kind without bytes is only a number. */
export function encode(kind, seq, bytes = []) {
  const frame = new Uint8Array(9 + bytes.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, Math.floor(seq / 2 ** 32));
  view.setUint32(5, seq % 2 ** 32);
  frame.set(bytes, 9);
  return frame;
}

/** A frame from the server as an object with its `kind`, or null when it is none of ours. */
export function decode(frame) {
  if (!(frame instanceof ArrayBuffer) || frame.byteLength === 0) return null;
  const view = new DataView(frame);
  const length = frame.byteLength;
  const kind = view.getUint8(0);
  if (kind === 2) return length === 5 ? { kind: 'exit', status: view.getInt32(1) } : null;
  const at = kind === 3 ? 2 : 1;
  if (kind > 4 || length < at + 8 || (kind !== 0 && length !== at + 8)) return null;
  const seq = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  if (!Number.isSafeInteger(seq)) return null;
  if (kind === 0) return { kind: 'data', seq, bytes: new Uint8Array(frame, 9) };
  if (kind === 3) return { kind: 'hello', mayType: view.getUint8(1) !== 0, seq };
  return { kind: kind === 1 ? 'reset' : 'inputAck', seq };
}

/** Wait before try number `tries` (from 0), in milliseconds: 0.3 s to 8 s, with jitter. */
export function backOff(tries, random = Math.random()) {
  return Math.max(300, Math.min(8000, 300 * 2 ** tries) * (0.6 + 0.4 * random));
}

/**
 * The protocol of one terminal, over as many sockets as it takes. `connect` makes a socket;
 * `terminal` has `write(bytes, drawn)` and `reset()`. Output is never lost or doubled: `have` says
 * what came, and a socket that leaves a gap is left. Input is held until it is confirmed.
 */
export class Link {
  #connect; #terminal; #onStatus; #onFull; #clock; #timers = {}; #status = '';
  #socket = null; #live = false; #tries = 0; #gap = false; #over = false;
  #have = 0; #drawn = 0; #acked = 0; #era = 0; #replayLeft = RING_BYTES; #replayEnd = 0;
  #base = null; #held = new Uint8Array(0); #full = false; #mayType = true; #muted = false;
  #size = null;

  constructor({ connect, terminal, onStatus = () => {}, onFull = () => {}, clock = globalThis }) {
    this.#connect = connect;
    this.#terminal = terminal;
    this.#onStatus = onStatus;
    this.#onFull = onFull;
    this.#clock = clock;
  }

  get mayType() { return this.#mayType && !this.#muted && !this.#over; }

  /** How many bytes may still be typed before the server confirms some. */
  get room() { return HELD_BYTES - this.#held.length; }

  /** True while the output of an earlier page is drawn: its questions were answered then. */
  get replaying() { return this.#replayLeft > 0 || this.#drawn < this.#replayEnd; }

  open() {
    this.#tell(this.#base === null ? 'connecting' : 'reconnecting');
    const socket = this.#connect();
    const current = (then) => (event) => { if (socket === this.#socket) then(event); };
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = current(() => {
      this.#acked = this.#have; // the server counts from what we ask for
      socket.send(encode(0x13, this.#have));
    });
    socket.onmessage = current(({ data }) => this.#hear(decode(data)));
    socket.onclose = current(({ code }) => this.#lost(code));
  }

  /** Stops for good. */
  close() {
    this.#over = true;
    for (const name of Object.keys(this.#timers)) this.#stop(name);
    this.#hangUp(1000);
  }

  /** Does not wait for the next try: the network is back. */
  hurry() {
    if (!this.#timers.retry) return;
    this.#stop('retry');
    this.open();
  }

  /** Sends keys, or holds them until there is someone to send to; false when they were dropped. */
  type(bytes) {
    if (!this.mayType) return false;
    const from = this.#held.length;
    if (bytes.length > this.room) {
      if (!this.#full) this.#onFull();
      this.#full = true;
      return false;
    }
    const held = new Uint8Array(from + bytes.length);
    held.set(this.#held);
    held.set(bytes, from);
    this.#held = held;
    this.#sendHeld(from);
    return true;
  }

  resize(columns, rows) {
    this.#size = [columns, rows].map((cells) => Math.max(1, Math.min(CELLS, Math.floor(cells))));
    this.#sendSize();
  }

  /** The page's own lock, on top of what the server allows. */
  mute(on) {
    this.#muted = on;
    if (this.#live) this.#tellRole();
  }

  #hear(frame) {
    if (frame?.kind === 'data') this.#data(frame);
    if (frame?.kind === 'reset') this.#reset(frame);
    if (frame?.kind === 'hello') this.#hello(frame);
    if (frame?.kind === 'inputAck') this.#confirm(frame.seq);
    if (frame?.kind === 'exit') {
      this.#over = true;
      this.#tell(`exited:${frame.status}`);
    }
  }

  #data({ seq, bytes }) {
    const end = seq + bytes.length;
    if (seq > this.#have) return this.#leaveGap();
    if (end <= this.#have) return;
    const era = this.#era;
    const fresh = bytes.subarray(this.#have - seq);
    this.#have = end;
    this.#tries = 0;
    this.#gap = false;
    if (this.#replayLeft > 0) this.#replay(fresh.length);
    this.#terminal.write(fresh, () => { if (era === this.#era) this.#drew(end); });
  }

  #leaveGap() {
    this.#gap = true;
    this.#hangUp(GAP_CLOSE);
    this.#lost(GAP_CLOSE);
  }

  #reset({ seq }) {
    this.#era += 1; // what is still being drawn counts no more
    this.#have = this.#drawn = this.#acked = seq;
    this.#replayEnd = 0;
    this.#gap = false;
    this.#terminal.reset();
  }

  #drew(seq) {
    this.#drawn = seq;
    if (seq - this.#acked >= ACK_BYTES) this.#ack();
    else this.#start('ack', 50, () => this.#ack());
  }

  #ack() {
    this.#stop('ack');
    if (this.#drawn <= this.#acked || !this.#live) return;
    this.#acked = this.#drawn;
    this.#socket.send(encode(0x12, this.#acked));
  }

  #hello({ mayType, seq }) {
    this.#live = true;
    this.#mayType = mayType;
    if (!this.#gap) this.#tries = 0;
    if (!mayType) this.#held = new Uint8Array(0);
    if (this.#base === null && seq === 0) this.#replayLeft = 0;
    if (this.#base === null || seq < this.#base) this.#base = seq;
    this.#confirm(seq);
    this.#tellRole();
    this.#sendSize();
    this.#sendHeld(0);
    if (this.#replayLeft > 0) this.#replay(0);
  }

  // A replay is over when nothing has come for a while, or more than a server keeps, or too long.
  #replay(length) {
    const end = () => {
      this.#replayLeft = 0;
      this.#replayEnd = this.#have;
      this.#stop('quiet');
      this.#stop('late');
    };
    this.#replayLeft -= length;
    if (this.#replayLeft <= 0) return end();
    if (!this.#live) return;
    this.#stop('quiet');
    this.#start('quiet', 200, end);
    this.#start('late', 3000, end);
  }

  #confirm(seq) {
    if (this.#base === null || seq <= this.#base) return;
    this.#held = this.#held.slice(seq - this.#base);
    this.#base = seq;
    this.#full = false;
  }

  #sendHeld(from) {
    if (!this.#live || !this.mayType) return;
    for (let at = from; at < this.#held.length; at += FRAME_BYTES) {
      this.#socket.send(encode(0x10, this.#base + at, this.#held.subarray(at, at + FRAME_BYTES)));
    }
  }

  #sendSize() {
    if (!this.#live || !this.#mayType || !this.#size) return;
    const [columns, rows] = this.#size;
    this.#socket.send(Uint8Array.of(0x11, columns >> 8, columns & 255, rows >> 8, rows & 255));
  }

  #lost(code) {
    this.#live = false;
    this.#socket = null;
    this.#stop('ack');
    if (this.#over) return;
    if (FINAL_CLOSES.includes(code)) {
      this.#over = true;
      return this.#tell('gone');
    }
    this.#tell('reconnecting');
    this.#start('retry', backOff(this.#tries, this.#clock.random?.()), () => this.open());
    this.#tries += 1;
  }

  #hangUp(code) {
    const socket = this.#socket;
    this.#socket = null; // its last words are not heard
    this.#live = false;
    socket?.close(code);
  }

  #tellRole() { if (!this.#over) this.#tell(this.mayType ? 'live' : 'readonly'); }

  #tell(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.#onStatus(status);
  }

  #start(name, msec, then) {
    this.#timers[name] ??= this.#clock.setTimeout(() => {
      delete this.#timers[name];
      then();
    }, msec);
  }

  #stop(name) {
    this.#clock.clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }
}
