// Pictures of every view × language × theme × size, for people to look at:
// `node tests/browser/shots.mjs [view …]` puts them into docs/shots.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { ROOT, launch, until } from './harness.mjs';
import { ask, cpuNow, hook, open, setQuota, startContainer } from './lab.mjs';
import { Server } from './server.mjs';
import { VIEWS, leave, show } from './views.mjs';

const SIZES = [[1366, 768], [1920, 1080], [390, 844], [320, 700]];
const TO = join(ROOT, 'docs/shots');
const ONLY = process.argv.slice(2);

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

async function shoot(server, browser, lang, theme) {
  const { page, context } = await open(server, browser, { lang, theme, hash: '#/lab' });
  for (const view of VIEWS.filter(({ name }) => ONLY.length === 0 || ONLY.includes(name))) {
    for (const [width, height] of SIZES) {
      await page.setViewportSize({ width, height });
      await show(page, server, view);
      await page.waitForTimeout(view.name === 'start' ? 6000 : 900); // the figure plays; a few samples
      // xterm.js draws only what is in sight; the picture of a long page shows all of it.
      await page.locator('.xterm').scrollIntoViewIfNeeded({ timeout: 300 }).catch(() => {});
      const path = join(TO, `${view.name}-${lang}-${theme}-${width}.png`);
      await page.screenshot({ path, fullPage: width < 500 && !view.leave });
      console.log(path);
      await leave(page, server, view);
    }
  }
  await context.close();
}

mkdirSync(TO, { recursive: true });
const browser = await launch();
const server = await Server.start();
try {
  await exhibit(server, browser);
  for (const lang of ['en', 'zh']) {
    for (const theme of ['light', 'dark']) await shoot(server, browser, lang, theme);
  }
} finally {
  await browser.close();
  await server.stop();
}
