// The terminal in a real browser, with the other end of its socket in the test's hands.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { encode } from '../../static/term-link.mjs';
import { ROOT, axe, keepPicture, launch, tellViolations, until, watch } from './harness.mjs';

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
  + "style-src-elem 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
  + "connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
const SECURE = 'http://127.0.0.1:7';
const CLASSROOM = 'http://192.168.7.7'; // plain http on a LAN: no navigator.clipboard
const NPM = 'node_modules/@xterm';
const FILES = {
  '/term.mjs': 'static/term.mjs',
  '/term-link.mjs': 'static/term-link.mjs',
  '/term-look.mjs': 'static/term-look.mjs',
  '/xterm.mjs': `${NPM}/xterm/lib/xterm.mjs`,
  '/addon-fit.mjs': `${NPM}/addon-fit/lib/addon-fit.mjs`,
  '/addon-web-links.mjs': `${NPM}/addon-web-links/lib/addon-web-links.mjs`,
  '/xterm.css': `${NPM}/xterm/css/xterm.css`,
};
const STYLE = 'html{height:100%}body{margin:0}#host{position:relative;width:720px;height:320px}'
  + '.term-hint{position:absolute;bottom:0;right:0;background:#fff;color:#1c222b}';
const BOOT = `import { create } from './term.mjs';
  const options = JSON.parse(document.body.dataset.options);
  window.seen = [];
  window.term = create({ url: '/api/term/1', theme: 'light', ...options,
    onStatus: (status) => window.seen.push(status),
    onFocusEscape: () => document.getElementById('after').focus() });
  window.term.attach(document.getElementById('host'));`;

const html = (options) => `<!doctype html><html lang="${options.lang === 'zh' ? 'zh-CN' : 'en'}">
  <head><title>terminal</title><link rel="stylesheet" href="/style.css">
  <meta name="vitrine-term-css" content="/xterm.css"></head>
  <body data-options='${JSON.stringify(options)}'><main><h1>terminal</h1>
  <div id="host"></div><button id="after">after</button></main>
  <script type="module" src="/boot.mjs"></script></body></html>`;

function serve(path, options) {
  if (path === '/') return { contentType: 'text/html; charset=utf-8', body: html(options) };
  if (path === '/style.css') return { contentType: 'text/css', body: STYLE };
  if (path === '/boot.mjs') return { contentType: 'text/javascript', body: BOOT };
  if (!(path in FILES)) return { status: 404, body: '' };
  const contentType = path.endsWith('.css') ? 'text/css' : 'text/javascript';
  return { contentType, body: readFileSync(join(ROOT, FILES[path])) };
}

/** The server's end: what it heard, and how it speaks. */
class Server {
  sockets = [];
  typed = '';
  heard = [];
  seq = 0;
  inputSeq = 0;

  accept(socket, mayType) {
    this.sockets.push(socket);
    socket.onMessage((message) => {
      const frame = Buffer.from(message);
      const seq = frame[0] === 0x11 ? 0 : Number(frame.readBigUInt64BE(1));
      if (frame[0] === 0x11) this.columns = frame.readUInt16BE(1);
      if (frame[0] === 0x10) this.typed += frame.toString('utf8', 9);
      this.heard.push({ kind: frame[0], seq, length: frame.length });
      if (frame[0] !== 0x13) return;
      const hello = Buffer.from([3, mayType ? 1 : 0, ...encode(0, this.inputSeq).subarray(1)]);
      socket.send(hello);
    });
  }

  print(bytes) {
    const chunk = Buffer.from(bytes);
    this.sockets.at(-1).send(Buffer.from(encode(0, this.seq, chunk)));
    this.seq += chunk.length;
  }

  of(kind) { return this.heard.filter((frame) => frame.kind === kind); }
}

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

/** A test with a page that shows one terminal. */
function spec(name, { origin = SECURE, mayType = true, inputSeq = 0, context = {}, ...options }, run) {
  it(name, { timeout: 30_000 }, async () => {
    const made = await browser.newContext({ viewport: { width: 800, height: 480 }, ...context });
    await tellViolations(made);
    const page = await made.newPage();
    page.setDefaultTimeout(5000);
    const watched = watch(page, origin);
    const server = new Server();
    server.inputSeq = inputSeq;
    await page.routeWebSocket('**/api/term/1', (socket) => server.accept(socket, mayType));
    await page.route('**/*', (route) => route.fulfill({
      headers: { 'content-security-policy': POLICY },
      ...serve(new URL(route.request().url()).pathname, options),
    }));
    try {
      await page.goto(`${origin}/`);
      await page.waitForFunction(() => window.seen?.some((s) => /live|readonly/.test(s)));
      await run({ page, server, context: made });
      watched.check();
    } catch (err) {
      err.message += `\npicture: ${await keepPicture(page, name)}`;
      throw err;
    } finally {
      await made.close();
    }
  });
}

const screen = (page) => page.evaluate(() => window.term.text());
const shows = (page, text) => until(`the screen shows ${text}`, async () =>
  (await screen(page)).includes(text));
const hint = (page) => page.locator('.term-hint').textContent();
const typed = (server, text) => until(`typed ${JSON.stringify(text)}`, () =>
  server.typed === text || Promise.reject(JSON.stringify(server.typed)));

/** Where the last character of a row is drawn, in pixels from the left. */
const leftOfLast = (page, row) => page.evaluate((at) => {
  const line = document.querySelectorAll('.xterm-rows > div')[at];
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  let last = null;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const bar = node.data.lastIndexOf('|');
    if (bar >= 0) last = [node, bar];
  }
  const range = document.createRange();
  range.setStart(last[0], last[1]);
  range.setEnd(last[0], last[1] + 1);
  return range.getBoundingClientRect().left;
}, row);

/** The middle of a character cell of the first row, for the mouse. */
const cell = (page, columns, column) => page.evaluate(([all, at]) => {
  const screen = document.querySelector('.xterm-screen').getBoundingClientRect();
  const line = document.querySelector('.xterm-rows > div').getBoundingClientRect();
  return [screen.left + (at + 0.5) * screen.width / all, line.top + line.height / 2];
}, [columns, column]);

describe('terminal', () => {
  spec('draws UTF-8 that was cut anywhere, and wide characters in two cells', {}, async ({ page, server }) => {
    const text = Buffer.from('容器é|\r\naaaaa|\r\n中文字符宽度对齐测试中文|\r\naaaaaaaaaaaaaaaaaaaaaaaa|\r\n');
    for (const byte of text) server.print([byte]);
    await shows(page, 'aaaaaaaaaaaaaaaaaaaaaaaa|');
    assert.equal(await screen(page), text.toString().replaceAll('\r', '').trimEnd());
    await until('rows are drawn', () => leftOfLast(page, 3));
    for (const [wide, narrow] of [[0, 1], [2, 3]]) {
      const apart = Math.abs(await leftOfLast(page, wide) - await leftOfLast(page, narrow));
      assert.ok(apart < 1.5, `row ${wide} is ${apart} px out of line`);
    }
  });

  spec('sends keys, and keeps only a few from the shell', {}, async ({ page, server }) => {
    await page.evaluate(() => window.term.focus());
    await page.keyboard.type('ls é中');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Control+c');
    await page.keyboard.press('Tab');
    await typed(server, 'ls é中\r\x03\t');
    const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className);
    assert.equal(await focused(), 'xterm-helper-textarea', 'Tab belongs to the shell');
    await page.keyboard.press('Control+F6');
    assert.equal(await focused(), 'after');
    await page.evaluate(() => window.term.focus());
    await page.keyboard.press('Control+Shift+M');
    assert.match(await hint(page), /Tab now moves/);
    await page.keyboard.press('Tab');
    assert.equal(await focused(), 'after');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Control+Shift+M');
    await page.keyboard.press('Tab');
    await typed(server, 'ls é中\r\x03\t\t');
  });

  for (const [lang, question] of [['en', /Paste 2 lines/], ['zh', /2 行/]]) {
    const context = { permissions: ['clipboard-read', 'clipboard-write'] };
    spec(`asks before it pastes lines (${lang})`, { lang, context }, async ({ page, server }) => {
      await page.evaluate(() => navigator.clipboard.writeText('one\ntwo\x1b[201~'));
      const dialog = page.locator('dialog.paste-dialog');
      await page.locator('#host').click({ button: 'right' });
      await dialog.waitFor();
      assert.match(await dialog.textContent(), question);
      await axe(page, `the paste dialog, ${lang}`);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await page.keyboard.press('Control+Shift+V');
      await dialog.waitFor();
      await page.keyboard.press('Enter');
      await typed(server, 'one\rtwo[201~');
      await page.evaluate(() => navigator.clipboard.writeText('three'));
      await page.keyboard.press('Control+v');
      await typed(server, 'one\rtwo[201~three');
    });
  }

  spec('copies and pastes in a class on plain http', { origin: CLASSROOM }, async ({ page, server }) => {
    assert.equal(await page.evaluate(() => window.isSecureContext || 'clipboard' in navigator), false);
    await page.evaluate(() => window.term.paste());
    assert.match(await hint(page), /Ctrl\+V or Shift\+Insert/);
    server.print('treasure');
    await shows(page, 'treasure');
    await page.evaluate(() => window.term.copy());
    assert.match(await hint(page), /Nothing is selected/);
    await page.mouse.dblclick(...await cell(page, server.columns, 2));
    await page.keyboard.press('Control+Shift+C');
    await until('copied', async () => /Copied/.test(await hint(page)));
    await page.keyboard.press('Shift+Insert');
    await typed(server, 'treasure');
  });

  spec('lets a viewer neither type nor answer', { mayType: false }, async ({ page, server }) => {
    await page.evaluate(() => window.term.focus());
    await page.keyboard.type('rm');
    server.print('\x1b[6n\x1b[cend');
    await shows(page, 'end');
    await until('drawn and acknowledged', () => server.of(0x12).length);
    assert.deepEqual(server.heard.filter(({ kind }) => kind === 0x10 || kind === 0x11), []);
    assert.equal(await page.evaluate(() => window.seen.at(-1)), 'readonly');
  });

  spec('answers what a program asks now, not what one asked before', { inputSeq: 5 }, async ({ page, server }) => {
    server.print('\x1b[6nold');
    await shows(page, 'old');
    await page.keyboard.press('Control+F6');
    await page.evaluate(() => window.term.focus());
    await page.keyboard.type('x');
    await typed(server, 'x');
    await until('the replay is over', async () => {
      server.print('\x1b[6n');
      return server.typed.length > 1;
    }, { every: 300 });
    assert.match(server.typed, /^x\x1b\[1;4R/);
  });

  spec('comes back by itself with nothing lost or doubled', {}, async ({ page, server }) => {
    server.print('one ');
    await shows(page, 'one');
    await server.sockets.at(-1).close({ code: 1012 });
    await page.evaluate(() => window.term.focus());
    await page.keyboard.type('while away');
    await until('a second socket', () => server.sockets.length === 2 && server.of(0x13).length === 2);
    assert.equal(server.of(0x13)[1].seq, 4);
    server.print('two');
    await shows(page, 'one two');
    await until('input is repeated', () => server.typed.endsWith('while away'));
    assert.equal(await screen(page), 'one two');
    const seen = await page.evaluate(() => window.seen);
    assert.deepEqual(seen, ['connecting', 'live', 'reconnecting', 'live']);
    await server.sockets.at(-1).close({ code: 4404 });
    await until('gone', async () => await page.evaluate(() => window.seen.at(-1)) === 'gone');
  });

  spec('acknowledges a flood as it is drawn', {}, async ({ page, server }) => {
    const line = `${'y'.repeat(78)}\r\n`;
    for (let i = 0; i < 64; i += 1) server.print(line.repeat(100));
    await until('all is acknowledged', () => server.of(0x12).at(-1)?.seq === server.seq);
    const acks = server.of(0x12).length;
    assert.ok(acks >= 4 && acks <= 33, `${acks} acknowledgements for ${server.seq} bytes`);
    await page.evaluate(() => window.term.dispose());
    assert.equal(await page.locator('.xterm').count(), 0);
  });

  spec('follows size, theme and language', {}, async ({ page, server }) => {
    await until('a first size', () => server.of(0x11).length);
    const sizes = server.of(0x11).length;
    await page.evaluate(() => window.term.setFontSize(24));
    await until('a new size', () => server.of(0x11).length > sizes);
    const ground = () => page.evaluate(() =>
      getComputedStyle(document.querySelector('.xterm-scrollable-element')).backgroundColor);
    await until('light', async () => await ground() === 'rgb(255, 255, 255)');
    await page.evaluate(() => { window.term.setTheme('dark'); window.term.setLang('zh'); });
    await until('dark', async () => await ground() === 'rgb(27, 32, 39)');
    const area = page.locator('.xterm-helper-textarea');
    assert.equal(await area.getAttribute('aria-label'), '终端');
    const about = await area.getAttribute('aria-describedby');
    assert.match(await page.locator(`#${about}`).textContent(), /Ctrl\+F6/);
  });

  spec('opens a link only after a question', {}, async ({ page, server, context }) => {
    server.print('see http://other.test/page now');
    await shows(page, 'now');
    const dialog = page.locator('dialog.paste-dialog');
    await until('the question', async () => {
      await page.mouse.move(...await cell(page, server.columns, 9));
      await page.mouse.click(...await cell(page, server.columns, 10));
      return dialog.isVisible();
    }, { every: 200 });
    assert.match(await dialog.textContent(), /http:\/\/other\.test\/page/);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(context.pages().length, 1);
  });

  for (const lang of ['en', 'zh']) {
    for (const theme of ['light', 'dark']) {
      spec(`breaks no rule of axe (${lang}, ${theme})`, { lang, theme }, async ({ page, server }) => {
        const colours = Array.from({ length: 8 }, (_, i) => `\x1b[3${i}mcolour ${i} \x1b[9${i}mbright ${i}\r\n`);
        server.print(`${colours.join('')}\x1b[38;2;250;250;250;48;2;200;30;30mtrue\x1b[0m`);
        await shows(page, 'true');
        await until('24-bit colours are drawn under the strict policy', () => page.evaluate(() =>
          [...document.querySelectorAll('.xterm-rows span')].some((span) =>
            getComputedStyle(span).backgroundColor === 'rgb(200, 30, 30)')));
        await axe(page, `the terminal, ${lang}, ${theme}`);
      });
    }
  }
});
