// The namespace matrix: what it shows is what the kernel says, by keyboard alone, for everybody.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { ask, fits, hook, open, prompt, spec, startContainer } from './lab.mjs';
import { TYPES, namespaceOf, pidsOf, tree } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage(['--profile', 'lab']);

/** The rows with processes: the host's PID, and what stands in each cell. */
const table = (page) => page.locator('.mx tr[data-row]').evaluateAll((rows) => rows.map((row) => ({
  pid: Number(row.querySelector('.mx-pids')?.textContent.split(' ')[0] ?? 0),
  inside: Number(row.querySelector('.mx-pids b')?.textContent ?? 0),
  cells: [...row.querySelectorAll('td')].map((cell) => ({
    ns: cell.dataset.ns, name: cell.querySelector('b')?.textContent, said: cell.querySelector('small')?.textContent,
    mark: cell.className.match(/mark-\w+/)?.[0], lit: cell.classList.contains('is-lit'),
  })),
})));

async function toMatrix(page) {
  await hook(page, 'view-matrix').click();
  await hook(page, 'matrix').waitFor();
  await until('rows', async () => (await table(page)).length > 0);
}

/** The first process of a container: one more PID namespace than the machine. */
const inContainer = () => tree(server.pid).filter((pid) => pidsOf(pid).length === 3);

describe('the namespace matrix', () => {
  const desks = {};
  before(async () => { desks.en = await open(server, browser, { hash: '#/' }); });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });
  const here = (name, run) => spec(name, () => desks.en, run);

  here('every cell is what readlink says', async (page) => {
    // In a lab this is a shell in the machine itself.
    await startContainer(page);
    await hook(page, 'another').click();
    await hook(page, 'forge-net').setChecked(false);
    await hook(page, 'forge-start').click();
    await until('a container', () => inContainer().length >= 1);
    await prompt(page);
    await toMatrix(page);
    // One that is being born changes its namespaces; the page shows that a moment later.
    await until('every row as the kernel has it', async () => {
      const rows = (await table(page)).filter((row) => row.pid > 0);
      const pids = rows.map((row) => row.pid);
      assert.ok(rows.length >= 3 && inContainer().every((pid) => pids.includes(pid)), `${pids}`);
      for (const { pid, inside, cells } of rows) {
        const kernel = TYPES.map((type) => namespaceOf(pid, type).replace(/[[\]]/g, ''));
        assert.deepEqual(cells.map((cell) => cell.ns), kernel, `PID ${pid}`);
        assert.equal(inside, pidsOf(pid).at(-1));
      }
      return true;
    });
  });

  here('what is shared has the same letter and says with whom', async (page) => {
    const net = TYPES.indexOf('net');
    const shared = (await table(page)).filter((row) => row.cells[net].mark === 'mark-shared');
    assert.ok(shared.length >= 2, 'the machine and the container with its network');
    assert.equal(new Set(shared.map((row) => row.cells[net].name)).size, 1);
    const words = shared.map((row) => row.cells[net].said);
    assert.ok(words.includes('= c1') && words.includes('= machine'), `${words}`);
  });

  here('pointing at a cell marks everybody in the same namespace', async (page) => {
    const net = TYPES.indexOf('net');
    const row = (await table(page)).findIndex((one) => one.cells[net].mark === 'mark-shared');
    await page.locator(`[data-place="${row},${net}"]`).hover();
    await until('marked', async () => (await table(page)).filter((one) => one.cells[net].lit).length >= 2);
    const rows = await table(page);
    const lit = rows.flatMap((one) => one.cells).filter((cell) => cell.lit);
    assert.equal(new Set(lit.map((cell) => cell.ns)).size, 1, 'and nobody else');
    assert.match(await hook(page, 'matrix-said').innerText(), /network A = net:\[\d+\] · in it: \d+ init/);
  });

  here('arrow keys move, and the table is one stop of the tabulator', async (page) => {
    await page.locator('[data-place="0,0"]').focus();
    const place = () => page.evaluate(() => document.activeElement.dataset.place);
    for (const [key, wanted] of [
      ['ArrowRight', '0,1'], ['ArrowDown', '1,1'], ['End', '1,7'], ['ArrowRight', '1,7'], ['Home', '1,0'],
      ['ArrowLeft', '1,0'], ['ArrowUp', '0,0'], ['ArrowUp', '0,0'],
    ]) {
      await page.keyboard.press(key);
      assert.equal(await place(), wanted, key);
    }
    await page.keyboard.press('ArrowDown');
    await until('one stop', async () => await page.locator('.mx [tabindex="0"]').count() === 1);
    await page.keyboard.press('Tab');
    assert.equal(await place(), undefined, 'out of the table');
    await page.keyboard.press('Shift+Tab');
    assert.equal(await place(), '1,0', 'and back where one was');
  });

  here('grouped by a namespace, and only what differs', async (page) => {
    await hook(page, 'group-by').selectOption('net');
    const heads = page.locator('.mx-group');
    await until('by network', async () => /^net A \(\d+\)$/.test(await heads.first().innerText()));
    await hook(page, 'group-by').selectOption('container');
    await until('by container', async () => await heads.first().innerText() === 'The machine itself');
    await hook(page, 'only-different').check();
    await until('no host cells', async () => await page.locator('.mx .mark-initial').count() === 0);
    await hook(page, 'only-different').uncheck();
  });

  here('what is chosen stays marked, and a link brings all of it back', async (page) => {
    const net = TYPES.indexOf('net');
    const chosen = (await table(page))[0].cells[net].ns;
    await page.locator(`[data-place="0,${net}"]`).click();
    await page.locator('[data-place="1,0"]').hover();
    await until('the other in words', async () => /^process ids/.test(await hook(page, 'matrix-said').innerText()));
    await hook(page, 'type-time').click();
    await hook(page, 'type-ipc').click();
    await hook(page, 'group-by').selectOption('net');
    const [pid] = inContainer();
    await hook(page, 'pick-1').selectOption(String(pid));
    const link = new URL(page.url()).hash;
    for (const part of ['by=net', 't=pmhunc', `ns=${chosen.replace(':', '-')}`, `b=${pid}`]) {
      assert.ok(link.includes(part), `${part} in ${link}`);
    }
    await page.reload();
    await until('six columns', async () => (await table(page))[0]?.cells.length === 6);
    assert.match(await page.locator('.mx-group').first().innerText(), /^net /);
    assert.equal(await hook(page, 'pick-1').inputValue(), String(pid));
    const selected = page.locator('.mx [aria-selected="true"]');
    await until('the chosen one', async () => await selected.count() >= 2);
    assert.ok((await selected.evaluateAll((all) => all.map((cell) => cell.dataset.ns))).every((ns) => ns === chosen));
    assert.ok((await hook(page, 'matrix-said').innerText()).includes(chosen.split(':')[1]));
    await hook(page, 'matrix-let-go').click();
    await until('let go', async () => await selected.count() === 0);
    for (const type of ['type-time', 'type-ipc']) await hook(page, type).click();
    await hook(page, 'group-by').selectOption('container');
    await until('all of it again', async () => (await table(page))[0]?.cells.length === 8);
  });

  here('two processes compared, with the evidence', async (page) => {
    const [pid] = inContainer();
    await hook(page, 'pick-1').selectOption(String(pid));
    const row = page.locator('.pairs [data-kind="net"]');
    await until('the evidence', async () => (await row.innerText()).includes(`readlink /proc/${pid}/ns/net ${namespaceOf(pid, 'net')}`));
    const ids = await hook(page, 'pair-ids').innerText();
    assert.match(ids, /uid_map/);
    const words = await hook(page, 'map-words').last().textContent();
    assert.match(words, /^0–\d+ inside is \d+–\d+ on the host/);
    assert.match(await hook(page, 'pair-mounts').innerText(), /\/proc/);
    assert.match(await hook(page, 'pair-devices').innerText(), /lo \(1\)/);
  });

  here('one that only a descriptor holds has a row', async (page) => {
    await page.getByRole('button', { name: 'shell', exact: true }).click();
    await prompt(page);
    await ask(page, 'unshare --uts sleep 100 & sleep 1; exec 9</proc/$!/ns/uts; kill $!');
    const held = page.locator('.mx-held');
    await until('the row', async () => /held by descriptor 9 of PID \d+/.test(await held.allInnerTexts().then(String)), { msec: 10_000 });
  });

  for (const lang of ['en', 'zh']) {
    for (const theme of ['light', 'dark']) {
      const named = `${lang}, ${theme}`;
      before(async () => { desks[named] = await open(server, browser, { lang, theme, hash: '#/lab' }); });
      spec(`axe finds nothing (${named})`, () => desks[named], async (page) => {
        await toMatrix(page);
        await page.locator('[data-place="0,0"]').focus();
        await axe(page, `matrix, ${named}`);
        const words = await hook(page, 'matrix').innerText();
        assert.equal(/[\u4e00-\u9fff]/.test(words), lang === 'zh', 'one language');
      });
    }
  }

  before(async () => {
    desks.narrow = await open(server, browser, { viewport: { width: 320, height: 800 }, hash: '#/lab', reducedMotion: 'reduce' });
  });
  spec('nothing is wider than 320 px', () => desks.narrow, async (page) => {
    await toMatrix(page);
    await fits(page, 'matrix at 320');
    await axe(page, 'matrix at 320');
  });
});
