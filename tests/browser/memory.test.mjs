// The lens of memory, processes and I/O: limits, who was killed, forks that were refused, one time
// cursor over all pictures; in both languages and themes, from 320 px to a projector.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, spec, startContainer } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

const met = (page) => hook(page, 'use-met').innerText();
const now = (page, what) => hook(page, `use-${what}-now`).innerText();

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
      await hook(page, 'use-memory-now').waitFor();
      await limit(page, 'memory-max', '24');
      await until('the limit is the kernel’s', async () => /24 MiB/.test(await now(page, 'memory')));
      await hook(page, 'eat').click();
      await until('the kill is told', async () => killed.test(await met(page)), { msec: 15_000 });
      assert.match(await hook(page, 'uses-memory').getAttribute('aria-label'), /24 MiB/);
    });

    here('a refused fork is counted and said', async (page) => {
      await limit(page, 'pids-max', '12');
      await until('the limit is there', async () => /12/.test(await now(page, 'pids')));
      await until('the bomb may be tried', () => hook(page, 'bomb').isEnabled());
      await hook(page, 'bomb').click();
      await until('it is refused', async () => refused.test(await met(page)), { msec: 15_000 });
    });

    here('one time cursor stands in every picture, and says what was used then', async (page) => {
      const box = await hook(page, 'uses-memory').boundingBox();
      await page.mouse.move(box.x + box.width - 4, box.y + box.height / 2);
      const cursors = page.locator('.uses-svg .time-cursor');
      const drawn = () => cursors.evaluateAll((all) => all.map((one) => one.getAttribute('d')).filter(Boolean));
      await until('it is in memory and in processes', async () => (await drawn()).length >= 2);
      assert.equal(new Set((await drawn()).map((d) => d.split(' ')[0])).size, 1, 'at one moment');
      const said = () => hook(page, 'use-caption').innerText();
      await until('the words', async () => /24 MiB[\s\S]*12/.test(await said()));
      await page.mouse.move(0, 0);
      await until('none without a pointer', async () => (await drawn()).length === 0);
      await hook(page, 'use-cursor').focus();
      await page.keyboard.press('End');
      await page.keyboard.press('ArrowLeft');
      await until('by keyboard too', async () =>
        /^0.5 /.test(await hook(page, 'use-cursor').getAttribute('aria-valuetext')));
      const area = () => hook(page, 'uses-pids').locator('.band').getAttribute('d');
      const still = await area();
      await page.waitForTimeout(600);
      assert.equal(await area(), still, 'and it stands still');
      await hook(page, 'use-pause').click();
      await until('it goes on', async () => await area() !== still);
    });

    here('the numbers as a table, everything readable, and it fits', async (page) => {
      await hook(page, 'use-table-open').click();
      await hook(page, 'uses-table').locator('td').first().waitFor();
      assert.match(await hook(page, 'uses-table').innerText(), /24 MiB/);
      await axe(page, `the memory lens, ${lang}`);
      await page.setViewportSize({ width: 320, height: 720 });
      await fits(page, `the lens in ${lang}`);
      const words = await hook(page, 'uses').innerText();
      assert.equal(/[\u4e00-\u9fff]/.test(words), lang === 'zh', 'one language');
    });
  });
}
