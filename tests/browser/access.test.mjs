// For everybody: axe-core on each screen, language and theme; narrow windows; reduced motion.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, prompt, rows, spec, startContainer } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

/** The lab, with the container that the first page started. */
async function toLab(page) {
  await prompt(page);
  await until('rows', async () => (await rows(page, 'eye-host')).length > 0);
}

describe('for everybody', () => {
  for (const lang of ['en', 'zh']) {
    for (const theme of ['light', 'dark']) {
      let desk;
      const named = `${lang}, ${theme}`;
      before(async () => { desk = await open(server, browser, { lang, theme, hash: '#/' }); });
      after(async () => { await desk?.context.close(); });
      spec(`axe finds nothing: start, lab, forge (${named})`, () => desk, async (page) => {
        await until('the page is there', () => hook(page, 'start').isVisible());
        await axe(page, `start, ${named}`);
        if (server.machineInit()) await page.goto(`${server.origin}/#/lab`);
        else await startContainer(page);
        await toLab(page);
        await axe(page, `lab, ${named}`);
        await hook(page, 'another').click();
        await hook(page, 'forge-start').waitFor();
        await axe(page, `forge, ${named}`);
        const words = await page.locator('body').innerText();
        assert.equal(/[\u4e00-\u9fff]/.test(words.replace('中文', '')), lang === 'zh', 'one language');
      });
    }
  }

  for (const width of [320, 390]) {
    let desk;
    before(async () => {
      desk = await open(server, browser, { viewport: { width, height: 800 }, hash: '#/', reducedMotion: 'reduce' });
    });
    after(async () => { await desk?.context.close(); });
    spec(`nothing is wider than ${width} px`, () => desk, async (page) => {
      await until('the page is there', () => hook(page, 'start').isVisible());
      await fits(page, `start at ${width}`);
      await page.goto(`${server.origin}/#/lab`);
      await toLab(page);
      await fits(page, `lab at ${width}`);
      await axe(page, `lab at ${width}`);
      await hook(page, 'another').click();
      await hook(page, 'forge-start').waitFor();
      await fits(page, `forge at ${width}`);
    });
  }
});
