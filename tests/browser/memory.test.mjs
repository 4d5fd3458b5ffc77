// The lens of memory, processes and I/O: limits, who was killed, forks that were refused; in both
// languages and themes, from 320 px to a projector.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, spec, startContainer } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

const met = (page) => hook(page, 'use-met').innerText();

async function limit(page, name, value) {
  await hook(page, name).fill(value);
  await page.keyboard.press('Enter');
}

for (const [lang, theme, killed, refused] of [
  ['en', 'light', /the kernel killed (dd|sh), PID \d+ of c\d+/, /fork refused \d+ ×/],
  ['zh', 'dark', /杀死了 c\d+ 里的 (dd|sh)（PID \d+）/, /\d+ 次 fork 被拒绝/],
]) {
  describe(`the memory lens, ${lang}, ${theme}`, () => {
    let desk;
    before(async () => { desk = await open(server, browser, { lang, theme, hash: '#/' }); });
    after(async () => { await desk.context.close(); });
    const here = (name, run) => spec(`${name} (${lang})`, () => desk, run);

    here('memory has its parts, and who eats too much is killed by name', async (page) => {
      await startContainer(page);
      await hook(page, 'view-uses').click();
      await hook(page, 'use-now').waitFor();
      await limit(page, 'memory-max', '24');
      await until('the limit is the kernel’s', async () =>
        /24 MiB/.test(await hook(page, 'use-now').innerText()));
      await hook(page, 'eat').click();
      await until('the kill is told', async () => killed.test(await met(page)), { msec: 15_000 });
      assert.match(await page.locator('.uses-svg').first().getAttribute('aria-label'), /24 MiB/);
    });

    here('a refused fork is counted and said', async (page) => {
      await hook(page, 'use-pids').click();
      await limit(page, 'pids-max', '12');
      await until('the limit is there', async () => /12/.test(await hook(page, 'use-now').innerText()));
      await until('the bomb may be tried', () => hook(page, 'bomb').isEnabled());
      await hook(page, 'bomb').click();
      await until('it is refused', async () => refused.test(await met(page)), { msec: 15_000 });
    });

    here('every part is readable by who cannot see it, and fits', async (page) => {
      for (const tab of ['io', 'pids', 'memory']) {
        await hook(page, `use-${tab}`).click();
        await hook(page, 'use-now').waitFor();
        await axe(page, `the memory lens, ${lang}`);
      }
      await page.locator('.uses-details summary').click();
      await page.locator('.uses-details td').first().waitFor();
      await axe(page, `the memory lens, ${lang}`);
      await page.setViewportSize({ width: 320, height: 720 });
      await fits(page, `the lens in ${lang}`);
    });
  });
}
