// The birth, frame by frame: what was answered is what is shown, by keyboard alone; one that fails
// ends where it failed. And the feed's filter.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { BIRTH_MSEC, figure, fits, hook, open, prompt, setQuota, spec, startContainer } from './lab.mjs';
import { TYPES, namespaceOf, pidsOf, tree } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

const place = async (page) => (await hook(page, 'birth-place').innerText()).match(/\d+/g).map(Number);
const bars = (page) => page.locator('.birth-bar').evaluateAll((all) =>
  all.map((bar) => ({ usec: Number(bar.dataset.usec), px: bar.querySelector('rect').getBoundingClientRect().width })));
const tile = (page, what) => page.locator(`[data-what="${what}"]`);
const calls = (page) => hook(page, 'birth-calls').locator('li').allInnerTexts();
const entries = (page) => hook(page, 'feed').locator('.entry');
const born = (page) => entries(page).filter({ hasText: 'was born' }).first();

describe('a birth', () => {
  const desks = {};
  before(async () => { desks.en = await open(server, browser, { hash: '#/' }); });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });
  const here = (name, run) => spec(name, () => desks.en, run);

  here('has a frame for each call of the answer, and their times are its time', async (page) => {
    await startContainer(page);
    // What was answered: one deed a step.
    const answered = await page.locator('[data-test="explain"] .deeds > li').count();
    const took = (await born(page).innerText()).match(/in ([\d.]+) ms/)[1];
    await born(page).getByRole('button').click();
    await hook(page, 'birth').waitFor();
    const shown = await bars(page);
    assert.ok(answered >= 15, `${answered} steps`);
    assert.equal(shown.length, answered);
    assert.deepEqual(await place(page), [answered, answered], 'the last one first: what there is now');
    const sum = shown.reduce((all, bar) => all + bar.usec, 0) / 1000;
    assert.ok(Math.abs(sum - Number(took)) < 0.02, `${sum} ms of ${took}`);
    assert.match(page.url(), /#\/lab\/birth\?m=[0-9a-f]{12}&g=c1&b=c1/);
  });

  here('is to scale, or logarithmic', async (page) => {
    const wide = (all) => all.filter((bar) => bar.px > 12);
    const [a, b] = wide(await bars(page)).sort((one, other) => other.usec - one.usec);
    assert.ok(Math.abs(a.px / b.px - a.usec / b.usec) < 0.1, `${JSON.stringify([a, b])}`);
    assert.match(await hook(page, 'birth-scale').innerText(), /to scale/);
    await hook(page, 'birth-log').check();
    await until('logarithms', async () => {
      const [c, d] = (await bars(page)).sort((one, other) => other.usec - one.usec);
      const ratio = Math.log10(1 + c.usec) / Math.log10(1 + d.usec);
      return Math.abs(c.px / d.px - ratio) < 0.05;
    });
    await hook(page, 'birth-log').uncheck();
  });

  here('goes step by step by the keyboard, and says what each step did', async (page) => {
    const count = (await place(page))[1];
    await hook(page, 'birth-slider').focus();
    await page.keyboard.press('Home');
    await until('the first', async () => (await place(page))[0] === 1);
    assert.match((await calls(page)).join(), /^mkdir\(/);
    assert.match(await tile(page, 'Process').getAttribute('class'), /is-absent/);
    assert.match(await tile(page, 'Group').innerText(), /new[^]*root\/c1 · empty/);
    const seen = [];
    for (let at = 2; at <= count; at += 1) {
      await page.keyboard.press('ArrowRight');
      await until(`step ${at}`, async () => (await place(page))[0] === at);
      seen.push(...await calls(page));
    }
    assert.equal(await hook(page, 'birth-slider').getAttribute('aria-valuenow'), String(count));
    for (const call of [/^clone3\(.*CLONE_NEWPID/, /^pivot_root\(/, /^setns\(user\)/, /^seccomp\(/, /^execve\("\/bin\/sh"\)/]) {
      assert.ok(seen.some((one) => call.test(one)), `${call} of ${seen}`);
    }
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowLeft');
    await until('back', async () => (await place(page))[0] === count - 1);
    assert.match(page.url(), new RegExp(`&f=${count - 1}$`));
    assert.match(await hook(page, 'birth-said').textContent(), /seccomp: changed/);
    await page.keyboard.press('End');
  });

  here('ends with what the kernel says of the process', async (page) => {
    const [pid] = tree(server.pid).filter((one) => pidsOf(one).length === 3);
    await until('its PIDs', async () =>
      (await tile(page, 'Process').innerText()).includes(pidsOf(pid).join(' · ')));
    const kinds = ['Pid', 'Mount', 'Uts', 'Ipc', 'User', 'Net', 'Cgroup', 'Time'];
    for (const [at, kind] of kinds.entries()) {
      const id = namespaceOf(pid, TYPES[at]).match(/\d+/)[0];
      assert.ok((await tile(page, `Namespace(${kind})`).innerText()).includes(`its own · ${id}`), kind);
    }
    assert.match(await tile(page, 'Capabilities').innerText(), /none · can never get one · no_new_privs/);
    assert.match(await tile(page, 'Root').innerText(), /overlay · is \//);
    await hook(page, 'birth-as-table').click();
    const rows = await page.locator('.birth-table tbody tr').count();
    assert.equal(rows, await page.locator('.birth-world .tile:not(.is-absent)').count());
    await hook(page, 'birth-as-table').click();
  });

  here('plays by itself, and stops at the end', async (page) => {
    const count = (await place(page))[1];
    await hook(page, 'birth-slider').focus();
    await page.keyboard.press('ArrowLeft');
    await hook(page, 'birth-play').click();
    await until('the end', async () => (await place(page))[0] === count);
    await until('it stands', async () => await hook(page, 'birth-play').getAttribute('aria-label') === 'Play');
  });

  here('a link leads to the same frame', async (page) => {
    await page.goto(page.url().replace(/&f=\d+/, '&f=4'));
    await until('the frame', async () => (await place(page))[0] === 4);
  });

  here('that fails ends at the step that failed, with the error', async (page) => {
    await hook(page, 'another').click();
    await hook(page, 'forge-program').fill('/no/such/program');
    await hook(page, 'forge-start').click();
    const failed = entries(page).filter({ hasText: 'was not born' }).first();
    await failed.waitFor({ timeout: BIRTH_MSEC });
    assert.match(await failed.innerText(), /ENOENT at the step “execve the program”/);
    await failed.getByRole('button').click();
    await hook(page, 'birth-failed').waitFor();
    assert.match(await hook(page, 'birth-failed').innerText(), /failed, and the birth ended here.*ENOENT/);
    const [at, count] = await place(page);
    assert.ok(at === count && count >= 10, `${at} of ${count}`);
    assert.match((await calls(page)).join(), /execve\("\/no\/such\/program"\)/);
    await hook(page, 'birth-slider').focus();
    await page.keyboard.press('ArrowLeft');
    await until('the step before did not fail', async () => await hook(page, 'birth-failed').count() === 0);
  });

  for (const lang of ['en', 'zh']) {
    // The other pairs are looked at in access.test.mjs, as in every view.
    for (const theme of [lang === 'en' ? 'light' : 'dark']) {
      const named = `${lang}, ${theme}`;
      before(async () => {
        desks[named] = await open(server, browser, { lang, theme, hash: '#/lab', reducedMotion: lang === 'zh' ? 'reduce' : null });
      });
      spec(`axe finds nothing (${named})`, () => desks[named], async (page) => {
        await hook(page, 'view-birth').click();
        await hook(page, 'birth-slider').focus();
        await page.keyboard.press('Home');
        for (let n = 0; n < 4; n += 1) await page.keyboard.press('ArrowRight');
        await hook(page, 'birth-as-table').click();
        await hook(page, 'feed-filter').click();
        await axe(page, `birth, ${named}`);
        const words = await hook(page, 'birth').innerText();
        assert.equal(/[\u4e00-\u9fff]/.test(words), lang === 'zh', 'one language');
        assert.equal(await hook(page, 'birth-play').count(), lang === 'zh' ? 0 : 1, 'less motion: nothing plays');
      });
    }
  }

  before(async () => {
    desks.narrow = await open(server, browser, { viewport: { width: 320, height: 800 }, hash: '#/lab/birth' });
  });
  spec('nothing is wider than 320 px', () => desks.narrow, async (page) => {
    await hook(page, 'birth').waitFor();
    await hook(page, 'feed-filter').click();
    await fits(page, 'birth at 320');
    await axe(page, 'birth at 320');
  });
});

describe('the feed', () => {
  let desk;
  before(async () => { desk = await open(server, browser, { hash: '#/lab' }); });
  after(async () => { await desk.context.close(); });
  const here = (name, run) => spec(name, () => desk, run);
  const kinds = (page) => entries(page).evaluateAll((all) => [...new Set(all.map((one) => one.dataset.kind))]);

  here('tells when throttling begins, once', async (page) => {
    await prompt(page);
    await hook(page, 'busy').click();
    await setQuota(page, 20_000, 100_000);
    const throttled = entries(page).filter({ hasText: 'c1 is throttled' });
    await throttled.first().waitFor();
    await until('it goes on', async () => figure(await hook(page, 'cpu-now').first().textContent()) < 25);
    assert.equal(await throttled.count(), 1);
    await hook(page, 'busy-stop').click();
    await entries(page).filter({ hasText: /no longer throttled: \d+ of \d+ periods/ }).first().waitFor();
  });

  here('is filtered by kind, by whom and by words, and says how much is hidden', async (page) => {
    const all = await entries(page).count();
    await hook(page, 'feed-filter').click();
    await hook(page, 'feed-throttled').click();
    await hook(page, 'feed-refused').click();
    await until('two kinds', async () => (await kinds(page)).sort().join() === 'refused,throttled');
    const shown = await entries(page).count();
    assert.equal(figure(await hook(page, 'feed-hidden').innerText()), all - shown);
    await hook(page, 'feed-whose').selectOption('c1');
    await until('not the failed one', async () => (await kinds(page)).join() === 'throttled');
    await hook(page, 'feed-words').fill('NO longer');
    await until('one', async () => await entries(page).count() === 1);
    await hook(page, 'feed-words').fill('nothing says this');
    await until('none', async () => await entries(page).count() === 0);
    assert.match(await page.locator('.feed').innerText(), /The filter hides everything/);
    await hook(page, 'feed-clear').click();
    await until('all again', async () => await entries(page).count() === all);
    assert.equal(await hook(page, 'feed-hidden').innerText(), '');
    assert.equal(await hook(page, 'feed-clear').isVisible(), false);
  });

  here('by the keyboard alone', async (page) => {
    await hook(page, 'feed-filter').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await until('born', async () => (await kinds(page)).join() === 'born');
    assert.equal(await hook(page, 'feed-born').getAttribute('aria-pressed'), 'true');
  });
});
