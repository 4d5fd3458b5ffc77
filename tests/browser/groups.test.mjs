// The groups' tree-table: made, limited, taken back, entered by keys and by drag, removed, refused;
// and five hundred of them.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, prompt, spec, startContainer } from './lab.mjs';
import { peek, pidsOf, tree } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

const GROUPS = 500;

/** The machine's own root in a hierarchy; this host must speak v1 there. */
const lines = {};
function rootOf(controller) {
  // Asked once: its PID 1 is moved about in these specs.
  lines.cgroup ??= peek(`/proc/${server.machineInit()}/cgroup`);
  const line = lines.cgroup.split('\n')
    .find((text) => text.split(':')[1].split(',').includes(controller));
  assert.ok(line, `these specs need the cgroup v1 controller ${controller}`);
  return `/sys/fs/cgroup/${controller}${line.split(':')[2].replace(/\/shell$/, '')}`;
}

const said = (group, file) => peek(`${rootOf(file.split('.')[0])}/${group}/${file}`)?.trim();
const procs = (group) => (peek(`${rootOf('cpu')}/${group}/cgroup.procs`) ?? '').split('\n').filter(Boolean).map(Number);
const row = (page, key) => page.locator(`[data-test="group-row"][data-key="${key}"]`);
const grid = (page) => hook(page, 'group-grid');
const active = (page) => grid(page).locator('.g-row.is-active').getAttribute('data-key');

async function toGroups(page) {
  await hook(page, 'view-groups').click();
  await hook(page, 'groups').waitFor();
  await row(page, 'root').waitFor();
}

/** Makes a row the active one by pointer, and gives the keys to the table. */
async function choose(page, key) {
  await row(page, key).locator('.g-text').click();
  await grid(page).focus();
}

async function make(page, parent, name) {
  await choose(page, parent);
  await page.keyboard.press('n');
  await hook(page, 'group-value').fill(name);
  await page.keyboard.press('Enter');
  await row(page, `${parent}/${name}`).waitFor();
  await until('it is the active row', async () => await active(page) === `${parent}/${name}`);
}

async function limit(page, file, value) {
  await page.keyboard.press('Enter');
  await hook(page, 'group-file').waitFor();
  await hook(page, 'group-file').selectOption(file);
  await hook(page, 'group-value').fill(value);
  await page.keyboard.press('Enter');
}

describe('groups', () => {
  const desks = {};
  before(async () => { desks.en = await open(server, browser, { hash: '#/' }); });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });
  const here = (name, run, timeout) => spec(name, () => desks.en, run, timeout);

  here('a group is made by keyboard, and is a row with what it has', async (page) => {
    await startContainer(page);
    await toGroups(page);
    await make(page, 'root', 'test_container');
    assert.ok(peek(`${rootOf('memory')}/test_container/tasks`) != null, 'in every hierarchy');
    await choose(page, 'root/test_container');
    assert.equal(await row(page, 'root/test_container').getAttribute('aria-level'), '3');
    assert.match(await hook(page, 'way-up').innerText(), /test_container[\s\S]*root[\s\S]*%/);
  });

  here('a limit is written as a shell would, taken back, and told when it is refused', async (page) => {
    await choose(page, 'root/test_container');
    await page.keyboard.press('Enter');
    await hook(page, 'group-file').waitFor();
    assert.equal(await hook(page, 'group-file').inputValue(), 'cpu.cfs_quota_us', 'its CPU first');
    assert.match(await hook(page, 'group-form').innerText(), /echo[\s\S]*> …\/root\/test_container\/cpu.cfs_quota_us/);
    await hook(page, 'group-value').fill('20000');
    await page.keyboard.press('Enter');
    await until('the kernel has it', () => said('test_container', 'cpu.cfs_quota_us') === '20000');
    await until('the form is closed', async () => await hook(page, 'group-form').count() === 0);
    await until('the row says it', async () => /20 %/.test(await row(page, 'root/test_container').innerText()));
    await page.keyboard.press('Control+z');
    await until('taken back', () => said('test_container', 'cpu.cfs_quota_us') === '-1');
    await until('it may be done again', () => hook(page, 'group-redo').isEnabled());
    await grid(page).focus();
    await page.keyboard.press('Control+y');
    await until('done again', () => said('test_container', 'cpu.cfs_quota_us') === '20000');
    await until('it may be taken back', () => hook(page, 'group-undo').isEnabled());
    await page.keyboard.press('Control+z');
    await until('and taken back', () => said('test_container', 'cpu.cfs_quota_us') === '-1');
    // The machine's cap is 1.5 CPUs: the kernel's own no, at the place, and nothing is lost.
    await limit(page, 'cpu.cfs_quota_us', '900000');
    await hook(page, 'group-form').locator('.trouble:visible').waitFor();
    assert.match(await hook(page, 'group-form').innerText(), /EINVAL[\s\S]*parent/);
    assert.equal(await hook(page, 'group-value').inputValue(), '900000', 'what was typed stays');
    await page.keyboard.press('Escape');
    await until('the form is closed', async () => await hook(page, 'group-form').count() === 0);
    assert.equal(await hook(page, 'group-undo').isDisabled(), true, 'nothing was written');
  });

  here('a process is moved by keys', async (page) => {
    const init = server.machineInit();
    await choose(page, init);
    await page.keyboard.press('Control+x');
    assert.match(await hook(page, 'group-said').innerText(), new RegExp(`${init}`));
    await choose(page, 'root/test_container');
    await page.keyboard.press('Control+v');
    await until('it is there', () => procs('test_container').includes(init));
    await until('a row below its group', async () => {
      const keys = await page.locator('[data-test="group-row"]').evaluateAll((all) => all.map((one) => one.dataset.key));
      return keys.indexOf(String(init)) === keys.indexOf('root/test_container') + 1;
    });
  });

  here('a group with a process in it is not removed, and the kernel says why', async (page) => {
    await choose(page, 'root/test_container');
    await page.keyboard.press('Delete');
    await page.locator('.g-panel .trouble:visible').waitFor();
    assert.match(await page.locator('.g-panel .trouble').innerText(), /EBUSY[\s\S]*processes/);
  });

  here('and back by drag; then the group goes', async (page) => {
    const init = server.machineInit();
    await row(page, init).dragTo(row(page, 'root/shell'), { timeout: 8000 });
    await until('it is back', () => procs('shell').includes(init));
    await until('nobody is left in it', () => procs('test_container').length === 0);
    await make(page, 'root/test_container', 'below');
    await choose(page, 'root/test_container/below');
    await page.keyboard.press('Delete');
    await until('one is gone', () => peek(`${rootOf('cpu')}/test_container/below/tasks`) == null);
    await choose(page, 'root/test_container');
    await page.keyboard.press('Delete');
    await until('both are gone', () => peek(`${rootOf('cpu')}/test_container/tasks`) == null);
    await until('no row any more', async () => await row(page, 'root/test_container').count() === 0);
  });

  here('a container’s process is not the machine’s to move', async (page) => {
    const inside = tree(server.pid).find((pid) => pidsOf(pid).length === 3);
    await choose(page, inside);
    await page.keyboard.press('Control+x');
    assert.equal(await hook(page, 'group-said').innerText(), '');
    assert.equal(await hook(page, 'process-cut').isDisabled(), true);
    // A name that leads elsewhere is refused where it was typed.
    await choose(page, 'root');
    await page.keyboard.press('n');
    await hook(page, 'group-value').fill('../x');
    await page.keyboard.press('Enter');
    await hook(page, 'group-form').locator('.trouble:visible').waitFor();
    assert.match(await hook(page, 'group-form').innerText(), /cannot be a group’s name/);
    await page.keyboard.press('Escape');
  });

  here('keys: up, down, home, end, close and open; and what each file means', async (page) => {
    await choose(page, 'root');
    await page.keyboard.press('Home');
    assert.equal(await active(page), '');
    await page.keyboard.press('ArrowDown');
    assert.equal(await active(page), 'root');
    await page.keyboard.press('ArrowLeft');
    await until('closed', async () => await page.locator('[data-test="group-row"]').count() === 2);
    assert.equal(await row(page, 'root').getAttribute('aria-expanded'), 'false');
    await page.keyboard.press('ArrowRight');
    await until('open', async () => await page.locator('[data-test="group-row"]').count() > 4);
    await hook(page, 'group-raw').filter({ hasText: 'pids.max' }).click();
    assert.match(await hook(page, 'group-meaning').innerText(), /fork[\s\S]*cat pids.max/);
    await hook(page, 'group-raw').filter({ hasText: 'cpu.cfs_quota_us' }).click();
    assert.match(await hook(page, 'group-there').innerText(), /v2 cpu.max\s+(max|\d+) 100000/);
    await hook(page, 'group-write').click();
    assert.equal(await hook(page, 'group-file').inputValue(), 'cpu.cfs_quota_us', 'written from there too');
    await page.keyboard.press('Escape');
    const processes = page.locator('.g-row.is-process');
    assert.ok(await processes.count() > 0);
    await hook(page, 'group-processes').uncheck();
    await until('groups alone', async () => await processes.count() === 0);
    await hook(page, 'group-processes').check();
    await fits(page, 'groups');
  });

  for (const lang of ['en', 'zh']) {
    // The other pairs are looked at in access.test.mjs, as in every view.
    for (const theme of [lang === 'en' ? 'light' : 'dark']) {
      const named = `${lang}, ${theme}`;
      before(async () => { desks[named] = await open(server, browser, { lang, theme, hash: '#/lab' }); });
      spec(`axe finds nothing: groups, a form (${named})`, () => desks[named], async (page) => {
        await prompt(page);
        await toGroups(page);
        await choose(page, 'root');
        await axe(page, `groups, ${named}`);
        await page.keyboard.press('Enter');
        await hook(page, 'group-file').waitFor();
        await axe(page, `a limit, ${named}`);
        const words = await hook(page, 'groups').innerText();
        assert.equal(/[\u4e00-\u9fff]/.test(words), lang === 'zh', 'one language');
        await page.keyboard.press('Escape');
      });
    }
  }

  before(async () => {
    desks.narrow = await open(server, browser, { viewport: { width: 320, height: 800 }, hash: '#/lab', reducedMotion: 'reduce' });
  });
  spec('nothing is wider than 320 px', () => desks.narrow, async (page) => {
    await prompt(page);
    await toGroups(page);
    await choose(page, 'root');
    await fits(page, 'groups at 320');
    await axe(page, 'groups at 320');
  });

  here(`${GROUPS} groups stay smooth`, async (page, tell) => {
    await make(page, 'root', 'many');
    for (let i = 0; i < GROUPS - 1; i += 1) {
      mkdirSync(`${rootOf('cpu')}/many/g${String(i).padStart(3, '0')}`);
    }
    await until('all are rows', async () => Number(await grid(page).getAttribute('aria-rowcount')) > GROUPS, { msec: 15_000 });
    const drawn = await page.locator('[data-test="group-row"]').count();
    assert.ok(drawn < 80, `${drawn} rows are there, not ${GROUPS}`);
    const { longest, scripting } = await frames(page, 6000);
    tell(`${GROUPS} groups: ${drawn} rows drawn, longest task ${longest} ms, scripting ${scripting.toFixed(1)} ms a second`);
    // A generous bound: this machine does other things too. The figures are what counts.
    assert.ok(scripting < 250, `${scripting} ms of script a second`);
    await choose(page, 'root/many');
    await page.keyboard.press('End');
    await until('the last row is in sight', async () => {
      const last = grid(page).locator('.g-row.is-active');
      return await last.count() === 1 && (await last.getAttribute('data-key')) !== 'root/many';
    });
    await hook(page, 'group-filter').fill('g321');
    await until('found', async () => await row(page, 'root/many/g321').count() === 1);
    assert.ok(await page.locator('[data-test="group-row"]').count() <= 5);
    await hook(page, 'group-filter').fill('');
  }, 120_000);
});

/** Script time of the page over a while, from the browser's own counters. */
async function frames(page, msec) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const read = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'ScriptDuration').value * 1000;
  };
  await page.evaluate(() => {
    globalThis.longest = 0;
    globalThis.tasks = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration);
    });
    globalThis.tasks.observe({ entryTypes: ['longtask'] });
  });
  const before = await read();
  await page.waitForTimeout(msec);
  const scripting = (await read() - before) / (msec / 1000);
  const longest = await page.evaluate(() => { globalThis.tasks.disconnect(); return globalThis.longest; });
  await session.detach();
  return { longest, scripting };
}
