// The CPU lens: close readings, the quota dragged into the kernel, weights that compete, burst, links.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { figure, fits, hook, open, prompt, setQuota, spec, startContainer } from './lab.mjs';
import { peek, pidsOf, stat, tree } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

/** The containers' first processes, oldest first: PID 1 two PID namespaces below the host's. */
const firsts = () => tree(server.pid)
  .filter((pid) => pidsOf(pid).length === 3 && pidsOf(pid)[2] === 1)
  .sort((a, b) => Number(stat(a)?.born) - Number(stat(b)?.born));

/** A file of a container's group; this host must speak v1 there. */
function fileOf(nth, file) {
  const controller = file.split('.')[0];
  const line = peek(`/proc/${firsts()[nth]}/cgroup`).split('\n')
    .find((text) => text.split(':')[1].split(',').includes(controller));
  assert.ok(line, `these specs need the cgroup v1 controller ${controller}`);
  return `/sys/fs/cgroup/${controller}${line.split(':')[2]}/${file}`;
}

const said = (nth, file) => peek(fileOf(nth, file))?.trim();
const text = (page, name) => hook(page, name).textContent();
const path = (page, name) => hook(page, name).getAttribute('d');

/** Looks at the CPU and waits for close readings. */
async function look(page) {
  await hook(page, 'view-cpu').click();
  await hook(page, 'cpu-lens').waitFor();
  await until('close readings', async () => (await path(page, 'ink-used'))?.length > 20);
}

describe('the CPU lens', () => {
  const desks = {};
  before(async () => { desks.one = await open(server, browser, { hash: '#/' }); });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });
  const here = (name, run) => spec(name, () => desks.one, run);

  here('in the first view too the quota’s line is dragged, where the pointer is', async (page) => {
    await startContainer(page);
    const picture = page.locator('.lens-picture .chart-svg');
    const chart = await until('the chart', async () => await picture.isVisible() && picture.boundingBox());
    const at = (percent) => chart.y + chart.height * (1 - percent / 100);
    await page.mouse.move(chart.x + 100, at(80));
    await page.mouse.down();
    await page.mouse.move(chart.x + 100, at(60), { steps: 4 });
    await page.mouse.move(chart.x + 300, at(70), { steps: 4 });
    await page.mouse.up();
    await until('seven tenths of a CPU', () => Math.abs(Number(said(0, 'cpu.cfs_quota_us')) - 70_000) <= 3_000);
  });

  here('a throttled loop: figures, solid and dashed ink, the period in words', async (page, note) => {
    await look(page);
    await hook(page, 'busy').click();
    await setQuota(page, 20_000, 100_000);
    await until('20 % of one CPU', async () => Math.abs(figure(await text(page, 'of-one')) - 20) < 3, { msec: 20_000 });
    const read = () => Number(peek(fileOf(0, 'cpuacct.usage')));
    const [from, begin] = [read(), process.hrtime.bigint()];
    await page.waitForTimeout(1_500);
    const counted = (read() - from) / Number(process.hrtime.bigint() - begin) * 100;
    const shown = figure(await text(page, 'of-one'));
    note(`shown ${shown} %, counted ${counted.toFixed(1)} %`);
    assert.ok(Math.abs(shown - counted) < 5, `${shown} ${counted}`);
    assert.ok(Math.abs(figure(await text(page, 'of-quota')) - 5 * shown) < 15, await text(page, 'of-quota'));
    await until('throttled, as the kernel counts', async () => /throttled in [1-9]/.test(await text(page, 'cpu-passed')));
    await until('the modelled wait', async () => (await path(page, 'ink-wait'))?.length > 20);
    assert.ok((await path(page, 'ink-tank')).length > 20);
    await until('the sentence says what is modelled', async () =>
      /used \d+ of 20 ms.*then all waited \d+ ms \(when is modelled/.test(await text(page, 'cpu-caption')));
    await until('who limits', async () => (await text(page, 'limited-by')).includes('root/c1'));
  });

  here('the quota is dragged on its line, and the kernel obeys', async (page) => {
    await hook(page, 'cpu-overview').scrollIntoViewIfNeeded();
    const chart = await hook(page, 'cpu-overview').boundingBox();
    const y = (await path(page, 'ink-line')).match(/^M0.0 ([\d.]+)/)[1];
    assert.ok(Math.abs(Number(y) / chart.height - 0.8) < 0.03, `drawn where it is held: ${y}`);
    const at = (percent) => chart.y + chart.height * (1 - percent / 100);
    await page.mouse.move(chart.x + 200, at(20));
    await page.mouse.down();
    await page.mouse.move(chart.x + 200, at(40), { steps: 4 });
    await page.mouse.move(chart.x + 200, at(50), { steps: 4 });
    await page.mouse.up();
    const quota = await until('about half a CPU', () => {
      const usec = Number(said(0, 'cpu.cfs_quota_us'));
      return Math.abs(usec - 50_000) <= 3_000 && usec;
    });
    await until('the field says the same', async () => await hook(page, 'quota').inputValue() === String(quota));
  });

  here('the slider is the same hand', async (page) => {
    const before = Number(said(0, 'cpu.cfs_quota_us'));
    await hook(page, 'quota-slider').focus();
    await page.keyboard.press('ArrowRight');
    await until('one per cent more', () => Number(said(0, 'cpu.cfs_quota_us')) === before + 1_000);
    await until('the page has heard of it', async () => await hook(page, 'quota').inputValue() === String(before + 1_000));
    await page.keyboard.press('ArrowLeft');
    await until('and back', () => Number(said(0, 'cpu.cfs_quota_us')) === before);
  });

  here('the time cursor speaks of a moment of the minute as well', async (page) => {
    const chart = await hook(page, 'cpu-overview').boundingBox();
    // Two seconds and a half before now; the words left of the picture are 124 px wide.
    await page.mouse.move(chart.x + 124 + (chart.width - 124) * (1 - 2.5 / 60), chart.y + 20);
    await until('used, quota, throttled', async () =>
      /^[23]\.\d s ago: [\d.]+ % of one CPU, quota \d+ %, \d+ % of the periods throttled\.$/.test(await text(page, 'cpu-caption')));
    await page.mouse.move(0, 0);
  });

  here('every CPU and every thread has a row, as the kernel counts them', async (page) => {
    const names = await until('the rows are named', async () => {
      const all = await hook(page, 'cpu-lanes').locator('text').allTextContents();
      return all.some((name) => name.startsWith('TID')) && all;
    });
    const percpu = said(0, 'cpuacct.usage_percpu').split(/\s+/).length;
    const told = names.filter((name) => name.startsWith('CPU'));
    assert.ok(told.length === Math.min(percpu, told.length) && told.length > 0, names.join());
    if (percpu <= 8) assert.equal(told.length, percpu, names.join());
    assert.ok(names.includes(`TID ${firsts()[0]}`), names.join());
    assert.ok((await path(page, 'ink-ran')).length > 20 && (await path(page, 'ink-waited')).length > 20);
  });

  here('the time cursor by arrow keys holds the picture and says its period', async (page) => {
    // A new quota fills the tank: what was before it is another picture.
    await page.waitForTimeout(1_500);
    await hook(page, 'cpu-cursor').focus();
    await page.keyboard.press('ArrowLeft');
    await until('paused', async () => await hook(page, 'cpu-pause').getAttribute('aria-pressed') === 'true');
    const value = () => hook(page, 'cpu-cursor').getAttribute('aria-valuetext');
    const first = await until('it is spoken', async () => /ms ago/.test(await value()) && value());
    const still = await path(page, 'ink-used');
    for (let i = 0; i < 20; i += 1) await page.keyboard.press('ArrowLeft');
    await until('another period', async () => await value() !== first);
    await page.waitForTimeout(300);
    assert.equal(await path(page, 'ink-used'), still, 'a paused picture stands');
    await hook(page, 'cpu-pause').click();
    await until('it goes on', async () => await path(page, 'ink-used') !== still);
  });

  here('the last twenty samples as a table', async (page) => {
    await hook(page, 'cpu-table-open').click();
    await until('rows', async () => await hook(page, 'cpu-table').locator('tbody tr').count() === 20);
    const row = await hook(page, 'cpu-table').locator('tbody tr').nth(3).locator('td').allTextContents();
    assert.ok(row.length === 6 && row.every((cell) => Number.isFinite(Number(cell))), row.join());
    await fits(page, 'the lens with its table');
    await hook(page, 'cpu-table-open').click();
  });

  here('burst is saved up, and the kernel has it', async (page) => {
    await hook(page, 'cpu-burst').fill('10000');
    await page.keyboard.press('Enter');
    await until('the kernel has it', () => said(0, 'cpu.cfs_burst_us') === '10000');
    await until('the tank holds more than the quota', async () => (await path(page, 'ink-full'))?.length > 5);
    await hook(page, 'cpu-burst').fill('0');
    await page.keyboard.press('Enter');
    await until('and no longer', () => said(0, 'cpu.cfs_burst_us') === '0');
  });

  here('two containers on one CPU get what their weights say', async (page, note) => {
    await hook(page, 'quota-lift').click();
    await until('no quota', () => said(0, 'cpu.cfs_quota_us') === '-1');
    await until('no periods is not 0 %', async () => /no quota/i.test(await text(page, 'cpu-caption')));
    await hook(page, 'another').click();
    await hook(page, 'forge-start').click();
    await until('two containers', () => firsts().length === 2);
    await until('the lens of the second', async () => /g=c2/.test(page.url()));
    await until('the loop may be started', async () => await hook(page, 'busy').isEnabled());
    await hook(page, 'busy').click();
    for (const nth of [0, 1]) writeFileSync(fileOf(nth, 'cpuset.cpus'), '0');
    const rival = (name) => page.locator(`[data-rival="${name}"]`);
    await rival('c2').locator('[data-test="cpu-weight"]').fill('512');
    await page.keyboard.press('Enter');
    await until('the kernel has the weight', () => said(1, 'cpu.shares') === '512');
    const got = await until('a third of both', async () => {
      const words = await rival('c2').locator('.number').textContent();
      const [share, byWeight] = [...words.matchAll(/(\d+\.\d) %/g)].map((found) => Number(found[1]));
      return Math.abs(byWeight - 33.3) < 0.2 && Math.abs(share - 33.3) < 6 && words;
    }, { msec: 20_000 });
    note(got);
  });

  here('the address names view, selection and window, and another page finds them', async (page) => {
    await hook(page, 'cpu-window').fill('15');
    await page.keyboard.press('Enter');
    await until('it is in the address', () => /#\/lab\/cpu\?m=[0-9a-f]{12}&g=c2&w=15$/.test(page.url()));
    const link = new URL(page.url()).hash.replace('g=c2', 'g=c1');
    desks.linked = await open(server, browser, { hash: `${link}&unknown=%3Cscript%3E` });
    const { page: other } = desks.linked;
    await until('the lens', async () => await hook(other, 'view-cpu').getAttribute('aria-pressed') === 'true');
    await until('the container', async () =>
      await other.locator('.bar-names [aria-pressed="true"]').textContent() === 'c1');
    assert.equal(await hook(other, 'cpu-window').inputValue(), '15');
    await other.goto(`${server.origin}/#/lab/../../x?w=99&g=nobody`);
    await until('nonsense is as nothing', async () => await hook(other, 'view-eyes').getAttribute('aria-pressed') === 'true');
    desks.linked.watched.check();
  });

  before(async () => {
    desks.narrow = await open(server, browser, {
      viewport: { width: 320, height: 800 }, hash: '#/lab/cpu', reducedMotion: 'reduce',
    });
  });
  spec('at 320 px, without motion', () => desks.narrow, async (page) => {
    await prompt(page);
    await hook(page, 'cpu-lens').waitFor();
    await until('it is drawn', async () => (await path(page, 'ink-used'))?.length > 20);
    await fits(page, 'the lens at 320 px');
    await axe(page, 'the lens at 320 px');
    const changes = new Set();
    for (let i = 0; i < 20; i += 1) {
      changes.add(await path(page, 'ink-used'));
      await page.waitForTimeout(50);
    }
    assert.ok(changes.size <= 4, `${changes.size} pictures in a second`);
  });
});
