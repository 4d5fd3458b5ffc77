// What Lighthouse says of the start page and of the lab, in real Chromium: tables for
// `cargo xtask bench`, which puts Lighthouse into a directory of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { launchAt, until } from '../harness.mjs';
import { hook, prompt, startContainer } from '../lab.mjs';
import { Server } from '../server.mjs';

const [RUNS, TOOLS] = [Number(process.argv[2] ?? 3), process.argv[3]];
if (!TOOLS) throw new Error('where is Lighthouse? `cargo xtask bench --only lighthouse` says it');
const lighthouse = await import(pathToFileURL(join(TOOLS, 'node_modules/lighthouse/core/index.js')));
const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'];
const GOALS = { performance: 95, accessibility: 100, 'best-practices': 100, seo: 100 };
/** As Lighthouse means it: a phone on a slow line, and a desktop. */
const FORMS = { phone: undefined, desktop: lighthouse.desktopConfig };

/** A free port, for the browser's debugger. */
const freePort = () => new Promise((then, fail) => {
  const listener = createServer().on('error', fail).listen(0, '127.0.0.1', () => {
    const { port } = listener.address();
    listener.close(() => then(port));
  });
});

/** One audit: points by category, and what cost points. */
async function audit(url, port, config) {
  // Where we are signed in is kept; what is cached is not.
  const flags = { port, output: 'json', logLevel: 'error', onlyCategories: CATEGORIES, disableStorageReset: true };
  const { lhr } = await lighthouse.default(url, flags, config);
  if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
  const points = Object.fromEntries(CATEGORIES.map((name) => [name, Math.round(lhr.categories[name].score * 100)]));
  const lost = CATEGORIES.filter((name) => name !== 'performance').flatMap((name) => lhr.categories[name].auditRefs)
    .filter(({ id, weight }) => weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 1)
    .map(({ id }) => id);
  return { points, lost, version: lhr.lighthouseVersion };
}

const profile = mkdtempSync(join(tmpdir(), 'vitrine-lighthouse-'));
const port = await freePort();
const context = await launchAt(profile, port);
const server = await Server.start();
try {
  const page = await context.newPage();
  await page.goto(server.link);
  await until('the link becomes a cookie', async () => (await context.cookies()).length > 0);
  await startContainer(page);
  await prompt(page);
  await hook(page, 'eye-host').waitFor();
  await page.goto('about:blank');
  for (const [screen, hash] of [['start', '#/'], ['lab', '#/lab']]) {
    const rows = new Map();
    const lost = new Set();
    let version;
    for (let run = 0; run < RUNS; run += 1) {
      for (const [form, config] of Object.entries(FORMS)) {
        const told = await audit(`${server.origin}/${hash}`, port, config);
        version = told.version;
        told.lost.forEach((id) => lost.add(id));
        for (const name of CATEGORIES) {
          const what = `${name}, ${form}`;
          if (!rows.has(what)) rows.set(what, { what, samples: [], goals: [{ of: 'median', at_least: GOALS[name] }] });
          rows.get(what).samples.push(told.points[name]);
        }
      }
    }
    console.log(JSON.stringify({
      title: `Lighthouse ${version}, the ${screen === 'lab' ? 'lab with a container' : 'start page'}`, unit: 'points of 100', rows: [...rows.values()],
      notes: lost.size > 0 ? [`Points were lost by: ${[...lost].join(', ')}.`] : [],
    }));
  }
} finally {
  await context.close();
  await server.stop();
  rmSync(profile, { recursive: true, force: true });
}
