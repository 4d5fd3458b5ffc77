// Whether a page grows: its heap after a long while of ten samples a second, and whatever it
// complained of meanwhile. A table for `cargo xtask bench`.

import { launch, until } from '../harness.mjs';
import { hook, open } from '../lab.mjs';
import { Server } from '../server.mjs';
import { crowd, markSamples } from './crowd.mjs';

const MINUTES = Number(process.argv[2] ?? 30);
const GOAL_MINUTES = 30;
const SIZE = { processes: 40, groups: 10 };
const HERTZ = 10;
/** Rings that hold a minute, or two hundred entries, are full after this long. */
const WARM_MINUTES = 2;
const VIEWS = ['eyes', 'cpu', 'groups', 'uses', 'matrix'];
const LOOK_MSEC = 6000;

/** Finds the memory of the program: for `addInitScript`. */
function noteMemory() {
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const real = WebAssembly[name];
    WebAssembly[name] = async (...words) => {
      const made = await real.apply(WebAssembly, words);
      const { exports } = made.instance ?? made;
      globalThis.programMemory ??= exports.memory;
      return made;
    };
  }
}

/** To a view, however long a busy machine takes. */
const to = (page, view) => hook(page, `view-${view}`).evaluate((button) => button.click(), null, { timeout: 60_000 });

/** Goes through the views until the time is over. */
async function live(page, msec) {
  const end = Date.now() + msec;
  for (let i = 0; Date.now() < end; i += 1) {
    await to(page, VIEWS[i % VIEWS.length]);
    await page.waitForTimeout(Math.min(LOOK_MSEC, Math.max(0, end - Date.now())));
  }
}

/** JavaScript's heap without its garbage, and the program's memory, in bytes; elements and listeners. */
async function heap(page, debug) {
  await to(page, 'eyes');
  await page.waitForTimeout(500);
  for (let i = 0; i < 3; i += 1) await debug.send('HeapProfiler.collectGarbage');
  const { usedSize } = await debug.send('Runtime.getHeapUsage');
  const { nodes, jsEventListeners } = await debug.send('Memory.getDOMCounters');
  const program = await page.evaluate(() => globalThis.programMemory?.buffer.byteLength ?? 0);
  if (program === 0) throw new Error('the program’s memory was not found');
  return { script: usedSize, program, nodes, jsEventListeners };
}

const browser = await launch();
const server = await Server.start();
try {
  const { page, context, watched } = await open(server, browser, { hash: '#/', init: [markSamples, noteMemory] });
  await crowd(server, page, SIZE);
  await page.goto(`${server.origin}/#/lab?hz=${HERTZ}`);
  await page.reload();
  await until('samples', () => page.evaluate(() => globalThis.samples > 20), { msec: 20_000 });
  const debug = await context.newCDPSession(page);
  const warm = Math.min(WARM_MINUTES, MINUTES / 2);
  await live(page, warm * 60_000);
  const first = await heap(page, debug);
  const heard = await page.evaluate(() => globalThis.samples);
  await live(page, (MINUTES - warm) * 60_000);
  const last = await heap(page, debug);
  const samples = await page.evaluate(() => globalThis.samples) - heard;
  await context.close();
  const megabytes = (key) => (last[key] - first[key]) / 1e6;
  const isShort = MINUTES < GOAL_MINUTES;
  const goal = (at_most) => (isShort ? [] : [{ of: 'median', at_most }]);
  const length = `${MINUTES} minutes at ${HERTZ} Hz${isShort ? `, a SHORT run: the goal is of ${GOAL_MINUTES}` : ''}`;
  const pace = samples / ((MINUTES - warm) * 60);
  console.log(JSON.stringify({
    title: `growth of the page: ${length}`, unit: 'MB',
    rows: [
      { what: 'heap and the program’s memory together', samples: [megabytes('script') + megabytes('program')], goals: goal(2) },
      { what: 'JavaScript’s heap', samples: [megabytes('script')] },
      { what: 'the program’s memory (wasm)', samples: [megabytes('program')] },
    ],
    notes: [`After ${warm} minutes, garbage collected, ${(first.script / 1e6).toFixed(1)} MB and ${(first.program / 1e6).toFixed(1)} MB; `
      + `at the end ${(last.script / 1e6).toFixed(1)} and ${(last.program / 1e6).toFixed(1)}. ${pace.toFixed(1)} samples a second; ${VIEWS.join(', ')} in turn. `
      + `Elements ${first.nodes} → ${last.nodes}, listeners ${first.jsEventListeners} → ${last.jsEventListeners}.`],
  }));
  console.log(JSON.stringify({
    title: `complaints of the page: ${length}`, unit: 'count',
    rows: [{ what: 'console errors, refusals of the content security policy, requests elsewhere', samples: [watched.seen.length],
      goals: [{ of: 'median', at_most: 0 }] }],
    notes: watched.seen.slice(0, 5),
  }));
} finally {
  await browser.close();
  await server.stop();
}
