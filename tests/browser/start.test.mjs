// The start page: alive without a server, usable by keyboard alone.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { tellViolations, until, watch } from './harness.mjs';
import { LOCALE, ask, hook, mayStart, open, prompt, screen, spec } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

const ONE_SECOND = 1000;
const TABS = 25;

onStage();

/** Notes when something that is on the page changes, in milliseconds since the navigation began. */
function noteMotion() {
  window.motion = [];
  new MutationObserver((changes) => {
    if (changes.some(({ target }) => document.body?.contains(target))) window.motion.push(performance.now());
  }).observe(document, { subtree: true, attributes: true, characterData: true });
}

/** A page whose every request to /api fails. */
async function alone(lang) {
  const context = await browser.newContext({ locale: LOCALE[lang], viewport: { width: 1366, height: 768 } });
  await tellViolations(context);
  const page = await context.newPage();
  await page.addInitScript(noteMotion);
  await page.route('**/api/**', (route) => route.abort());
  await page.routeWebSocket('**/api/**', (socket) => socket.close());
  const watched = watch(page, server.origin, /ERR_FAILED.*\/api\//);
  return { page, context, watched };
}

for (const lang of ['en', 'zh']) {
  describe(`the start page (${lang})`, () => {
    let desk;
    before(async () => { desk = await alone(lang); });
    after(async () => { await desk?.context.close(); });
    spec(`moves within a second, with no answer from a server (${lang})`, () => desk, async (page, note) => {
      const firsts = [];
      for (let load = 0; load < 3; load += 1) {
        await page.goto(`${server.origin}/`);
        const motion = () => page.evaluate(() => window.motion);
        await until('it goes on moving', async () => (await motion()).length >= 20, { msec: 6000 });
        firsts.push((await motion())[0]);
      }
      const best = Math.min(...firsts); // others use this machine too
      note(`first motion after ${firsts.map(Math.round)} ms`);
      assert.ok(best < ONE_SECOND, `first motion after ${firsts.map(Math.round)} ms`);
      assert.match(await page.title(), /\S/);
      const tag = await page.evaluate(() => document.documentElement.lang);
      assert.equal(tag, { en: 'en', zh: 'zh-CN' }[lang]);
    });
  });
}

describe('by keyboard alone', () => {
  let desk;
  before(async () => { desk = await open(server, browser); });
  after(async () => { await desk?.context.close(); });
  const focused = (page, selector) =>
    page.evaluate((what) => document.activeElement?.matches(what) ?? false, selector);

  spec('Tab to the button, Enter, and type', () => desk, async (page) => {
    await mayStart(page);
    const start = '[data-test="start"]';
    for (let tabs = 0; tabs < TABS && !await focused(page, start); tabs += 1) {
      await page.keyboard.press('Tab');
      const ring = await page.evaluate(() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        return (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
      });
      assert.ok(ring, 'the focus can be seen');
    }
    assert.ok(await focused(page, start), `within ${TABS} tabs`);
    await page.keyboard.press('Enter');
    await prompt(page);
    await until('the focus is in the terminal', () => focused(page, '.xterm-helper-textarea'));
    await page.keyboard.type('echo "key""board"');
    await page.keyboard.press('Enter');
    await until('it was heard', async () => (await screen(page)).includes('\nkeyboard'));
    await page.keyboard.press('Tab');
    assert.ok(await focused(page, '.xterm-helper-textarea'), 'Tab belongs to the shell');
    await page.keyboard.press('Control+F6');
    assert.ok(!await focused(page, '.xterm *'), 'Ctrl+F6 leaves the terminal');
    assert.ok(!await focused(page, 'body'), 'for a place of its own');
  });

  spec('language and theme change in place', () => desk, async (page) => {
    const html = (name) => page.evaluate((at) => document.documentElement.getAttribute(at), name);
    const before = await screen(page);
    await hook(page, 'lang').click();
    await until('Chinese', async () => await html('lang') === 'zh-CN');
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const seen = new Set();
    await until('light and dark', async () => {
      await hook(page, 'theme').click();
      seen.add(await ground());
      return seen.size === 2;
    }, { every: 200 });
    assert.equal(await screen(page), before, 'the terminal stays');
    await hook(page, 'lang').click();
    await until('English', async () => await html('lang') === 'en');
    assert.equal(await ask(page, 'echo still $$'), 'still 1');
  });
});
