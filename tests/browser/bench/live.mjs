// A page at work, ten samples a second of 1,000 processes and 200 groups, in real Chromium: how old
// a sample is on the screen, script by frame, long tasks, and how soon a key or a click is answered.
// Tables for `cargo xtask bench`.

import { launch, until } from '../harness.mjs';
import { hook, open } from '../lab.mjs';
import { Server } from '../server.mjs';
import { FOR_A_CROWD, crowd, markSamples } from './crowd.mjs';
import { at, markToScreen, scriptByFrame, startTrace, tasks } from './trace.mjs';

const RUNS = Number(process.argv[2] ?? 3);
const SIZE = { processes: 1000, groups: 200 };
const HERTZ = 10;
/** A run looks at each of these in turn, for a minute in all. */
const VIEWS = ['eyes', 'groups', 'cpu'];
const LOOK_MSEC = 60_000 / VIEWS.length;
const SPEEDS = [
  { what: 'plain', rate: 1, script: 4 },
  { what: '4× CPU slow-down', rate: 4, script: 8 },
];
/** Event Timing tells of nothing quicker. */
const LEAST_MSEC = 16;

/** Keeps how long each key and click took until the next frame, by the browser's own count. */
function noteInputs() {
  globalThis.inputs = new Map();
  new PerformanceObserver((list) => {
    for (const { interactionId, duration } of list.getEntries()) {
      if (interactionId) globalThis.inputs.set(interactionId, Math.max(duration, globalThis.inputs.get(interactionId) ?? 0));
    }
  }).observe({ type: 'event', durationThreshold: 16, buffered: true });
}

/** A minute of looking; what the trace tells of it. */
async function look(page, browser) {
  const views = {};
  const longest = [];
  const aged = [];
  for (const view of VIEWS) {
    const stop = await startTrace(browser);
    await hook(page, `view-${view}`).click();
    await page.waitForTimeout(LOOK_MSEC);
    const trace = await stop();
    const frames = scriptByFrame(trace);
    views[view] = { cpu: at(frames.map(({ cpu }) => cpu), 0.95), wall: at(frames.map(({ wall }) => wall), 0.95) };
    longest.push(tasks(trace));
    aged.push(...markToScreen(trace, 'sample '));
  }
  const most = (clock) => Math.max(...longest.map((one) => one[clock].longest));
  return { views, aged: at(aged, 0.95), samples: aged.length / 60, longest: { cpu: most('cpu'), wall: most('wall') } };
}

/** Keys and clicks in every view; the 95th percentile of how long they took. */
async function input(page) {
  await page.evaluate(() => globalThis.inputs.clear());
  let made = 0;
  const press = async (key, times) => {
    for (let i = 0; i < times; i += 1) { await page.keyboard.press(key); await page.waitForTimeout(60); made += 1; }
  };
  const click = async (target) => { await target.click(); await page.waitForTimeout(150); made += 1; };
  for (const view of ['groups', 'cpu', 'uses', 'rosetta', 'eyes']) await click(hook(page, `view-${view}`));
  await hook(page, 'quota-slider').focus();
  await press('ArrowRight', 5);
  await hook(page, 'view-groups').focus();
  await press('Enter', 1);
  await hook(page, 'group-grid').focus();
  for (const key of ['ArrowDown', 'PageDown', 'ArrowUp']) await press(key, 8);
  await click(hook(page, 'theme'));
  await click(hook(page, 'lang'));
  await click(hook(page, 'lang'));
  await click(hook(page, 'theme'));
  await click(hook(page, 'theme'));
  await click(hook(page, 'view-eyes'));
  const took = await page.evaluate(() => [...globalThis.inputs.values()]);
  // One that is not told of took less than the least that is.
  return at([...took, ...Array(Math.max(0, made - took.length)).fill(LEAST_MSEC)], 0.95);
}

const browser = await launch();
const server = await Server.start(FOR_A_CROWD);
try {
  const { page, context, watched } = await open(server, browser, { hash: '#/' });
  await crowd(server, page, SIZE);
  await context.close();
  const rows = { aged: [], script: [], longest: [], input: [] };
  const pace = [];
  for (const { what, rate, script } of SPEEDS) {
    const desk = await open(server, browser, { hash: `#/lab?hz=${HERTZ}`, init: [markSamples, noteInputs] });
    await until('samples', () => desk.page.evaluate(() => globalThis.samples > 20), { msec: 60_000 });
    const debug = await desk.context.newCDPSession(desk.page);
    await debug.send('Emulation.setCPUThrottlingRate', { rate });
    const runs = [];
    const inputs = [];
    for (let run = 0; run < RUNS; run += 1) {
      runs.push(await look(desk.page, browser));
      inputs.push(await input(desk.page));
    }
    desk.watched.check();
    await desk.context.close();
    pace.push(...runs.map(({ samples }) => samples));
    const goal = (at_most) => [{ of: 'median', at_most }];
    rows.aged.push({ what, samples: runs.map(({ aged }) => aged), goals: rate === 1 ? goal(150) : [] });
    for (const view of VIEWS) {
      for (const clock of ['cpu', 'wall']) {
        rows.script.push({ what: `${what}, ${view}, ${clock === 'cpu' ? 'CPU time' : 'by the clock'}`,
          samples: runs.map(({ views }) => views[view][clock]), goals: clock === 'cpu' ? goal(script) : [] });
      }
    }
    for (const clock of ['cpu', 'wall']) {
      rows.longest.push({ what: `${what}, ${clock === 'cpu' ? 'CPU time' : 'by the clock'}`,
        samples: runs.map(({ longest }) => longest[clock]), goals: clock === 'cpu' && rate === 1 ? goal(50) : [] });
    }
    rows.input.push({ what, samples: inputs, goals: rate === 1 ? goal(100) : [] });
  }
  watched.check();
  const crowded = `${SIZE.processes} processes, ${SIZE.groups} groups, ${HERTZ} Hz`;
  const got = `Samples that reached the screen, a second, at least: ${Math.min(...pace).toFixed(1)}. Chromium ${browser.version()}, headless.`;
  for (const table of [
    { title: `sample → on the screen, p95 of a minute: ${crowded}`, rows: rows.aged, notes: [got] },
    { title: `script per frame that has any, p95 of ${LOOK_MSEC / 1000} s: ${crowded}`, rows: rows.script,
      notes: ['CPU time is what the page’s main thread used: others that want the CPU do not count. Layout that script forces, and the collection of garbage, count.'] },
    { title: `the longest task of a minute: ${crowded}`, rows: rows.longest, notes: ['Three views in turn, going to them included.'] },
    { title: `key or click → next frame on the screen, p95: ${crowded}`, rows: rows.input,
      notes: [`By the browser’s Event Timing, which tells steps of 8 ms and nothing below ${LEAST_MSEC}: such count as ${LEAST_MSEC}.`] },
  ]) console.log(JSON.stringify({ unit: 'ms', ...table }));
} finally {
  await browser.close();
  await server.stop();
}
