// A lab machine: chosen where there is a choice, with a shell in the machine itself; images.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { ask, hook, mayStart, open, prompt, rows, spec } from './lab.mjs';
import { browser, onStage, server } from './stage.mjs';

onStage(['--profile', 'lab']);

describe('a lab machine', () => {
  let desk;
  before(async () => { desk = await open(server, browser, { hash: '#/' }); });
  after(async () => { await desk?.context.close(); });
  const step = (name, run) => spec(name, () => desk, run);

  step('the page says what lab gives up, and starts one with a shell', async (page) => {
    await mayStart(page);
    assert.match(await hook(page, 'profiles').innerText(), /people you know[\s\S]*mount, unshare/);
    await axe(page, 'start with a choice of profiles');
    await hook(page, 'profile-lab').check();
    await hook(page, 'start').click();
    await prompt(page);
    assert.match(await hook(page, 'machine').innerText(), /\blab\b/);
    assert.equal(await page.locator('.name[aria-pressed="true"]').innerText(), 'shell');
  });

  step('ps in the shell shows the machine, as the machine\'s eye does', async (page) => {
    const seen = await ask(page, 'ps -e -o pid=,comm=');
    assert.match(seen, /^\s*1 init/m);
    const shown = await rows(page, 'eye-container');
    assert.equal(shown[0].pid, 1, 'its first row is the machine\'s PID 1');
    assert.equal(shown[0].hostPid, server.machineInit());
    assert.match(await hook(page, 'eye-container').innerText(), /the machine’s ps/);
    await axe(page, 'a shell in the machine');
  });

  step('a container from the lab image has the program that goes with it', async (page) => {
    await hook(page, 'another').click();
    await hook(page, 'forge-rootfs').selectOption({ label: 'lab' });
    assert.equal(await hook(page, 'forge-program').inputValue(), '/bin/bash');
    await hook(page, 'forge-program').fill('bash --norc -c "echo \'');
    assert.equal(await hook(page, 'forge-start').getAttribute('aria-disabled'), 'true');
    await hook(page, 'forge-program').fill('/bin/bash --norc');
    await hook(page, 'forge-start').click();
    await until('it is chosen', async () => await page.locator('.name[aria-pressed="true"]').innerText() === 'c1');
    await prompt(page);
    assert.match(await ask(page, 'bash --version'), /GNU bash/);
  });
});
