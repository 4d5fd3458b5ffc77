// The lenses: a file of its own that is fetched when the page rests, or when one is looked at.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { axe, tellViolations, until, watch } from './harness.mjs';
import { BIRTH_MSEC, LOCALE, hook, mayStart, open } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

const CHUNK = /\/split_lens-[0-9a-f]{16}\.wasm$/;
const WAIT = { en: /being loaded/, zh: /正在加载/ };
const AGAIN = { en: 'Try again', zh: '重试' };

onStage();

/** A page whose requests for the lenses go through `answer`, from its first one on. */
async function withChunk(answer, run, lang = 'en') {
  const { context, url } = await server.context(browser, { locale: LOCALE[lang] });
  try {
    await tellViolations(context);
    await context.route(CHUNK, answer);
    const page = await context.newPage();
    page.setDefaultTimeout(BIRTH_MSEC);
    const watched = watch(page, server.origin, /split_lens|Failed to fetch/);
    await page.goto(`${url}#/`);
    await run(page);
    watched.check();
  } finally {
    await context.close();
  }
}

describe('the lenses', () => {
  it('are fetched when the page rests, and open at once then', { timeout: 60_000 }, async () => {
    let fetched = 0;
    await withChunk((route) => { fetched += 1; return route.continue(); }, async (page) => {
      await mayStart(page);
      await until('the lenses are fetched', () => fetched === 1);
      await hook(page, 'about-open').click();
      await hook(page, 'facts').waitFor();
      assert.equal(fetched, 1, 'once is enough');
    });
  });

  for (const lang of ['en', 'zh']) {
    it(`say that they are being loaded (${lang})`, { timeout: 60_000 }, async () => {
      let go;
      const gate = new Promise((then) => { go = then; });
      await withChunk(async (route) => { await gate; return route.continue(); }, async (page) => {
        await mayStart(page);
        await hook(page, 'about-open').click();
        assert.match(await hook(page, 'lens-loading').innerText(), WAIT[lang]);
        await axe(page, `a lens that is being loaded (${lang})`);
        go();
        await hook(page, 'facts').waitFor();
        assert.equal(await hook(page, 'lens-loading').count(), 0);
      }, lang);
    });

    it(`can be tried again when they could not be loaded (${lang})`, { timeout: 60_000 }, async () => {
      let broken = true;
      let tries = 0;
      await withChunk((route) => { tries += 1; return broken ? route.abort() : route.continue(); }, async (page) => {
        await mayStart(page);
        await until('the page tried by itself', () => tries === 1);
        await hook(page, 'about-open').click();
        const again = hook(page, 'lens-again');
        await until('it is told', async () => await again.isVisible() && tries === 2);
        assert.equal(await again.innerText(), AGAIN[lang]);
        await axe(page, `a lens that could not be loaded (${lang})`);
        await again.click();
        await until('it was tried', () => tries === 3);
        await again.waitFor();
        broken = false;
        await again.click();
        await hook(page, 'facts').waitFor();
        assert.equal(tries, 4);
      }, lang);
    });
  }

  it('are there for who opens the lab by its address', { timeout: 60_000 }, async () => {
    const { page, context, watched } = await open(server, browser, { hash: '#/lab' });
    try {
      await hook(page, 'forge-start').waitFor();
      watched.check();
    } finally {
      await context.close();
    }
  });
});
