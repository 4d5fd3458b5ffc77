// The Rosetta: the real file and its form in the other dialect, written from either side; freeze.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, spec, startContainer } from './lab.mjs';
import { peek, pidsOf, tree } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

/** The container's first process: two PID namespaces below the host's. */
const container = () => tree(server.pid).find((pid) => pidsOf(pid).length === 3);

/** A file of its cgroup; this host must speak v1 there. */
function fileOf(file) {
  const controller = file.split('.')[0];
  const line = peek(`/proc/${container()}/cgroup`).split('\n')
    .find((text) => text.split(':')[1].split(',').includes(controller));
  assert.ok(line, `these specs need the cgroup v1 controller ${controller}`);
  return `/sys/fs/cgroup/${controller}${line.split(':')[2]}/${file}`;
}

const said = (file) => peek(fileOf(file))?.trim();
const row = (page, file) => hook(page, 'stone').filter({ has: page.locator(`[data-file="${file}"]`) });
const field = (page, file) => page.locator(`[data-file="${file}"] input`).first();

async function write(page, file, text) {
  await field(page, file).fill(text);
  await page.keyboard.press('Enter');
}

describe('the Rosetta', () => {
  const desks = {};
  before(async () => { desks.en = await open(server, browser, { hash: '#/' }); });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });
  const here = (name, run) => spec(name, () => desks.en, run);

  here('what is typed into cpu.max is written to the two real files', async (page) => {
    await startContainer(page);
    await hook(page, 'view-rosetta').click();
    await field(page, 'cpu.max').fill('20000 100000');
    const plan = await row(page, 'cpu.max').locator('[data-test="planned"]').innerText();
    assert.match(plan, /echo 20000 > cpu.cfs_quota_us/, 'said before it is written');
    assert.equal(said('cpu.cfs_quota_us'), '-1', 'and not written yet');
    await page.keyboard.press('Enter');
    await until('the kernel has it', () => said('cpu.cfs_quota_us') === '20000');
    await until('the real side shows it', async () =>
      await field(page, 'cpu.cfs_quota_us').inputValue() === '20000');
    const written = await row(page, 'cpu.max').locator('[data-test="written"]').innerText();
    assert.match(written, /cpu.cfs_quota_us.*20000/s, 'what was really written is told');
  });

  here('what is typed into the real file changes the other side while it is typed', async (page) => {
    await field(page, 'cpu.shares').fill('262144');
    await until('the weight follows', async () => await field(page, 'cpu.weight').inputValue() === '10000');
    assert.equal(said('cpu.shares'), '1024', 'nothing is written by typing');
    await page.keyboard.press('Enter');
    await until('the kernel has it', () => said('cpu.shares') === '262144');
  });

  here('bytes are rounded by the kernel, and the page says so', async (page) => {
    await write(page, 'memory.max', '70000000');
    await until('whole pages', () => said('memory.limit_in_bytes') === '69996544');
    await until('both sides say it', async () =>
      await field(page, 'memory.limit_in_bytes').inputValue() === '69996544'
      && await field(page, 'memory.max').inputValue() === '69996544');
  });

  here('a value that cannot be is refused in words and stays to be mended', async (page) => {
    await write(page, 'cpu.weight', '0');
    await row(page, 'cpu.weight').locator('[data-test="wrong"]').waitFor();
    assert.match(await row(page, 'cpu.weight').locator('[data-test="wrong"]').innerText(), /1 to 10000/);
    assert.equal(said('cpu.shares'), '262144');
    await page.keyboard.press('Escape');
  });

  here('freeze and thaw, by the button and by the v2 word', async (page) => {
    await hook(page, 'freeze').click();
    await until('frozen', () => said('freezer.state') === 'FROZEN');
    await until('both say it', async () => await field(page, 'cgroup.freeze').inputValue() === '1');
    await write(page, 'cgroup.freeze', '0');
    await until('thawed', () => said('freezer.state') === 'THAWED');
  });

  here('files without a counterpart say why', async (page) => {
    assert.match(await row(page, 'memory.swappiness').innerText(), /no counterpart[\s\S]*swap/);
    assert.match(await row(page, 'memory.high').innerText(), /Only in v2/);
    await fits(page, 'the Rosetta');
  });

  for (const lang of ['en', 'zh']) {
    for (const theme of ['light', 'dark']) {
      const named = `${lang}, ${theme}`;
      before(async () => { desks[named] = await open(server, browser, { lang, theme, hash: '#/lab' }); });
      spec(`axe finds nothing: the Rosetta, about, the question (${named})`, () => desks[named], async (page) => {
        await hook(page, 'view-rosetta').click();
        await hook(page, 'rosetta').waitFor();
        await axe(page, `Rosetta, ${named}`);
        await hook(page, 'about-open').click();
        await hook(page, 'facts').waitFor();
        await axe(page, `about, ${named}`);
        const words = await hook(page, 'about').innerText();
        assert.equal(/[\u4e00-\u9fff]/.test(words), lang === 'zh', 'one language');
        await page.keyboard.press('Escape');
        await hook(page, 'end-machine').click();
        await hook(page, 'end-no').waitFor();
        await axe(page, `the question, ${named}`);
        await page.keyboard.press('Escape');
      });
    }
  }
});
