// What survives: a reload, the death of the web process, a flood.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { until } from './harness.mjs';
import { ask, hook, open, prompt, screen, spec, startContainer } from './lab.mjs';
import { peek } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

const LIVE = /live|已连接/;
const BACK_MSEC = 5000; // the product says 2 s; this machine may be busy
const NUMBERS = 20_000;
// Pauses twice a second, so that it still counts when the web process dies; the shell joins the
// halves of the words, so that the echo of the line is not taken for output.
const COUNT = `i=0; echo "fr""om:"; while [ $i -lt ${NUMBERS} ]; do i=$((i+1)); echo -n "$i "; `
  + '[ $((i%2000)) = 0 ] && sleep 0.3; done; echo "t""o."';

onStage();

/** Resolves when a socket that is opened from now on hears something. */
const firstFrame = (page, path) => page.waitForEvent('websocket', (socket) => path.test(socket.url()))
  .then((socket) => socket.waitForEvent('framereceived'));

describe('comes back', () => {
  let desk;
  // The line to a dying server breaks, and the browser says so on the console.
  before(async () => { desk = await open(server, browser, { allow: /WebSocket connection to/ }); });
  after(async () => { await desk?.context.close(); });
  const live = (page) => until('the page is live', async () =>
    LIVE.test(await hook(page, 'status').first().textContent()), { msec: BACK_MSEC });

  spec('after a reload, to the same shell and the same screen', () => desk, async (page) => {
    await startContainer(page);
    await ask(page, 'kept="a value"');
    const before = await screen(page);
    await page.reload();
    await until('the same screen', async () => await screen(page) === before, { msec: BACK_MSEC });
    assert.equal(await ask(page, 'echo "$kept" $$'), 'a value 1');
  });

  spec('after kill -9 of web, with nothing lost or doubled', () => desk, async (page, note) => {
    await page.locator('.xterm-helper-textarea').focus();
    await page.keyboard.type(COUNT);
    await page.keyboard.press('Enter');
    await until('it counts', async () => / 3000 /.test(await screen(page)));
    const web = server.web();
    assert.ok(web, 'a process vitrine-web');
    const answered = Promise.all([firstFrame(page, /\/api\/ws/), firstFrame(page, /\/api\/term/)]);
    const killed = Date.now();
    process.kill(web, 'SIGKILL');
    await answered;
    await live(page);
    const took = Date.now() - killed;
    note(`live again ${took} ms after kill -9`);
    assert.ok(took < BACK_MSEC, `live again after ${took} ms`);
    await until('it counted to the end', async () => /\bto\.\s/.test(await screen(page)), { msec: 30_000 });
    const text = await screen(page);
    const counted = text.slice(text.lastIndexOf('from:') + 5, text.lastIndexOf('to.'));
    const numbers = counted.trim().split(/\s+/).map(Number);
    const wrong = numbers.findIndex((number, i) => number !== i + 1);
    assert.equal(wrong, -1, `at ${wrong}: ${numbers.slice(Math.max(0, wrong - 3), wrong + 3)}`);
    assert.equal(numbers.length, NUMBERS);
    assert.notEqual(server.web(), web);
    assert.equal(await ask(page, 'echo "$kept" $$'), 'a value 1');
  });

  spec('from a flood: Ctrl-C works at once, and memory stays bounded', () => desk, async (page, note) => {
    const memory = () => Number(peek(`/proc/${server.web()}/status`).match(/VmRSS:\s*(\d+)/)[1]) / 1024;
    const before = memory();
    await page.locator('.xterm-helper-textarea').focus();
    await page.keyboard.type('yes flooding');
    await page.keyboard.press('Enter');
    await until('it floods', async () => (await screen(page)).split('flooding\n').length > 3000);
    const during = memory();
    const pressed = Date.now();
    await page.keyboard.press('Control+c');
    await prompt(page);
    const took = Date.now() - pressed;
    note(`prompt ${took} ms after Ctrl-C; web grew by ${(during - before).toFixed(1)} MiB`);
    assert.ok(took < 2000, `the prompt came ${took} ms after Ctrl-C`);
    assert.ok(during - before < 32, `web grew by ${during - before} MiB`);
    assert.equal(await ask(page, 'echo calm'), 'calm');
  });
});
