// For everybody: axe-core on every view, language and theme; narrow windows; without motion; by
// keyboard alone. One page is enough: language and theme are changed in it.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, spec, startContainer } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';
import { VIEWS, leave, oneLanguage, show } from './views.mjs';

onStage();

/** Goes to each view in turn. */
async function each(page, look) {
  for (const view of VIEWS) {
    await show(page, server, view);
    await look(view.name);
    await leave(page, server, view);
  }
}

describe('for everybody', () => {
  const desks = {};
  before(async () => { desks.wide = await open(server, browser, { hash: '#/' }); });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });

  for (const lang of ['en', 'zh']) {
    for (const theme of ['light', 'dark']) {
      spec(`axe finds nothing in any view (${lang}, ${theme})`, () => desks.wide, async (page) => {
        if (!server.machineInit()) await startContainer(page);
        await page.emulateMedia({ colorScheme: theme });
        const now = () => page.evaluate(() => document.documentElement.lang.slice(0, 2));
        if (await now() !== lang) await hook(page, 'lang').click();
        await until('the language', async () => await now() === lang);
        await each(page, async (name) => {
          await axe(page, `${name}, ${lang}, ${theme}`);
          await fits(page, name);
          await oneLanguage(page, lang, name);
        });
      });
    }
  }

  for (const width of [320, 390]) {
    before(async () => {
      desks[width] = await open(server, browser, { viewport: { width, height: 800 }, hash: '#/lab', reducedMotion: 'reduce' });
    });
    spec(`nothing is wider than ${width} px, nor moves for who wants no motion`, () => desks[width], async (page) => {
      await each(page, async (name) => {
        await fits(page, `${name} at ${width}`);
        if (width === 320 && name === 'eyes') await axe(page, `${name} at ${width}`);
        await until(`${name} stands still`, () => page.evaluate(() =>
          document.getAnimations().every(({ playState }) => playState !== 'running')), { msec: 1000 });
      });
    });
  }

  before(async () => { desks.keys = await open(server, browser, { hash: '#/lab' }); });
  spec('every control is reached by Tab, and is seen to be', () => desks.keys, async (page) => {
    await each(page, async (name) => {
      const { missed, unseen } = await walk(page);
      assert.deepEqual(missed, [], `${name}: never reached`);
      assert.deepEqual(unseen, [], `${name}: reached, but nothing shows it`);
    });
  });
});

/** Tabs through the page once; what was not reached, and where no focus was to be seen. */
async function walk(page) {
  // What takes part: what can be used now. Of radio buttons and of rows with one tab stop, that one.
  const all = await page.evaluate(() => {
    const modal = document.querySelector('dialog[open]');
    document.activeElement?.blur();
    const controls = [...(modal ?? document).querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')];
    const takesPart = (one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true })
      && !one.closest('[inert]') && !(one.type === 'radio' && !one.checked);
    globalThis.unreached = new Set(controls.filter(takesPart));
    return globalThis.unreached.size;
  });
  const unseen = [];
  for (let i = 0; i < all + 8; i += 1) {
    await page.keyboard.press('Tab');
    const here = await page.evaluate(() => {
      const one = document.activeElement;
      globalThis.unreached.delete(one);
      if (one === document.body) return { left: globalThis.unreached.size };
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
      const isSeen = (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none'
        || one.className.includes('xterm') || one.querySelector('.is-active') !== null;
      return { left: globalThis.unreached.size, isSeen, what: one.outerHTML.slice(0, 120), isTerminal: one.className.includes('xterm') };
    });
    if (here.isSeen === false) unseen.push(here.what);
    // Tab belongs to the shell, until this key says otherwise.
    if (here.isTerminal) await page.keyboard.press('Control+Shift+M');
    if (here.left === 0) break;
  }
  const missed = await page.evaluate(() =>
    [...globalThis.unreached].filter((one) => one.isConnected && one.checkVisibility()).map((one) => one.outerHTML.slice(0, 120)));
  return { missed, unseen };
}
