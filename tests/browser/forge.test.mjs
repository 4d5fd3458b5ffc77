// The flag forge: each of the eight switches and "remount /proc" means what the kernel says it means.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { axe, until } from './harness.mjs';
import { ask, fits, hook, open, prompt, spec, startContainer } from './lab.mjs';
import { namespaceOf, peek } from './server.mjs';
import { browser, onStage, server } from './stage.mjs';

/** Each switch, the kernel's name of its type, and what a shell sees when it is the only one on. */
const SWITCHES = {
  pid: { type: 'pid', line: 'echo $$', meaning: /^1$/ },
  mount: { type: 'mnt', line: 'grep -c " /proc " /proc/mounts', meaning: /^[1-9]/ },
  uts: { type: 'uts', line: 'hostname', meaning: /^forged$/ },
  ipc: { type: 'ipc', line: 'ls -d /proc/sys/kernel/shmmax', meaning: /shmmax/ },
  user: { type: 'user', line: 'id -u; cat /proc/self/uid_map', meaning: /^0\n\s*0\s+\d+\s+\d+$/ },
  net: { type: 'net', line: 'tail -n +3 /proc/net/dev | cut -d: -f1', meaning: /^lo$/ },
  cgroup: { type: 'cgroup', line: 'grep :cpu /proc/self/cgroup', meaning: /^(\d+:cpu\S*:\/\s*)+$/ },
  time: { type: 'time', line: 'cat /proc/self/timens_offsets', meaning: /monotonic\s+0/ },
};
const NAMES = Object.keys(SWITCHES);

onStage();

/** Starts a container with just these switches on; gives its first process's host PID. */
async function forge(page, on, { proc = false } = {}) {
  await hook(page, 'another').click();
  for (const name of NAMES) await hook(page, `forge-${name}`).setChecked(on.includes(name));
  if (on.includes('mount')) await hook(page, 'forge-proc').setChecked(proc);
  else assert.ok(await hook(page, 'forge-proc').isDisabled(), '/proc needs mount');
  if (on.includes('uts')) await hook(page, 'forge-hostname').fill('forged');
  const before = await firstPid(page);
  await hook(page, 'forge-start').click();
  const pid = await until('the new container is shown', async () => {
    const now = await firstPid(page);
    return now && now !== before && now;
  });
  await prompt(page);
  return pid;
}

/** The host PID that the page shows for the chosen container. */
const firstPid = async (page) => Number(await page.locator('.is-ours[data-host-pid]').first()
  .getAttribute('data-host-pid', { timeout: 1000 }).catch(() => 0));

async function end(page, pid) {
  await hook(page, 'end-container').click();
  await until('it has ended', () => peek(`/proc/${pid}/stat`) === null);
}

/** What the page says of each row, once everything has been asked. */
async function verdicts(page) {
  await until('everything is answered', async () =>
    /of 8|8 项/.test(await hook(page, 'leaks-status').innerText()), { msec: 20_000 });
  const of = (name) => hook(page, `leak-${name}`).locator('[data-verdict]').getAttribute('data-verdict');
  return Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await of(name)])));
}

for (const [lang, theme, changed] of [['en', 'light', /c1: hidden/], ['zh', 'dark', /c1：藏住了/]]) {
  describe(`what leaks, ${lang}, ${theme}`, () => {
    let desk;
    before(async () => { desk = await open(server, browser, { lang, theme, hash: '#/' }); });
    // The next page would find this machine, with its containers.
    after(async () => {
      await hook(desk.page, 'end-machine').click();
      await hook(desk.page, 'end-yes').click();
      await until('no machine', () => !server.machineInit());
      await desk.context.close();
    });
    const here = (name, run) => spec(`${name} (${lang})`, () => desk, run);
    const own = { pid: 'Hidden', mount: 'Hidden', uts: 'Hidden', user: 'Hidden', cgroup: 'Hidden',
      ipc: 'Alike', net: 'Alike', time: 'Alike' };

    here('with all flags nothing leaks, and the evidence opens by keyboard', async (page) => {
      await startContainer(page);
      await hook(page, 'view-leaks').click();
      assert.deepEqual(await verdicts(page), own);
      const row = hook(page, 'leak-ipc');
      await row.locator('summary').focus();
      await page.keyboard.press('Enter');
      const inside = row.locator('[data-side="inside"]');
      // Busybox has no ipcs: that is said, and the kernel's files are read instead.
      assert.match(await inside.first().innerText(), /\(ipcs\).*cat \/proc\/sysvipc/s);
      assert.match(await inside.nth(1).innerText(), /msqid/);
      assert.match(await row.innerText(), /ipc:\[\d+\]/);
      await axe(page, `what leaks, ${lang}`);
    });

    here('a flag off and started anew: the machine shows, before stands beside after', async (page) => {
      await hook(page, 'flag-uts').uncheck();
      await hook(page, 'flag-proc').uncheck();
      await hook(page, 'leaks-start').click();
      await until('the next one is looked at', async () =>
        /c2/.test(await hook(page, 'leaks-status').innerText()));
      assert.deepEqual(await verdicts(page), { ...own, uts: 'Leaks', pid: 'Leaks' });
      assert.match(await hook(page, 'leak-uts').locator('.is-changed').innerText(), changed);
      await hook(page, 'leak-uts').locator('summary').click();
      assert.match(await hook(page, 'leak-uts').locator('[data-side="inside"]').first().innerText(), /machine-/);
      await page.setViewportSize({ width: 320, height: 720 });
      await fits(page, `what leaks in ${lang}`);
      await hook(page, 'another').click();
      assert.equal((await verdicts(page)).uts, 'Leaks', 'beside the switches of the forge too');
      await fits(page, `the forge in ${lang}`);
      const boxes = await page.locator('.pane-head').evaluateAll((all) =>
        all.every((head) => head.scrollWidth <= head.clientWidth));
      assert.ok(boxes, 'no switch is cut');
    });
  });
}

describe('the forge', () => {
  const desks = {};
  after(async () => { for (const { context } of Object.values(desks)) await context.close(); });

  for (const lang of ['en', 'zh']) {
    before(async () => { desks[lang] = await open(server, browser, { lang, hash: '#/' }); });
    const here = (name, run) => spec(`${name} (${lang})`, () => desks[lang], run);

    here('the machine is there', (page) => startContainer(page));

    here('a new PID namespace without remounting /proc still shows the machine', async (page) => {
      const pid = await forge(page, ['pid', 'mount']);
      assert.equal(await ask(page, 'echo $$'), '1');
      const seen = (await ask(page, 'ps')).split('\n').slice(1);
      assert.doesNotMatch(seen[0], /^\s*1\s.*sh$/, 'PID 1 there is the machine\'s');
      await end(page, pid);
    });

    here('with /proc remounted it shows only its own', async (page) => {
      const pid = await forge(page, ['pid', 'mount'], { proc: true });
      const seen = (await ask(page, 'ps')).split('\n').slice(1);
      assert.equal(seen.length, 2, seen.join('|'));
      assert.match(seen[0], /^\s*1\s.*sh$/);
      await end(page, pid);
    });
  }

  for (const name of NAMES) {
    spec(`${name} alone is new, the rest is the machine's`, () => desks.en, async (page) => {
      const pid = await forge(page, [name]);
      const machine = server.machineInit();
      for (const other of NAMES) {
        const { type } = SWITCHES[other];
        const isNew = namespaceOf(pid, type) !== namespaceOf(machine, type);
        assert.equal(isNew, other === name, `${type} with only ${name} on`);
      }
      const { type, line, meaning } = SWITCHES[name];
      assert.match(await ask(page, line), meaning);
      assert.equal(await ask(page, `readlink /proc/self/ns/${type}`), namespaceOf(pid, type));
      await end(page, pid);
    });
  }

  spec('none is new: everything is the machine\'s', () => desks.en, async (page) => {
    const pid = await forge(page, []);
    const machine = server.machineInit();
    for (const { type } of Object.values(SWITCHES)) {
      assert.equal(namespaceOf(pid, type), namespaceOf(machine, type), type);
    }
    assert.notEqual(await ask(page, 'hostname'), 'forged');
    assert.doesNotMatch(await ask(page, 'grep :cpu /proc/self/cgroup'), /:\/$/m);
    await end(page, pid);
  });
});
