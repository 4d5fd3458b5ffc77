// The page of `cargo xtask dist --static`: below some path of a host that only hands out files, and
// then with no host at all.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { after, before, describe } from 'node:test';

import { ROOT, axe, launch, tellViolations, until, watch } from './harness.mjs';
import { BIRTH_MSEC, LOCALE, ask, cpuNow, fits, hook, mayStart, prompt, setQuota, spec } from './lab.mjs';
import { oneLanguage } from './views.mjs';

const DIR = process.env.VITRINE_STATIC ?? join(ROOT, 'target/static');
const BELOW = '/some/sub/path/';
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
  '.wasm': 'application/wasm', '.svg': 'image/svg+xml' };

/** A host that knows nothing of Vitrine; `asked` is what it had to look for. */
async function host() {
  assert.ok(existsSync(join(DIR, 'sw.js')), `no page in ${DIR}: cargo xtask dist --static ${DIR}`);
  const asked = [];
  const server = createServer(({ url }, response) => {
    const { pathname } = new URL(url, 'http://host');
    asked.push(pathname);
    const file = join(DIR, normalize(pathname.slice(BELOW.length) || 'index.html'));
    if (!pathname.startsWith(BELOW) || !file.startsWith(DIR) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(file));
  });
  await new Promise((then) => server.listen(0, '127.0.0.1', then));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const stop = () => new Promise((then) => { server.close(then); server.closeAllConnections(); });
  return { origin, url: origin + BELOW, asked, stop };
}

for (const [lang, badge] of [['en', 'simulated'], ['zh', '模拟']]) {
  describe(`without a server (${lang})`, () => {
    let [files, browser, desk, stopped] = [];
    before(async () => {
      files = await host();
      browser = await launch();
      const context = await browser.newContext({ locale: LOCALE[lang], viewport: { width: 1366, height: 768 } });
      await tellViolations(context);
      const page = await context.newPage();
      page.setDefaultTimeout(BIRTH_MSEC);
      desk = { page, context, watched: watch(page, files.origin) };
      await page.goto(files.url);
    });
    after(async () => {
      await browser?.close();
      if (!stopped) await files?.stop();
    });
    const here = (name, run) => spec(`${name} (${lang})`, () => desk, run);

    here('it is simulated from the first moment, says so, and asks for nothing that is not there', async (page) => {
      await hook(page, 'sim-bar').waitFor();
      assert.equal(await page.locator('.sim-badge').innerText(), badge);
      assert.ok(page.url().startsWith(files.url) && page.url().endsWith('#/?sim=v1'), page.url());
      assert.ok(await hook(page, 'sim-leave').isHidden(), 'there is no live server to go back to');
      await oneLanguage(page, lang, 'the first page');
      await axe(page, 'the first page of a static host');
      await fits(page, 'the first page of a static host');
    });

    here('a container starts, and a quota holds its loop', async (page) => {
      await mayStart(page);
      await hook(page, 'start').click();
      await prompt(page);
      assert.equal(await ask(page, 'echo $$'), '1');
      await hook(page, 'busy').click();
      await setQuota(page, 20_000, 100_000);
      await until('a fifth', async () => Math.abs(await cpuNow(page) - 20) <= 3, { msec: 8000 });
      const strange = files.asked.filter((path) => !path.startsWith(BELOW) || path.includes('/api/'));
      assert.deepEqual(strange, []);
    });

    here('after one visit it works with the host gone', async (page) => {
      await until('the worker has all files', () => page.evaluate(async () => {
        const { active } = await navigator.serviceWorker.ready;
        return active?.state === 'activated';
      }));
      await files.stop();
      stopped = true;
      await page.goto('about:blank');
      await page.goto(`${files.url}#/lab/cpu?sim=v2`);
      await hook(page, 'sim-bar').waitFor();
      await page.locator('a.brand').click();
      await mayStart(page);
      await hook(page, 'start').click();
      await prompt(page);
      assert.equal(await ask(page, 'echo $$'), '1');
    });
  });
}
