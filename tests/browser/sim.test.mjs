// The simulator: the same page with no server, labelled; its time held, slowed and taken back; and the way
// back to the live server.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, tellViolations, until, watch } from './harness.mjs';
import { BIRTH_MSEC, LOCALE, ask, cpuNow, fits, hook, mayStart, open, prompt, screen, setQuota, spec } from './lab.mjs';
import { Server } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';
import { VIEWS, leave, oneLanguage, show } from './views.mjs';

const BADGE = { en: 'simulated', zh: '模拟' };

onStage();

/** A page that the server does not know: it has no cookie. */
async function stranger(lang, hash = '') {
  const context = await browser.newContext({ locale: LOCALE[lang], viewport: { width: 1366, height: 768 } });
  await tellViolations(context);
  const page = await context.newPage();
  page.setDefaultTimeout(BIRTH_MSEC);
  const watched = watch(page, server.origin, /401.*\/api\/session/);
  await page.goto(`${server.origin}/${hash}`);
  return { page, context, watched };
}

/** The simulator's time, in milliseconds. */
const now = async (page) => Number((await hook(page, 'time-now').textContent()).replace(/[^\d]/g, ''));
const wait = (msec) => new Promise((then) => setTimeout(then, msec));

/** How much simulated time passes in so much of ours. */
async function passes(page, msec) {
  const [before, from] = [await now(page), Date.now()];
  await wait(msec);
  return (await now(page) - before) / (Date.now() - from);
}

/** Milliseconds a second that the page's own thread is at work. */
async function atWork(page, msec) {
  const debug = await page.context().newCDPSession(page);
  await debug.send('Performance.enable');
  const taken = async () => (await debug.send('Performance.getMetrics')).metrics
    .find(({ name }) => name === 'TaskDuration').value * 1000;
  const [before, from] = [await taken(), Date.now()];
  await wait(msec);
  const share = (await taken() - before) / (Date.now() - from);
  await debug.detach();
  return share * 1000;
}

for (const lang of ['en', 'zh']) {
  describe(`without a session (${lang})`, () => {
    let desk;
    before(async () => { desk = await stranger(lang); });
    after(async () => { await desk?.context.close(); });
    const here = (name, run) => spec(`${name} (${lang})`, () => desk, run);
    const labelled = async (page) => {
      assert.equal(await page.locator('.sim-badge').innerText(), BADGE[lang]);
      assert.equal(await hook(page, 'status').locator('[role="status"]').innerText(), BADGE[lang]);
    };

    here('the page offers the simulator, on every screen', async (page) => {
      await hook(page, 'sim-offer').waitFor();
      await axe(page, 'the offer');
      await page.evaluate(() => { location.hash = '#/lab/cpu'; });
      await hook(page, 'sim-enter').click();
      await until('the address says so', async () => page.url().endsWith('#/lab/cpu?sim=v1'));
      await hook(page, 'sim-bar').waitFor();
      await labelled(page);
      await page.locator('a.brand').click();
      await hook(page, 'start').waitFor();
      await labelled(page);
    });

    here('a container, ps in its terminal, a quota, 20 %', async (page, note) => {
      await mayStart(page);
      await hook(page, 'start').click();
      await prompt(page);
      assert.equal(await ask(page, 'echo $$ $(hostname)'), '1 container');
      const ps = await ask(page, 'ps');
      assert.match(ps, /^ +1 .*\bsh$/m);
      await hook(page, 'busy').click();
      await until('a whole CPU', async () => await cpuNow(page) > 95);
      await setQuota(page, 20_000, 100_000);
      await until('a fifth', async () => Math.abs(await cpuNow(page) - 20) <= 3, { msec: 8000 });
      note(`shows ${await cpuNow(page)} % with a quota of 20 %`);
      await until('throttled', async () => /throttled|限流/.test(await page.locator('main').innerText()));
      await labelled(page);
      await axe(page, 'the lab of a simulated server');
      await fits(page, 'the lab of a simulated server');
    });

    here('its time is held, goes on by a period, and is slowed', async (page, note) => {
      const real = await passes(page, 1500);
      note(`real time: ${real.toFixed(2)} simulated seconds a second`);
      const busy = await atWork(page, 2000);
      note(`the page is at work ${busy.toFixed(0)} ms a second`);
      assert.ok(busy < 500, `${busy} ms a second`);
      assert.ok(real > 0.5 && real < 1.3, `${real}`);
      await hook(page, 'time-pause').click();
      const held = await until('it stands still', async () => {
        const [first, later] = [await now(page), (await wait(500), await now(page))];
        return first === later && first;
      });
      await hook(page, 'time-step').click();
      await until('one period', async () => await now(page) === held + 100);
      await hook(page, 'time-pace').selectOption('slowest');
      await hook(page, 'time-pause').click();
      const slow = await passes(page, 3000);
      note(`slowest: ${(slow * 1000).toFixed(1)} simulated milliseconds a second`);
      assert.ok(slow > 0.002 && slow < 0.008, `${slow}`);
    });

    here('it goes back a second, and on from there', async (page) => {
      await hook(page, 'time-pause').click();
      const held = await now(page);
      await hook(page, 'time-back').click();
      await until('a second earlier', async () => Math.abs(await now(page) - (held - 1000)) <= 1);
      await prompt(page);
      assert.match(await screen(page), /1 container/, 'the terminal has what it had');
      await hook(page, 'time-pace').selectOption('real');
      await hook(page, 'time-pause').click();
      assert.equal(await ask(page, 'echo on "and" on'), 'on and on');
      await until('a fifth again', async () => Math.abs(await cpuNow(page) - 20) <= 3, { msec: 8000 });
    });

    for (const view of VIEWS) {
      here(`${view.name} works there too`, async (page) => {
        await page.evaluate((hash) => { location.hash = `${hash}?sim=v1`; }, view.hash);
        await show(page, server, view);
        await labelled(page);
        await oneLanguage(page, lang, view.name);
        if (lang === 'en') await axe(page, `${view.name} of a simulated server`);
        if (process.env.VITRINE_SHOTS) await page.screenshot({ path: `${process.env.VITRINE_SHOTS}/${view.name}-${lang}.png` });
        if (view.name !== 'forge') await leave(page, server, view);
      });
    }

    here('on a phone too the ribbon fits, and its buttons are there', async (page) => {
      await page.setViewportSize({ width: 320, height: 640 });
      await page.evaluate(() => { location.hash = '#/?sim=v1'; });
      await hook(page, 'start').waitFor();
      await fits(page, 'a simulated server at 320 px');
      for (const name of ['time-back', 'time-pause', 'time-step', 'time-pace', 'sim-leave']) {
        await hook(page, name).scrollIntoViewIfNeeded();
        assert.ok(await hook(page, name).isVisible(), name);
      }
      await page.setViewportSize({ width: 1366, height: 768 });
    });

    here('and the way back is there', async (page) => {
      await hook(page, 'sim-leave').click();
      await hook(page, 'sim-offer').waitFor();
      assert.ok(!page.url().includes('sim='), page.url());
      assert.equal(await hook(page, 'sim-bar').count(), 0);
      await axe(page, 'after the simulator');
    });
  });
}

describe('with a session', () => {
  let desk;
  before(async () => { desk = await open(server, browser); });
  after(async () => { await desk?.context.close(); });

  spec('the live server is there again without a reload', () => desk, async (page) => {
    await mayStart(page);
    await page.evaluate(() => { window.same = true; });
    await hook(page, 'sim-try').click();
    await until('simulated', async () => await hook(page, 'status').locator('[role="status"]').innerText() === 'simulated');
    await mayStart(page);
    await hook(page, 'start').click();
    await prompt(page);
    await hook(page, 'sim-leave').click();
    await until('live', async () => await hook(page, 'status').locator('[role="status"]').innerText() === 'live');
    assert.equal(await page.evaluate(() => window.same), true);
    assert.equal(await page.locator('.xterm').count(), 0, 'nothing of the simulator is left');
  });

  spec('a link can ask for the other dialect', () => desk, async (page) => {
    await page.evaluate(() => { location.hash = '#/?sim=v2'; });
    await mayStart(page);
    await hook(page, 'start').click();
    await prompt(page);
    assert.equal(await ask(page, 'cat /proc/self/cgroup'), '0::/');
  });
});

describe('when the line breaks', () => {
  let desk; let own;
  before(async () => {
    own = await Server.start();
    desk = await open(own, browser, { allow: /ERR_|WebSocket connection to/ });
  });
  after(async () => {
    await desk?.context.close();
    await own?.stop();
  });

  spec('the simulator is there, though its server is not', () => desk, async (page) => {
    await mayStart(page);
    // Its file comes last, while the page rests.
    await until('all of the page is there', () => page.evaluate(() => performance.getEntriesByType('resource')
      .some(({ name, responseEnd }) => /split_sim/.test(name) && responseEnd > 0)));
    await page.context().setOffline(true);
    process.kill(own.web(), 'SIGKILL');
    await hook(page, 'sim-offer').waitFor();
    await hook(page, 'sim-enter').click();
    await mayStart(page);
    await hook(page, 'start').click();
    await hook(page, 'time-now').waitFor();
    await until('PID 1 inside', async () => /init/.test(await hook(page, 'eye-host').innerText()));
    await page.context().setOffline(false);
    await hook(page, 'sim-leave').click();
    await until('live', async () => await hook(page, 'status').locator('[role="status"]').innerText() === 'live', { msec: BIRTH_MSEC });
  });
});
