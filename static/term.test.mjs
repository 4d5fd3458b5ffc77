// The terminal's protocol, keys, paste and colours in Node: no browser, no network, a clock of its own.
import assert from 'node:assert/strict';
import { register } from 'node:module';
import { describe, it } from 'node:test';

import { Link, backOff, decode, encode } from './term-link.mjs';
import { TEXT, THEMES } from './term-look.mjs';

// The built page has xterm.js beside term.mjs; here an empty stand-in lets the module load.
register(`data:text/javascript,${encodeURIComponent(`
  export const resolve = (name, context, next) => /xterm|addon/.test(name)
    ? { url: 'data:text/javascript,export class Terminal{} export class FitAddon{} '
        + 'export class WebLinksAddon{}', shortCircuit: true }
    : next(name, context);
`)}`);
const { cleanPaste, shortcutOf } = await import('./term.mjs');

const HELLO = 3;
const utf8 = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);

/** A frame of the server's, written with the code of the page's side turned round. */
const data = (seq, string) => encode(0, seq, utf8(string)).buffer;
const number = (kind, seq) => encode(kind, seq).buffer;
const hello = (mayType, seq) => {
  const frame = encode(HELLO, 0, [0]);
  frame.set(encode(mayType ? 1 : 0, seq), 1);
  return frame.buffer;
};
const exit = (status) => {
  const view = new DataView(new ArrayBuffer(5));
  view.setUint8(0, 2);
  view.setInt32(1, status);
  return view.buffer;
};

/** What the page sent, as objects. */
function sent(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kind = { 0x10: 'data', 0x11: 'resize', 0x12: 'ack', 0x13: 'resume' }[bytes[0]];
  if (kind === 'resize') return { kind, columns: view.getUint16(1), rows: view.getUint16(3) };
  const seq = Number(view.getBigUint64(1));
  return kind === 'data' ? { kind, seq, text: text(bytes.subarray(9)) } : { kind, seq };
}

class FakeSocket {
  frames = [];
  send(bytes) { this.frames.push(sent(bytes)); }
  close(code) { this.closed = code; }
  hear(frame) { this.onmessage({ data: frame }); }
  of(kind) { return this.frames.filter((frame) => frame.kind === kind); }
}

/** A link with its sockets, screen and clock in the test's hands. */
function desk({ draws = true } = {}) {
  const desk = { sockets: [], screen: '', undrawn: [], statuses: [], full: 0, timers: new Map() };
  let timer = 0;
  desk.link = new Link({
    connect: () => (desk.sockets.push(new FakeSocket()), desk.sockets.at(-1)),
    terminal: {
      write: (bytes, drawn) => {
        desk.screen += text(bytes);
        if (draws) drawn(); else desk.undrawn.push(drawn);
      },
      reset: () => { desk.screen = ''; },
    },
    onStatus: (status) => desk.statuses.push(status),
    onFull: () => { desk.full += 1; },
    clock: {
      random: () => 0.5,
      setTimeout: (then, msec) => (desk.timers.set(timer += 1, { then, msec }), timer),
      clearTimeout: (id) => desk.timers.delete(id),
    },
  });
  desk.tick = () => {
    const due = [...desk.timers.values()];
    desk.timers.clear();
    due.forEach(({ then }) => then());
    return due.map(({ msec }) => msec);
  };
  desk.join = (mayType = true, seq = 0) => {
    if (desk.sockets.length === 0) desk.link.open(); else desk.tick();
    desk.socket = desk.sockets.at(-1);
    desk.socket.onopen({});
    desk.socket.hear(hello(mayType, seq));
    return desk.socket;
  };
  desk.drop = (code = 1006) => desk.socket.onclose({ code });
  return desk;
}

describe('frames', () => {
  it('carry positions beyond 32 bits there and back', () => {
    for (const seq of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 40 + 7, Number.MAX_SAFE_INTEGER]) {
      assert.deepEqual(decode(data(seq, 'é中')), { kind: 'data', seq, bytes: utf8('é中') });
      assert.deepEqual(decode(number(1, seq)), { kind: 'reset', seq });
      assert.deepEqual(decode(number(4, seq)), { kind: 'inputAck', seq });
      assert.deepEqual(decode(hello(true, seq)), { kind: 'hello', mayType: true, seq });
      assert.deepEqual(sent(encode(0x12, seq)), { kind: 'ack', seq });
    }
    assert.deepEqual(decode(exit(137)), { kind: 'exit', status: 137 });
    assert.deepEqual(decode(exit(-1)), { kind: 'exit', status: -1 });
  });

  it('have the bytes that terminal.rs documents', () => {
    assert.deepEqual([...encode(0x10, 2 ** 32 + 2, utf8('a'))], [0x10, 0, 0, 0, 1, 0, 0, 0, 2, 97]);
    assert.deepEqual([...new Uint8Array(hello(true, 3))], [3, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
  });

  it('that are garbage are nothing, and never throw', () => {
    const garbage = [undefined, null, 'text', new ArrayBuffer(0), exit(1).slice(0, 4),
      number(1, 5).slice(0, 8), encode(1, 5, [1]).buffer, hello(true, 5).slice(0, 9),
      number(4, 1).slice(0, 1), number(9, 1), number(0x10, 1), new Uint8Array(9).fill(255).buffer,
      encode(0, 0).fill(255, 1).buffer];
    const { link, sockets } = desk();
    link.open();
    for (const frame of garbage) {
      assert.equal(decode(frame), null);
      sockets[0].hear(frame);
    }
    let seed = 1;
    const random = () => (seed = (seed * 48271) % 0x7fffffff) % 256;
    for (let i = 0; i < 2000; i += 1) {
      sockets.at(-1).hear(Uint8Array.from({ length: random() % 24 }, (_, at) => at ? random() : random() % 6).buffer);
    }
  });
});

describe('output', () => {
  it('is resumed without loss or doubling, wherever the line was cut', () => {
    const whole = 'seq 1 to 9: 123456789 done';
    for (let cut = 0; cut <= whole.length; cut += 1) {
      for (let again = 0; again <= cut; again += 1) {
        const d = desk();
        const first = d.join();
        assert.deepEqual(first.frames[0], { kind: 'resume', seq: 0 });
        first.hear(data(0, whole.slice(0, cut)));
        d.drop();
        const second = d.join();
        assert.deepEqual(second.frames[0], { kind: 'resume', seq: cut });
        second.hear(data(0, whole.slice(0, again))); // nothing new
        second.hear(data(again, whole.slice(again, cut + 3))); // from earlier than was asked for
        second.hear(data(again, whole.slice(again)));
        assert.equal(d.screen, whole);
      }
    }
  });

  it('of a socket that was left is not heard', () => {
    const d = desk();
    const first = d.join();
    d.drop();
    const second = d.join();
    first.hear(data(0, 'ghost'));
    first.onclose({ code: 4404 });
    second.hear(data(0, 'real'));
    assert.equal(d.screen, 'real');
    assert.equal(d.statuses.at(-1), 'live');
  });

  it('with a gap is asked for again, more slowly each time', () => {
    const d = desk();
    d.join().hear(data(0, 'abc'));
    const waits = [];
    for (let i = 0; i < 3; i += 1) {
      d.socket.hear(data(10, 'later'));
      assert.equal(d.socket.closed, 4000);
      waits.push(Math.max(...[...d.timers.values()].map(({ msec }) => msec)));
      assert.deepEqual(d.join().frames[0], { kind: 'resume', seq: 3 });
    }
    assert.ok(waits[0] < waits[1] && waits[1] < waits[2], `${waits}`);
    d.socket.hear(data(3, 'def'));
    assert.equal(d.screen, 'abcdef');
  });

  it('after a reset begins where the server says', () => {
    const d = desk({ draws: false });
    d.join().hear(data(0, 'old'));
    d.socket.hear(number(1, 2 ** 33));
    assert.equal(d.screen, '');
    d.undrawn.forEach((drawn) => drawn()); // late news of what was thrown away
    d.tick();
    assert.deepEqual(d.socket.of('ack'), []);
    d.socket.hear(data(2 ** 33, 'new'));
    assert.equal(d.screen, 'new');
    d.drop();
    assert.deepEqual(d.join().frames[0], { kind: 'resume', seq: 2 ** 33 + 3 });
  });

  it('that was thrown away by a reset is not acknowledged in place of the new', () => {
    const d = desk({ draws: false });
    d.join().hear(data(0, 'old old old'));
    d.socket.hear(number(1, 2));
    d.undrawn.shift()();
    d.tick();
    assert.deepEqual(d.socket.of('ack'), []);
  });

  it('is acknowledged when it is drawn: every 16 KiB, and when it rests', () => {
    const d = desk({ draws: false });
    d.join();
    const block = 'x'.repeat(10_000);
    d.socket.hear(data(0, block));
    d.socket.hear(data(10_000, block));
    assert.deepEqual(d.socket.of('ack'), [], 'nothing is drawn yet');
    d.undrawn.shift()();
    assert.deepEqual(d.socket.of('ack'), []);
    d.undrawn.shift()();
    assert.deepEqual(d.socket.of('ack'), [{ kind: 'ack', seq: 20_000 }]);
    d.socket.hear(data(20_000, 'y'));
    d.undrawn.shift()();
    assert.equal(d.socket.of('ack').length, 1);
    d.tick();
    assert.deepEqual(d.socket.of('ack').at(-1), { kind: 'ack', seq: 20_001 });
    d.tick();
    assert.equal(d.socket.of('ack').length, 2, 'once is enough');
  });

  it('of an earlier page is a replay until it rests and is drawn', () => {
    const d = desk({ draws: false });
    d.join(true, 7);
    d.socket.hear(data(0, 'question'));
    assert.ok(d.link.replaying);
    d.tick();
    assert.ok(d.link.replaying, 'not drawn yet');
    d.undrawn.shift()();
    assert.ok(!d.link.replaying);
    const fresh = desk();
    fresh.join(true, 0);
    assert.ok(!fresh.link.replaying, 'nobody was here before');
    const flood = desk();
    flood.join(true, 7);
    for (let at = 0; at < 300_000; at += 10_000) flood.socket.hear(data(at, 'y'.repeat(10_000)));
    assert.ok(!flood.link.replaying, 'longer than a server keeps');
  });
});

describe('input', () => {
  it('is numbered from where the server is', () => {
    const d = desk();
    d.link.open();
    assert.ok(d.link.type(utf8('early ')));
    d.socket = d.sockets[0];
    d.socket.onopen({});
    assert.deepEqual(d.socket.of('data'), []);
    d.socket.hear(hello(true, 100));
    d.link.type(utf8('ls\r'));
    assert.deepEqual(d.socket.of('data'), [
      { kind: 'data', seq: 100, text: 'early ' }, { kind: 'data', seq: 106, text: 'ls\r' }]);
  });

  it('that was not confirmed is repeated, wherever the server stands', () => {
    const typed = 'echo hello\r';
    for (let acked = 0; acked <= typed.length; acked += 1) {
      for (let written = acked; written <= typed.length; written += 1) {
        const d = desk();
        d.join(true, 50);
        for (const key of typed) d.link.type(utf8(key));
        d.socket.hear(number(4, 50 + acked));
        d.drop();
        const rest = d.join(true, 50 + written).of('data');
        const expected = typed.slice(written);
        assert.equal(rest.map((frame) => frame.text).join(''), expected);
        if (expected) assert.equal(rest[0].seq, 50 + written);
        d.link.type(utf8('!'));
        assert.equal(d.socket.of('data').at(-1).seq, 50 + typed.length);
      }
    }
  });

  it('typed while there is no server is kept', () => {
    const d = desk();
    d.join();
    d.drop();
    assert.ok(d.link.type(utf8('kept')));
    assert.deepEqual(d.join().of('data'), [{ kind: 'data', seq: 0, text: 'kept' }]);
  });

  it('is bounded, says so once, and goes on when there is room', () => {
    const d = desk();
    d.join();
    assert.ok(d.link.type(new Uint8Array(64 * 1024)));
    assert.ok(d.socket.of('data').every((frame) => frame.text.length <= 16 * 1024));
    assert.equal(d.link.room, 0);
    assert.equal(d.link.type(utf8('a')), false);
    assert.equal(d.link.type(utf8('a')), false);
    assert.equal(d.full, 1);
    d.socket.hear(number(4, 64 * 1024));
    assert.ok(d.link.type(utf8('a')));
    assert.deepEqual(d.socket.of('data').at(-1), { kind: 'data', seq: 64 * 1024, text: 'a' });
  });

  it('of somebody else moves our numbers on', () => {
    const d = desk();
    d.join();
    d.link.type(utf8('ab'));
    d.socket.hear(number(4, 9));
    d.link.type(utf8('c'));
    assert.deepEqual(d.socket.of('data').at(-1), { kind: 'data', seq: 9, text: 'c' });
  });

  it('of a viewer, a locked page or an ended program is dropped', () => {
    const viewer = desk();
    viewer.link.type(utf8('before'));
    viewer.join(false);
    assert.equal(viewer.link.type(utf8('x')), false);
    viewer.link.resize(80, 24);
    assert.deepEqual(viewer.socket.frames, [{ kind: 'resume', seq: 0 }]);
    assert.equal(viewer.statuses.at(-1), 'readonly');
    viewer.drop();
    assert.deepEqual(viewer.join(true).of('data'), [], 'what a viewer typed is not kept');
    const locked = desk();
    locked.join();
    locked.link.mute(true);
    assert.equal(locked.link.type(utf8('x')), false);
    locked.link.mute(false);
    assert.deepEqual(locked.statuses, ['connecting', 'live', 'readonly', 'live']);
    const ended = desk();
    ended.join().hear(exit(130));
    assert.equal(ended.link.type(utf8('x')), false);
  });
});

describe('the line', () => {
  it('tells its size on every socket', () => {
    const d = desk();
    d.link.resize(80.9, 0);
    assert.deepEqual(d.join().of('resize'), [{ kind: 'resize', columns: 80, rows: 1 }]);
    d.link.resize(9999, 24);
    d.drop();
    assert.deepEqual(d.join().of('resize'), [{ kind: 'resize', columns: 500, rows: 24 }]);
  });

  it('comes back after 0.3 s to 8 s, and at once when asked', () => {
    const waits = Array.from({ length: 12 }, (_, tries) => [backOff(tries, 0), backOff(tries, 1)]);
    assert.ok(waits.flat().every((wait) => wait >= 300 && wait <= 8000));
    assert.deepEqual([waits[0][1], waits[11][1]], [300, 8000]);
    assert.ok(waits[5][0] < waits[5][1], 'jitter');
    const d = desk();
    d.join();
    d.drop();
    d.link.hurry();
    assert.equal(d.sockets.length, 2);
    d.sockets[1].onclose({ code: 1006 });
    d.link.close();
    d.tick();
    assert.equal(d.sockets.length, 2, 'closed is closed');
  });

  it('ends with the program, and where there is no such terminal', () => {
    for (const code of [4401, 4404]) {
      const d = desk();
      d.join();
      d.drop(code);
      assert.equal(d.statuses.at(-1), 'gone');
      assert.deepEqual(d.tick(), [], 'no next try');
    }
    const d = desk();
    d.join().hear(exit(137));
    d.drop(1000);
    assert.deepEqual([d.statuses.at(-1), d.tick()], ['exited:137', []]);
    const restart = desk();
    restart.join();
    restart.drop(1012);
    assert.equal(restart.statuses.at(-1), 'reconnecting');
    restart.join();
    assert.equal(restart.statuses.at(-1), 'live');
  });
});

describe('keys, paste and colours', () => {
  const key = (key, mods = '', code = '') => shortcutOf({ key, code, ctrlKey: mods.includes('C'),
    shiftKey: mods.includes('S'), altKey: mods.includes('A'), metaKey: false });

  it('keep only a few keys from the shell', () => {
    const ours = [['C', 'CS'], ['V', 'CS'], ['v', 'C'], ['Insert', 'S'], ['M', 'CS'], ['F6', 'C'],
      ['Tab', ''], ['Tab', 'S']].map(([k, mods]) => key(k, mods));
    assert.deepEqual(ours,
      ['copy', 'paste', 'paste', 'paste', 'tabMode', 'leave', 'tab', 'tab']);
    const shells = [['c', 'C'], ['m', 'C'], ['F6', ''], ['Insert', ''], ['d', 'C'], ['v', ''],
      ['v', 'CA'], ['Enter', '']];
    for (const [k, mods] of shells) assert.equal(key(k, mods), null, `${mods} ${k}`);
    assert.equal(key('С', 'CS', 'KeyC'), 'copy', 'a Cyrillic layout');
  });

  it('paste cannot leave bracketed paste', () => {
    assert.equal(cleanPaste('a\tb\r\n中\x1b[201~rm\x00\x9b1m'), 'a\tb\r\n中[201~rm1m');
  });

  it('both languages say the same things', () => {
    assert.deepEqual(Object.keys(TEXT.zh), Object.keys(TEXT.en));
    const said = (words) => Object.values(words).map((w) => typeof w === 'function' ? w(3, 9) : w);
    for (const words of said(TEXT.zh)) assert.match(words, /[\u4e00-\u9fff]/);
    for (const words of said(TEXT.en)) assert.doesNotMatch(words, /[\u4e00-\u9fff]/);
  });

  it('every colour is readable on its ground', () => {
    const luminance = (hex) => [1, 3, 5]
      .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    for (const [name, { background, selectionBackground, ...inks }] of Object.entries(THEMES)) {
      for (const [ink, colour] of Object.entries(inks)) {
        // The two that are the ground itself; xterm lifts black text by minimumContrastRatio.
        if (ink === 'cursorAccent' || (name === 'dark' && ink === 'black')) continue;
        const [low, high] = [luminance(colour), luminance(background)].sort((a, b) => a - b);
        assert.ok((high + 0.05) / (low + 0.05) >= 4.5, `${name} ${ink} ${colour}`);
      }
    }
  });
});
