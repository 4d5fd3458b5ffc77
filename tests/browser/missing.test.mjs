// What is said of a server that lacks something, or that others can read along with.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, launch, until } from './harness.mjs';
import { fits, hook, mayStart, open, spec } from './lab.mjs';
import { Server } from './server.mjs';

/** No user of this host's: it has no ranges of ids, and no cgroups. */
const UID = 61_234;

describe('what a server lacks', () => {
  let browser; let rootless; let plain;
  const desks = {};
  before(async () => {
    browser = await launch();
    rootless = await Server.start([], UID);
    plain = await Server.start(['--listen', '0.0.0.0:0']);
    desks.en = await open(rootless, browser, { hash: '#/lab' });
    desks.zh = await open(rootless, browser, { lang: 'zh', theme: 'dark', hash: '#/lab' });
    desks.plain = await open(plain, browser, { hash: '#/' });
  });
  after(async () => {
    await browser?.close();
    await rootless?.stop();
    await plain?.stop();
  });

  for (const lang of ['en', 'zh']) {
    spec(`a note, and a list with reasons and commands (${lang})`, () => desks[lang], async (page) => {
      await hook(page, 'missing').waitFor();
      await axe(page, `the lab of a server that lacks something, ${lang}`);
      await fits(page, 'the note');
      await hook(page, 'missing-more').click();
      const list = await hook(page, 'cannot').innerText();
      assert.match(list, lang === 'en' ? /the cpu controller[\s\S]*delegated[\s\S]*sudo/i : /cpu 控制器[\s\S]*委派[\s\S]*sudo/i);
      assert.match(await hook(page, 'facts').innerText(), lang === 'en' ? /ordinary user/ : /普通用户/);
      await axe(page, `the list, ${lang}`);
      await page.keyboard.press('Escape');
      await hook(page, 'missing-dismiss').click();
      await until('the note is gone', async () => !await hook(page, 'missing').isVisible());
      await page.reload();
      await until('the line is open', () => page.locator('.is-live').isVisible());
      assert.ok(!await hook(page, 'missing').isVisible(), 'and stays away');
    });
  }

  spec('plain HTTP beyond loopback is said on every screen', () => desks.plain, async (page) => {
    await mayStart(page);
    assert.match(await hook(page, 'plain-http').innerText(), /Anybody on this network[\s\S]*--tls-cert/);
    await axe(page, 'the banner');
    await page.goto(`${plain.origin}/#/lab`);
    assert.ok(await hook(page, 'plain-http').isVisible());
    await fits(page, 'the banner in the lab');
  });
});
