// What every browser spec stands on: a browser, pages that are watched, and conditions to wait for.
import assert from 'node:assert/strict';
import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const CHROMIUM = process.env.VITRINE_CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** A package from npm, or an error that says what to type. */
function need(name) {
  try {
    return require(name);
  } catch (cause) {
    throw new Error(`the browser tests need the npm package ${name}: run \`npm ci\``, { cause });
  }
}

/** A program, or an error that says what is missing. */
export function needProgram(path, how) {
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    throw new Error(`the browser tests need ${path}: ${how}`, { cause });
  }
  return path;
}

/** Chromium with a fresh profile of its own. */
export async function launch() {
  const { chromium } = need('playwright-core');
  const executablePath = needProgram(CHROMIUM, 'apt-get install chromium fonts-noto-cjk');
  return chromium.launch({ executablePath, args: FLAGS, headless: true });
}

/** Chromium with a profile that others may look into by a debugger's port: its one context. */
export async function launchAt(profile, port) {
  const { chromium } = need('playwright-core');
  const executablePath = needProgram(CHROMIUM, 'apt-get install chromium fonts-noto-cjk');
  const args = [...FLAGS, `--remote-debugging-port=${port}`];
  return chromium.launchPersistentContext(profile, { executablePath, args, headless: true });
}

/** Waits until `probe` gives something true, and gives that; else fails with what it gave last. */
export async function until(what, probe, { msec = 5000, every = 40 } = {}) {
  const end = Date.now() + msec;
  for (;;) {
    let last;
    try {
      last = await probe();
      if (last) return last;
    } catch (err) {
      last = err;
    }
    assert.ok(Date.now() < end, `${what}: not within ${msec} ms; last: ${last}`);
    await new Promise((then) => setTimeout(then, every));
  }
}

/**
 * Watches a page for what may never happen: an error, a refused style or script, a request to
 * another origin. `seen` is all of it, `check()` fails with it; `allow` is a pattern of errors a spec causes.
 */
export function watch(page, origin, allow = null) {
  const seen = [];
  const note = (what) => { if (!allow?.test(what)) seen.push(what); };
  page.on('pageerror', (err) => note(`uncaught: ${err.stack ?? err}`));
  page.on('console', (message) => {
    if (message.type() === 'error') note(`console: ${message.text()} ${message.location().url}`);
  });
  const foreign = (url) => {
    const { protocol, origin: from } = new URL(url.replace(/^ws/, 'http'));
    if (!['data:', 'blob:'].includes(protocol) && from !== origin) note(`request to ${url}`);
  };
  page.on('request', (request) => foreign(request.url()));
  page.on('websocket', (socket) => foreign(socket.url()));
  return { seen, check: () => assert.deepEqual(seen, [], 'the page did what no page may do') };
}

/** Reports refusals of the content security policy as console errors, whatever made them. */
export async function tellViolations(context) {
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`CSP ${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`);
    });
  });
}

/** Fails with every rule of axe-core that the page breaks. */
export async function axe(page, what) {
  need('axe-core');
  // Through the debugger, so the page's own policy stays in force.
  await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const told = violations.map(({ id, help, nodes }) => ({
    id, help, nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`),
  }));
  assert.deepEqual(told, [], `axe: ${what}`);
  assert.ok(passes.length > 5, `axe looked at ${what}`);
}

/** Keeps a picture of a page that failed below target/browser. */
export async function keepPicture(page, name) {
  const path = join(ROOT, 'target/browser', `${name.replace(/[^\w]+/g, '-')}.png`);
  mkdirSync(dirname(path), { recursive: true });
  await page.screenshot({ path }).catch(() => {});
  return path;
}
