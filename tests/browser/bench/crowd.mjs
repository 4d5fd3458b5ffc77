// Many real processes and groups in the machine that a page looks at.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

import { until } from '../harness.mjs';
import { ask, hook, prompt, startContainer } from '../lab.mjs';
import { commandLine, peek, tree } from '../server.mjs';

/** Flags for a server whose machines hold a crowd. */
export const FOR_A_CROWD = ['--machine-pids', '1500', '--machine-memory', '2g'];
/** In v1 a group is a directory in each of these; in v2 they are one. */
const CONTROLLERS = ['cpu', 'cpuacct', 'memory', 'pids'];

/** The machine's own root in each of the hierarchies that are there. */
function roots(server) {
  const lines = peek(`/proc/${server.machineInit()}/cgroup`).split('\n').filter((line) => line.includes('/vitrine/'));
  const found = lines.flatMap((line) => {
    const [, names, path] = line.match(/^\d+:([^:]*):(.*)$/);
    const mount = CONTROLLERS.find((one) => names.split(',').includes(one));
    return mount ? [`/sys/fs/cgroup/${mount}${path.replace(/\/shell$/, '')}`] : [];
  });
  assert.ok(found.length > 0, 'the crowd needs the cgroup v1 controllers of a machine');
  return [...new Set(found)];
}

/**
 * Starts a container on the page, with `processes` sleeping in it, and makes `groups` groups in the
 * machine with a process in each. One loop is busy, and throttled.
 */
export async function crowd(server, page, { processes, groups }) {
  await startContainer(page);
  // Short: a line that the shell itself wraps is not read again as one.
  await ask(page, `(for i in $(seq ${processes});do sleep 99999& done) >/dev/null 2>&1`, { msec: 60_000 });
  const sleepers = await until(`${processes} processes`, () => {
    const found = tree(server.pid).filter((pid) => commandLine(pid) === 'sleep 99999');
    return found.length >= processes && found;
  }, { msec: 60_000, every: 500 });
  // The first by the page's own command: from then on what anybody makes in the machine is told.
  await hook(page, 'view-groups').click();
  await page.locator('[data-test="group-row"][data-key="root"] .g-text').click();
  await hook(page, 'group-grid').focus();
  await page.keyboard.press('n');
  await hook(page, 'group-value').fill('many');
  await page.keyboard.press('Enter');
  await until('the group is there', () => roots(server).every((root) => existsSync(`${root}/many`)));
  for (const root of roots(server)) {
    for (let i = 0; i < groups - 1; i += 1) {
      const group = `${root}/many/g${String(i).padStart(3, '0')}`;
      mkdirSync(group);
      writeFileSync(`${group}/tasks`, `${sleepers[i]}`);
    }
  }
  await until('the groups are told', async () => {
    const lines = Number(await hook(page, 'group-grid').getAttribute('aria-rowcount'));
    return lines > processes + groups || Promise.reject(`${lines} lines`);
  }, { msec: 30_000, every: 500 });
  await hook(page, 'view-eyes').click();
  await hook(page, 'busy').click();
  await hook(page, 'quota').fill('20000');
  await page.keyboard.press('Enter');
  await prompt(page);
}

/**
 * Marks each sample in the trace, as `sample <when it was read>`, as soon as it arrives: for
 * `addInitScript`. The head of a postcard frame: Event, Sample, 32 hex digits, a varint.
 */
export function markSamples() {
  const Real = globalThis.WebSocket;
  globalThis.samples = 0;
  const read = ({ data }) => {
    if (!(data instanceof ArrayBuffer)) return;
    const bytes = new Uint8Array(data, 0, Math.min(48, data.byteLength));
    if (bytes[0] !== 2 || bytes[1] !== 2 || bytes[2] !== 32) return;
    let msec = 0;
    for (let i = 35, unit = 1; i < bytes.length; i += 1, unit *= 128) {
      msec += (bytes[i] & 127) * unit;
      if (bytes[i] < 128) break;
    }
    globalThis.samples += 1;
    performance.mark(`sample ${msec}`);
    performance.clearMarks();
  };
  globalThis.WebSocket = class extends Real {
    constructor(...words) {
      super(...words);
      this.addEventListener('message', read);
    }
  };
}
