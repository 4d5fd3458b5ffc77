// Navigation to interactive, and Ctrl-C in a flood, in real Chromium: a table for `cargo xtask bench`.
//
// Interactive is the moment when the large button may be pressed: the page is mounted, the line to
// the server is open, and it has said what it is. Each load has a fresh context, so nothing is
// cached; the cookie is there already. Conditions take turns, load by load.

import { launch, until } from '../harness.mjs';
import { prompt, screen, startContainer } from '../lab.mjs';
import { Server } from '../server.mjs';

const ROUNDS = Number(process.argv[2] ?? 20);
const MBPS = 1e6 / 8;
const LOAD_MSEC = 30_000;
const CONDITIONS = [
  { what: 'plain', goals: [{ of: 'median', at_most: 300 }] },
  { what: '4× CPU slow-down, 9/3 Mbps', cpu: 4, link: { latency: 0 }, goals: [{ of: 'median', at_most: 800 }] },
  { what: 'the same, with 100 ms latency', cpu: 4, link: { latency: 100 }, goals: [] },
];

/** Notes, in milliseconds since the navigation began, when the button may be pressed. */
function noteReady() {
  const look = () => {
    if (window.readyAt === undefined
      && document.querySelector('[data-test="start"]')?.getAttribute('aria-disabled') === 'false') {
      window.readyAt = performance.now();
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
}

/** One load under a condition, in milliseconds. */
async function load(server, browser, { cpu, link }) {
  const { context, url } = await server.context(browser);
  try {
    const page = await context.newPage();
    const debug = await context.newCDPSession(page);
    if (cpu) await debug.send('Emulation.setCPUThrottlingRate', { rate: cpu });
    if (link) {
      await debug.send('Network.enable');
      await debug.send('Network.emulateNetworkConditions', {
        offline: false, latency: link.latency, downloadThroughput: 9 * MBPS, uploadThroughput: 3 * MBPS,
      });
    }
    await page.addInitScript(noteReady);
    await page.goto(url);
    return await until('the button may be pressed', () => page.evaluate(() => window.readyAt), { msec: LOAD_MSEC });
  } finally {
    await context.close();
  }
}

async function loads(server, browser) {
  const rows = CONDITIONS.map(({ what, goals }) => ({ what, goals, samples: [] }));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [i, condition] of CONDITIONS.entries()) {
      const took = await load(server, browser, condition);
      // The first round warms the server and the browser's own caches of code.
      if (round > 0) rows[i].samples.push(took);
    }
  }
  return {
    title: 'navigation → the large button may be pressed, Chromium', unit: 'ms', rows,
    notes: [`Chromium ${browser.version()}, headless; a fresh context for each load, nothing cached, conditions in turn.`],
  };
}

/** Whether the last line of the terminal is a prompt again. */
const atPrompt = async (page) => /[#$] ?$/.test(await screen(page));

async function interrupts(server, browser) {
  const { context, url } = await server.context(browser);
  const page = await context.newPage();
  await page.goto(url);
  await startContainer(page);
  const samples = [];
  for (let round = 0; round < Math.ceil(ROUNDS / 2); round += 1) {
    await prompt(page);
    await page.locator('.xterm-helper-textarea').focus();
    await page.keyboard.type('yes');
    await page.keyboard.press('Enter');
    await new Promise((then) => setTimeout(then, 600));
    const begun = performance.now();
    await page.keyboard.press('Control+c');
    await until('a prompt', () => atPrompt(page), { msec: 20_000, every: 5 });
    samples.push(performance.now() - begun);
  }
  await context.close();
  const goals = [{ of: 'median', at_most: 250 }];
  return {
    title: 'Ctrl-C in a flood, Chromium', unit: 'ms',
    rows: [{ what: '`yes` → Ctrl-C → prompt drawn', samples, goals }],
    notes: ['From the key to the prompt on the screen, the way to the browser and its polling (5 ms) included.'],
  };
}

const browser = await launch();
const server = await Server.start();
try {
  for (const table of [await loads(server, browser), await interrupts(server, browser)]) {
    console.log(JSON.stringify(table));
  }
} finally {
  await browser.close();
  await server.stop();
}
