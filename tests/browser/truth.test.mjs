// The truth lens: real commands in a limited container, whose each number is, and the switch that
// mends it; in both languages and themes, by keyboard, from 320 px on.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, spec, startContainer } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

const HOST_KIB = Number(readFileSync('/proc/meminfo', 'utf8').match(/MemTotal:\s+(\d+)/)[1]);

/** An output of a command under a view of /proc. */
const output = (page, probe, view) => page.locator(`[data-test="truth-${probe}"] [data-view="${view}"]`);
const numbers = (page, probe, view, kind) =>
  output(page, probe, view).locator(`mark.${kind}`).allTextContents();
const isRead = (page) => until('everything is read', async () =>
  /\d\d:\d\d:\d\d/.test(await hook(page, 'truth-status').innerText()), { msec: 30_000 });

for (const [lang, theme, words] of [
  ['en', 'light', { host: 'the host’s', own: 'Vitrine’s file, from its group', no: 'Not in this image' }],
  ['zh', 'dark', { host: '宿主机的', own: 'Vitrine 的文件，按它的控制组', no: '这个镜像里没有' }],
]) {
  describe(`the truth lens, ${lang}, ${theme}`, () => {
    let desk;
    before(async () => { desk = await open(server, browser, { lang, theme, hash: '#/' }); });
    after(async () => { await desk.context.close(); });
    const here = (name, run) => spec(`${name} (${lang})`, () => desk, run);

    here('a limited container is told of the host, number by number', async (page) => {
      await startContainer(page);
      await hook(page, 'view-truth').click();
      await isRead(page);
      await hook(page, 'truth-limit').click();
      await until('it has its limits', async () =>
        /0\.5.*64 MiB/s.test(await hook(page, 'truth-facts').innerText()));
      await isRead(page);
      const free = await numbers(page, 'free', 'host', 'num');
      assert.ok(free.length >= 6 && Math.abs(Number(free[0]) - HOST_KIB) < 2, `free: ${free}`);
      // Busybox asks the kernel for some of them, and reads files for others.
      assert.deepEqual(await numbers(page, 'free', 'host', 'is-kernel'), free);
      assert.ok((await numbers(page, 'top', 'host', 'is-host')).length > 8);
      assert.match(await output(page, 'top', 'host').innerText(), new RegExp(`/proc/meminfo\\s+— ${words.host}`));
      assert.match(await hook(page, 'truth-missing').innerText(), new RegExp(`${words.no}.*getconf`));
      assert.equal(await output(page, 'getconf', 'host').count(), 0);
    });

    here('the switch mends the files, before stands beside after, and no file mends a call', async (page) => {
      await hook(page, 'truth-host').focus();
      await page.keyboard.press('ArrowDown');
      await until('our files lie there', async () =>
        /\/proc\/meminfo/.test(await hook(page, 'truth-files').innerText()));
      await until('what it is told now', async () =>
        (await numbers(page, 'top', 'own', 'is-mended')).length > 8, { msec: 15_000 });
      await isRead(page);
      assert.match(await output(page, 'top', 'own').innerText(), new RegExp(words.own));
      const total = (text) => text.match(/\d+K?/g).slice(0, 2).reduce((sum, n) => sum + parseInt(n, 10), 0);
      const mem = async (view) => total((await output(page, 'top', view).innerText()).match(/Mem:.*/)[0]);
      assert.ok(Math.abs(await mem('own') - 65_536) < 64, `used and free are of 64 MiB: ${await mem('own')}`);
      assert.ok(await mem('host') > HOST_KIB / 2, 'before is still there');
      assert.deepEqual(await numbers(page, 'free', 'own', 'is-mended'), [], 'sysinfo(2)');
      const source = output(page, 'top', 'own').getByRole('button', { name: '/proc/meminfo' });
      await source.focus();
      await page.keyboard.press('Enter');
      assert.equal(await source.getAttribute('aria-pressed'), 'true');
      assert.ok(await output(page, 'top', 'own').locator('mark.is-lit').count() > 2);
    });

    here('it is read again, the address finds it again, and a refusal is said', async (page) => {
      const status = () => hook(page, 'truth-status').innerText();
      const first = await status();
      await until('a new time', async () => {
        await hook(page, 'truth-again').click();
        await isRead(page);
        return await status() !== first;
      });
      if (lang === 'en') {
        await hook(page, 'truth-lxcfs').click();
        const alert = page.locator('.truth-switch .trouble');
        await until('lxcfs is not there', async () => /lxcfs/.test(await alert.innerText()));
        await alert.getByRole('button').click();
        await until('the choice is what is in force', () => hook(page, 'truth-own').isChecked());
      }
      await page.goto(page.url().replace('g=', 'c='));
      await page.reload();
      await isRead(page);
      assert.match(page.url(), /#\/lab\/truth\?m=\w+&g=c\d+$/);
    });

    here('it is readable by who cannot see it, and fits', async (page) => {
      await page.locator('.truth-table summary').click();
      await page.locator('.truth-no-file summary').click();
      const row = hook(page, 'truth-table').locator('tr', { hasText: 'top -b -n 1' }).filter({ hasText: 'meminfo' });
      assert.match(await row.innerText(), /\d+K/);
      await axe(page, `the truth lens, ${lang}`);
      await page.setViewportSize({ width: 320, height: 720 });
      await fits(page, `the truth lens in ${lang}`);
    });
  });
}
