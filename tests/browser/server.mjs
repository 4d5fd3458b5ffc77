// A `vitrine serve` of the test's own, what the kernel says about it, and the proof that it is gone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { ROOT, needProgram, until } from './harness.mjs';

/** The eight types of namespace, by their names in /proc. */
export const TYPES = ['pid', 'mnt', 'uts', 'ipc', 'user', 'net', 'cgroup', 'time'];
const BINARY = process.env.VITRINE_BIN ?? join(ROOT, 'target/release/vitrine');
const TICKS = 100; // USER_HZ of every Linux
const START_MSEC = 20_000; // the first start builds the image
const STOP_MSEC = 10_000;

/** A file of the kernel's, or nothing when its process is gone. */
export function peek(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** What `/proc/<pid>/stat` says, or null: `parent`, `ticks` of CPU used, and `born`. */
export function stat(pid) {
  const text = peek(`/proc/${pid}/stat`);
  if (!text) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = [fields[0], Number(fields[1])];
  return { state, parent, ticks: Number(fields[11]) + Number(fields[12]), born: fields[19] };
}

/** The command line, words joined by spaces. */
export const commandLine = (pid) => (peek(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim();

/** The PIDs of a process in each PID namespace, the host's first. */
export function pidsOf(pid) {
  const line = peek(`/proc/${pid}/status`)?.match(/^NSpid:\s*(.*)$/m)?.[1] ?? '';
  return line.split(/\s+/).filter(Boolean).map(Number);
}

/** Inode of one of a process's namespaces, as the kernel writes it: `pid:[4026531836]`. */
export const namespaceOf = (pid, type) => readlinkSync(`/proc/${pid}/ns/${type}`);

/** A process and everything below it. */
export function tree(root) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map(pids.map((pid) => [pid, stat(pid)?.parent]));
  const found = [root];
  for (let i = 0; i < found.length; i += 1) {
    for (const [pid, parent] of parents) if (parent === found[i]) found.push(pid);
  }
  return found.filter((pid) => parents.has(pid));
}

/** CPU a process uses now, in per cent of one CPU, over some time. */
export async function cpuPercent(pid, msec = 1000) {
  const [from, begin] = [stat(pid)?.ticks, process.hrtime.bigint()];
  await new Promise((then) => setTimeout(then, msec));
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  return ((stat(pid)?.ticks ?? NaN) - from) / TICKS / seconds * 100;
}

/** The directories of a process's cgroups, and those above, up to Vitrine's own. */
function cgroupsOf(pid) {
  const lines = (peek(`/proc/${pid}/cgroup`) ?? '').split('\n').filter((l) => l.includes('/vitrine/'));
  return lines.flatMap((line) => {
    const [, controllers, path] = line.match(/^\d+:([^:]*):(.*)$/);
    const mount = controllers.split(',')[0].replace('name=', '') || 'unified';
    const dirs = [];
    for (let at = path; !at.endsWith('/vitrine'); at = at.slice(0, at.lastIndexOf('/'))) dirs.push(at);
    return dirs.map((dir) => `/sys/fs/cgroup/${mount}${dir}`);
  });
}

export class Server {
  #child; #output = ''; #data; #cookies = null;

  /** Starts one on a free port with a new data directory; `more` are further arguments,
   *  `uid` an ordinary user to start it as. */
  static async start(more = [], uid = 0) {
    assert.equal(process.getuid(), 0, 'the browser tests start real containers: run them as root');
    needProgram(resolve(BINARY), 'build it with `cargo xtask run`, or name another in VITRINE_BIN');
    const server = new Server();
    server.#data = mkdtempSync(join(tmpdir(), 'vitrine-browser-'));
    chownSync(server.#data, uid, uid);
    const listen = more.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
    const args = ['serve', ...listen, '--data', server.#data, ...more];
    server.#child = spawn(resolve(BINARY), args, {
      stdio: ['ignore', 'pipe', 'pipe'], uid, gid: uid,
      env: { ...process.env, HOME: server.#data, XDG_CONFIG_HOME: '', XDG_RUNTIME_DIR: '' },
    });
    for (const stream of [server.#child.stdout, server.#child.stderr]) {
      stream.on('data', (bytes) => { server.#output += bytes; });
    }
    try {
      const find = () => server.#child.exitCode === null && server.output.match(/http:\/\/(?:127\.0\.0\.1|localhost):\d+\/#token=\S+/);
      [server.link] = await until('the server prints its link', find, { msec: START_MSEC });
    } catch (err) {
      await server.kill();
      err.message += `\nit said:\n${server.output}`;
      throw err;
    }
    server.origin = new URL(server.link).origin;
    return server;
  }

  get pid() { return this.#child.pid; }

  get output() { return this.#output.replace(/\x1b\[[\d;]*m/g, ''); }

  /** The PID of the web process. */
  web() {
    return tree(this.pid).find((pid) => commandLine(pid).startsWith('vitrine-web'));
  }

  /** The machine's PID 1: one PID namespace below the host's. */
  machineInit() {
    return tree(this.pid).find((pid) => pidsOf(pid).length === 2 && pidsOf(pid)[1] === 1);
  }

  /** A context that is signed in. The link works once; later contexts get the cookie it gave. */
  async context(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, ...options });
    if (this.#cookies) {
      await context.addCookies(this.#cookies);
      return { context, url: `${this.origin}/` };
    }
    const page = await context.newPage();
    await page.goto(this.link);
    this.#cookies = await until('the link becomes a cookie', async () => {
      const cookies = await context.cookies();
      return cookies.length > 0 && cookies;
    });
    await page.close();
    return { context, url: `${this.origin}/` };
  }

  /** Ends it, and fails if a process or a cgroup of it is left. */
  async stop() {
    const pids = tree(this.pid);
    const born = new Map(pids.map((pid) => [pid, stat(pid)?.born]));
    const groups = [...new Set(pids.flatMap(cgroupsOf))];
    try {
      assert.equal(this.#child.exitCode, null, 'the server ended by itself');
      this.#child.kill('SIGTERM');
      await until('the server ends', () => this.#child.exitCode !== null || this.#child.signalCode,
        { msec: STOP_MSEC });
      const left = () => pids.filter((pid) => stat(pid)?.born === born.get(pid) && stat(pid)?.state !== 'Z');
      const dirs = () => groups.filter((dir) => existsSync(dir));
      await until('nothing is left', () => left().length + dirs().length === 0
        || Promise.reject(`processes ${left().map(commandLine)}, cgroups ${dirs()}`), { msec: 3000 });
    } catch (err) {
      err.message += `\nthe server said:\n${this.output.slice(-4000)}`;
      throw err;
    } finally {
      await this.kill();
    }
  }

  /** Ends it whatever happens, and takes its directory away. */
  async kill() {
    if (this.#child.exitCode === null && !this.#child.signalCode) {
      this.#child.kill('SIGKILL');
      await until('the server is killed', () => this.#child.exitCode !== null || this.#child.signalCode);
    }
    rmSync(this.#data, { recursive: true, force: true });
  }
}
