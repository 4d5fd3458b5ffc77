// Two eyes as a tree, births and deaths seen at the threads, and one line run in both.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { ask, fits, hook, open, rows, spec, startContainer } from './lab.mjs';
import { peek, stat } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

/** The rows of an eye's tree: PID on the host, level, place among the siblings. */
const branches = (page, eye) => hook(page, eye).locator('[data-host-pid]').evaluateAll((all) =>
  all.map((row) => ({
    pid: Number(row.dataset.hostPid), level: Number(row.ariaLevel),
    place: Number(row.ariaPosInSet), of: Number(row.ariaSetSize),
  })));

const query = (page) => new URL(page.url()).hash.split('?')[1] ?? '';
const side = (page, name) => hook(page, `both-${name}`);
const printed = (page, name) => side(page, name).locator('.both-lines code').allInnerTexts();

describe('two eyes', () => {
  const desks = {};
  before(async () => { desks.en = await open(server, browser, { hash: '#/' }); });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });
  const here = (name, run) => spec(name, () => desks.en, run);

  here('as a tree each is below its parent, as the kernel has it', async (page) => {
    await startContainer(page);
    await ask(page, '{ sleep 1000 & (sleep 1001; :) & }');
    await hook(page, 'as-tree').click();
    assert.match(query(page), /\bps=tree\b/);
    for (const eye of ['eye-host', 'eye-container']) {
      await until(`the tree of ${eye}`, async () => {
        const tree = await branches(page, eye);
        assert.ok(tree.length >= 4, `${tree.length} rows`);
        tree.forEach(({ pid, level, place, of }, at) => {
          const above = tree.slice(0, at).findLast((row) => row.level < level);
          const parent = stat(pid)?.parent;
          const shown = tree.some((row) => row.pid === parent);
          assert.equal(above?.pid, shown ? parent : undefined, `the parent of ${pid}`);
          assert.ok(place >= 1 && place <= of);
        });
        return Math.max(...tree.map((row) => row.level)) >= 3;
      });
    }
  });

  here('the tree is moved in by keys, and is one stop of the tabulator', async (page) => {
    const eye = hook(page, 'eye-container');
    await until('one stop', async () => await eye.locator('tr[tabindex="0"]').count() === 1);
    await eye.locator('tr[tabindex="0"]').focus();
    const level = () => page.evaluate(() => Number(document.activeElement.ariaLevel));
    for (const [key, wanted] of [['ArrowRight', 2], ['ArrowLeft', 1], ['ArrowDown', 2], ['Home', 1], ['ArrowLeft', 1]]) {
      await page.keyboard.press(key);
      assert.equal(await level(), wanted, key);
    }
  });

  here('a link brings the tree back', async (page) => {
    await page.reload();
    await until('the tree', async () => (await branches(page, 'eye-host')).some((row) => row.level > 1));
    await hook(page, 'as-list').click();
    assert.doesNotMatch(query(page), /ps=/);
    await until('by PID', async () => {
      const pids = (await rows(page, 'eye-host')).map((row) => row.hostPid);
      return pids.length > 2 && pids.every((pid, at) => at === 0 || pids[at - 1] < pid);
    });
  });

  /** The classes that threads had while a process came and went. */
  const seen = async (page, line) => {
    await page.evaluate(() => {
      window.seen = new Set();
      const look = () => document.querySelectorAll('.woven').forEach((one) => {
        for (const name of one.classList) window.seen.add(name);
        if (one.getAnimations({ subtree: true }).length > 0) window.seen.add('moves');
      });
      window.observer = new MutationObserver(look);
      window.observer.observe(document.querySelector('.threads'), { childList: true, subtree: true, attributes: true });
    });
    const before = await page.locator('.woven').count();
    await ask(page, line);
    await until('it is gone', async () => await page.locator('.woven').count() === before);
    return page.evaluate(() => { window.observer.disconnect(); return [...window.seen]; });
  };

  here('a birth draws its thread, a death falls off it; without motion nothing moves', async (page) => {
    await ask(page, 'true');
    const names = await seen(page, 'sleep 1.2');
    for (const name of ['is-new', 'is-gone', 'moves']) assert.ok(names.includes(name), `${names}`);
    await hook(page, 'motion').uncheck();
    await page.reload();
    await until('threads', async () => await page.locator('.woven').count() > 2);
    assert.equal(await hook(page, 'motion').isChecked(), false, 'remembered');
    const still = await seen(page, 'sleep 1.2');
    assert.ok(still.includes('is-new') && !still.includes('is-gone') && !still.includes('moves'), `${still}`);
    await hook(page, 'motion').check();
  });

  here('a line is typed once and both outputs are there', async (page) => {
    await hook(page, 'below-both').click();
    assert.match(query(page), /\blow=both\b/);
    await hook(page, 'both-line').fill('hostname; cat /proc/1/comm; echo same; exit 3');
    await page.keyboard.press('Enter');
    await until('both', async () => (await printed(page, 'inside')).length === 3 && (await printed(page, 'outside')).length === 3);
    const [inside, outside] = [await printed(page, 'inside'), await printed(page, 'outside')];
    assert.match(outside[0], /^machine-[0-9a-f]{4}$/);
    assert.notEqual(outside[0], peek('/proc/sys/kernel/hostname').trim(), 'never the host');
    assert.notEqual(inside[0], outside[0]);
    assert.equal(await side(page, 'inside').locator('.is-only').count() >= 1, true);
    assert.equal(await side(page, 'inside').locator('li:not(.is-only)').last().innerText().then((text) => text.trim()), 'same');
    for (const name of ['inside', 'outside']) {
      assert.match(await side(page, name).locator('[data-test="both-status"]').innerText(), /exit status 3$/);
    }
  });

  here('examples are clicked, and the arrow keys bring lines back', async (page) => {
    await page.getByRole('button', { name: 'cat /proc/self/cgroup' }).click();
    await until('groups', async () => (await printed(page, 'outside')).some((line) => /^\d+:/.test(line)));
    const line = hook(page, 'both-line');
    await line.focus();
    await page.keyboard.press('ArrowUp');
    assert.equal(await line.inputValue(), 'cat /proc/self/cgroup');
    await page.keyboard.press('ArrowUp');
    assert.match(await line.inputValue(), /^hostname; /);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    assert.equal(await line.inputValue(), '');
  });

  for (const [lang, theme] of [['en', 'light'], ['zh', 'dark']]) {
    const named = `${lang}, ${theme}`;
    before(async () => { desks[named] = await open(server, browser, { lang, theme, hash: '#/lab?ps=tree&low=both' }); });
    spec(`axe finds nothing, and nothing is wider than 320 px (${named})`, () => desks[named], async (page) => {
      await until('the tree', async () => (await branches(page, 'eye-host')).length > 2);
      await page.getByRole('button', { name: 'id', exact: true }).click();
      await until('both', async () => (await printed(page, 'inside')).length === 1);
      await axe(page, `two eyes, ${named}`);
      const words = await hook(page, 'both').innerText();
      assert.equal(/[\u4e00-\u9fff]/.test(words), lang === 'zh', 'one language');
      await page.setViewportSize({ width: 320, height: 800 });
      await fits(page, 'two eyes at 320');
    });
  }
});
