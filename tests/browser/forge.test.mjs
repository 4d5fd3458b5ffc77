// The flag forge: each of the eight switches and "remount /proc" means what the kernel says it means.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';

import { until } from './harness.mjs';
import { ask, hook, open, prompt, spec, startContainer } from './lab.mjs';
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
