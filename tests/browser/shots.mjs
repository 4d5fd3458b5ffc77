// Pictures of every screen × language × theme × size, for people to look at: `node tests/browser/shots.mjs`.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT, launch, until } from './harness.mjs';
import { ask, cpuNow, hook, open, prompt, rows, setQuota, startContainer } from './lab.mjs';
import { Server } from './server.mjs';

const SIZES = [[1366, 768], [1920, 1080], [390, 844]];
const TO = join(ROOT, 'docs/shots');

/** Each screen: how to get there, and when it is worth a picture. */
const SCREENS = {
  start: async (page, server) => {
    await page.goto(`${server.origin}/#/`);
    await until('the page is there', () => hook(page, 'start').isVisible());
  },
  lab: async (page, server) => {
    await page.goto(`${server.origin}/#/lab`);
    await prompt(page);
    await until('rows', async () => (await rows(page, 'eye-host')).length > 0);
  },
  matrix: async (page, server) => {
    await page.goto(`${server.origin}/#/lab`);
    await hook(page, 'view-matrix').click();
    await hook(page, 'matrix').waitFor();
    await page.locator('[data-place="0,0"]').focus();
  },
  rosetta: async (page, server) => {
    await page.goto(`${server.origin}/#/lab`);
    await hook(page, 'view-rosetta').click();
    await hook(page, 'rosetta').waitFor();
  },
  truth: async (page, server) => {
    await page.goto(`${server.origin}/#/lab`);
    await hook(page, 'view-truth').click();
    await hook(page, 'truth-own').check();
    await page.locator('[data-test="truth-top"] [data-view="own"]').waitFor();
  },
  leaks: async (page, server) => {
    await page.goto(`${server.origin}/#/lab`);
    await hook(page, 'view-leaks').click();
    await until('everything is answered', async () =>
      /\d/.test(await hook(page, 'leaks-status').innerText()));
    await page.locator('[data-test="leak-uts"] summary').click();
  },
  about: async (page) => {
    await hook(page, 'about-open').click();
    await hook(page, 'facts').waitFor();
  },
  end: async (page) => {
    await page.keyboard.press('Escape');
    await hook(page, 'end-machine').click();
    await hook(page, 'end-no').waitFor();
  },
  forge: async (page, server) => {
    await page.keyboard.press('Escape');
    await page.goto(`${server.origin}/#/lab`);
    await hook(page, 'another').click();
    await hook(page, 'forge-start').waitFor();
  },
};

/** One container with a throttled loop, for all the pictures. */
async function exhibit(server, browser) {
  const { page, context, watched } = await open(server, browser);
  await startContainer(page);
  await ask(page, 'ps');
  await hook(page, 'busy').click();
  await setQuota(page, 20_000, 100_000);
  await until('it is held', async () => Math.abs(await cpuNow(page) - 20) < 2, { msec: 10_000 });
  watched.check();
  await context.close();
}

async function shoot(server, browser, lang, theme, [width, height]) {
  const { page, context } = await open(server, browser, { lang, theme, viewport: { width, height } });
  for (const [name, go] of Object.entries(SCREENS)) {
    await go(page, server);
    await page.waitForTimeout(name === 'start' ? 7000 : 1500); // the figure plays; a few samples
    // xterm.js draws only what is in sight; the picture of a long page shows all of it.
    await page.locator('.xterm').scrollIntoViewIfNeeded({ timeout: 500 }).catch(() => {});
    const path = join(TO, `${name}-${lang}-${theme}-${width}x${height}.png`);
    await page.screenshot({ path, fullPage: width < 500 });
    console.log(path);
  }
  await context.close();
}

mkdirSync(TO, { recursive: true });
const browser = await launch();
const server = await Server.start();
try {
  await exhibit(server, browser);
  for (const lang of ['en', 'zh']) {
    for (const theme of ['light', 'dark']) {
      for (const size of SIZES) await shoot(server, browser, lang, theme, size);
    }
  }
} finally {
  await browser.close();
  await server.stop();
}
