// Explain my click: files old → new, the same in a shell in both dialects, all of it as a script.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { fits, hook, open, setQuota, spec, startContainer } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage();

const lines = (page) => hook(page, 'explain-lines').innerText();
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

/** Fails unless a shell can read it. */
function readable(text) {
  const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' });
  assert.equal(status, 0, `${stderr}\n${text}`);
}

describe('explain my click', () => {
  const desks = {};
  before(async () => {
    const permissions = ['clipboard-read', 'clipboard-write'];
    desks.en = await open(server, browser, { permissions });
    desks.zh = await open(server, browser, { permissions, lang: 'zh', viewport: { width: 320, height: 700 } });
  });
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });
  const here = (name, run) => spec(name, () => desks.en, run);

  here('a quota: the file old → new, and the line of this host', async (page) => {
    await startContainer(page);
    await setQuota(page, 20_000, 100_000);
    const files = hook(page, 'explain-files');
    await files.waitFor();
    assert.match(await files.innerText(), /c1\/cpu\.cfs_quota_us\s.*-1 → 20000/s);
    assert.match(await lines(page), /^echo 20000 > \/sys\/fs\/cgroup\/\S+\/root\/c1\/cpu\.cfs_quota_us\n?$/);
    assert.match(await hook(page, 'explain-v1').innerText(), /this host/);
    await hook(page, 'copy-one').click();
    await until('it says so', async () => /Copied/.test(await hook(page, 'copied').innerText()));
    assert.equal((await clipboard(page)).trim(), (await lines(page)).trim());
  });

  here('the same in the other dialect, by keyboard', async (page) => {
    await hook(page, 'explain-v1').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await until('the line of v2', async () =>
      /echo '20000 100000' > "\$cgroup\/root\/c1\/cpu\.max"/.test(await lines(page)));
    assert.equal(await hook(page, 'explain-v2').getAttribute('aria-pressed'), 'true');
  });

  here('an action before the last can be chosen', async (page) => {
    await hook(page, 'explain-v1').click();
    const which = hook(page, 'explain-which');
    const first = await which.locator('option').last().getAttribute('value');
    await which.selectOption(first);
    await hook(page, 'explain-calls').waitFor();
    assert.match(await hook(page, 'explain-calls').innerText(), /clone3/);
    const text = await lines(page);
    assert.match(text, /^#!\/bin\/sh\n/);
    assert.match(text, /unshare --pid --mount/);
    readable(text);
  });

  here('everything as a script', async (page) => {
    await hook(page, 'copy-all').click();
    await until('it is copied', async () => (await clipboard(page)).includes('trap clean_up EXIT'));
    const text = await clipboard(page);
    readable(text);
    const at = (part) => { assert.ok(text.includes(part), part); return text.indexOf(part); };
    assert.ok(at('\nset -eu\n') < at('make_group root/c1'));
    assert.ok(at('let_go c1') < at('echo 20000 > "$cpu/root/c1/cpu.cfs_quota_us"'), 'in order');
  });

  here('a browser without a clipboard is told, and the text stands there', async (page) => {
    await page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new Error('no'));
      document.execCommand = () => false;
    });
    await hook(page, 'copy-all').click();
    const area = hook(page, 'by-hand');
    await area.waitFor();
    assert.match(await hook(page, 'copied').innerText(), /no clipboard/);
    const chosen = await area.evaluate((one) => one.value.slice(one.selectionStart, one.selectionEnd));
    assert.match(chosen, /^#!\/bin\/sh/, 'selected, to be copied by hand');
  });

  spec('in Chinese, on a small screen, for everybody', () => desks.zh, async (page) => {
    await startContainer(page);
    await setQuota(page, 30_000, 100_000);
    await hook(page, 'explain-files').waitFor();
    await hook(page, 'copy-all').click();
    await until('it says so', async () => /已复制/.test(await hook(page, 'copied').innerText()));
    assert.match(await clipboard(page), /^#!\/bin\/sh\n# .*一台机器/);
    await fits(page, 'explain');
    await axe(page, 'explain');
  });
});
