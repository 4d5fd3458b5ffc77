// A page as a person uses it: open it, start a container, type in its terminal, read its figures.
import assert from 'node:assert/strict';
import { it } from 'node:test';

import { keepPicture, tellViolations, until, watch } from './harness.mjs';

export const LOCALE = { en: 'en-US', zh: 'zh-CN' };
/** A birth is below half a second; this machine may be busy with others. */
export const BIRTH_MSEC = 15_000;

/** The element that the page names for tests. */
export const hook = (page, name) => page.locator(`[data-test="${name}"]`);

/** A signed-in page in a language and a theme, watched from the first request on; `init` runs in it before its own program. */
export async function open(server, browser, { lang = 'en', theme = 'light', allow, hash = '', init = [], ...options } = {}) {
  const { context, url } = await server.context(browser, {
    locale: LOCALE[lang], colorScheme: theme, ...options,
  });
  await tellViolations(context);
  for (const script of init) await context.addInitScript(script);
  const page = await context.newPage();
  page.setDefaultTimeout(BIRTH_MSEC);
  const watched = watch(page, server.origin, allow);
  await page.goto(url + hash);
  return { page, context, watched };
}

/**
 * A test on a page: keeps a picture when it fails, and fails when the page did what it may not.
 * `run` gets the page, and a function that prints a figure it measured.
 */
export function spec(name, desk, run, timeout = 60_000) {
  it(name, { timeout }, async (test) => {
    const { page, watched } = desk();
    try {
      await run(page, (figure) => test.diagnostic(figure));
      watched.check();
    } catch (err) {
      err.message += `\npicture: ${await keepPicture(page, name)}`;
      throw err;
    }
  });
}

/** Waits until the large button may be pressed: the line to the server is open. */
export const mayStart = (page) => until('the button may be pressed', async () =>
  await hook(page, 'start').getAttribute('aria-disabled') === 'false');

/** The large button; gives back when a prompt is there to be typed at. */
export async function startContainer(page) {
  await mayStart(page);
  await hook(page, 'start').click();
  await prompt(page);
}

/** Waits for a terminal with a prompt, or for the page to say why there is none. */
export async function prompt(page) {
  const trouble = page.locator('.trouble:visible');
  await until('a prompt', async () =>
    /[#$] ?$/.test(await screen(page)) || await trouble.count() > 0, { msec: BIRTH_MSEC });
  if (await trouble.count() > 0) assert.fail(`no prompt, but: ${await trouble.first().innerText()}`);
  // The first key after a prompt and a change of size is now and then lost in BusyBox's line editor,
  // which asks where the cursor is and draws its line anew: it gets one that nobody misses.
  await page.locator('.xterm-helper-textarea').press('Space');
  await page.keyboard.press('Backspace');
}

/** Everything the terminal shows, wrapped lines joined. */
export const screen = (page) => page.evaluate(() => {
  const hosts = [...document.querySelectorAll('.xterm')].map((made) => made.parentElement);
  return hosts.map((host) => host.vitrineTerminal?.text() ?? '').join('\n');
});

let asked = 0;

/** Types a line at the prompt and gives what it printed. */
export async function ask(page, line, { msec = 8000 } = {}) {
  asked += 1;
  const end = `end-${asked}`;
  await page.locator('.xterm-helper-textarea').focus();
  // The shell joins the two halves: the line that is typed does not contain the word.
  await page.keyboard.type(`${line}; echo "en""d-${asked}"`);
  await page.keyboard.press('Enter');
  const typed = `d-${asked}"\n`;
  const whole = await until(`the answer to ${line}`, async () => {
    const text = await screen(page);
    const after = text.slice(text.lastIndexOf(typed) + typed.length);
    return text.includes(typed) && after.includes(end) && after;
  }, { msec });
  return whole.slice(0, whole.indexOf(end)).trim();
}

/** The first number in a text. */
export const figure = (text) => Number(text?.match(/-?\d+(\.\d+)?/)?.[0] ?? NaN);

/** The CPU that the page shows, in per cent of one CPU. */
export const cpuNow = async (page) => figure(await hook(page, 'cpu-now').first().textContent());

/** An eye's rows, top to bottom: the host's PID, what is shown, and where. */
export const rows = (page, eye) => hook(page, eye).locator('[data-host-pid]').evaluateAll((all) =>
  all.map((row) => {
    const cell = (name) => row.querySelector(`.${name}`)?.textContent;
    const { top, bottom, left, right } = row.getBoundingClientRect();
    return { hostPid: Number(row.dataset.hostPid), pid: Number(cell('pid')), nspid: cell('nspid'),
      top, bottom, left, right };
  }));

/** Sets quota and period by the number fields. */
export async function setQuota(page, quota, period) {
  await hook(page, 'quota').fill(String(quota));
  await hook(page, 'period').fill(String(period));
  await page.keyboard.press('Enter');
}

/** Fails unless the page fits its width. */
export async function fits(page, what) {
  const { width, wide } = await page.evaluate(() => ({
    width: document.documentElement.clientWidth,
    wide: document.documentElement.scrollWidth,
  }));
  assert.ok(wide <= width, `${what}: ${wide} px wide in ${width} px`);
}
