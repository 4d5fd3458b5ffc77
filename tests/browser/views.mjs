// Every view that there is, in one place: what is checked and pictured in all of them finds them here.
// A new lens is one line.
import assert from 'node:assert/strict';

import { until } from './harness.mjs';
import { hook, rows } from './lab.mjs';

/** By link: a name, the address after the origin, and what is there when the view is. */
const linked = (name, hash, there, settled) => ({ name, hash, there, settled });
/** By a button of the lab that has no address: `leave` goes away again. */
const pressed = (name, button, there, leave) => ({ name, hash: '#/lab', button, there, leave });
const escape = (page) => page.keyboard.press('Escape');

export const VIEWS = [
  linked('start', '#/', 'start'),
  linked('eyes', '#/lab', 'eye-host', async (page) => (await rows(page, 'eye-host')).length > 0),
  linked('cpu', '#/lab/cpu', 'cpu-lens'),
  linked('uses', '#/lab/uses', 'uses'),
  linked('matrix', '#/lab/matrix', 'matrix', async (page) => await page.locator('[data-place="0,0"]').count() > 0),
  linked('groups', '#/lab/groups', 'group-row'),
  linked('truth', '#/lab/truth', 'truth-top', async (page) =>
    /\d\d:\d\d:\d\d/.test(await hook(page, 'truth-status').innerText())),
  linked('leaks', '#/lab/leaks', 'leak-uts', async (page) =>
    /of 8|8 项/.test(await hook(page, 'leaks-status').innerText())),
  linked('rosetta', '#/lab/rosetta', 'rosetta'),
  linked('birth-lens', '#/lab/birth', 'birth'),
  pressed('birth', 'tab-birth', 'tab-birth'),
  pressed('explain', 'tab-explain', 'tab-explain'),
  pressed('about', 'about-open', 'facts', escape),
  pressed('end', 'end-machine', 'end-no', escape),
  pressed('forge', 'another', 'forge-start', async (page, server) => {
    await page.goto(`${server.origin}/#/`);
    await hook(page, 'start').waitFor();
  }),
];

/** Goes to a view of the machine that the page has, and waits until it is there. */
export async function show(page, server, { hash, button, there, settled }) {
  if (new URL(page.url()).hash.split('?')[0] !== hash) await page.goto(`${server.origin}/${hash}`);
  if (button) await hook(page, button).click();
  await hook(page, there).first().waitFor();
  if (settled) await until(`the view at ${hash} is settled`, () => settled(page));
}

/** And away from it, to where a link leads to the next. */
export const leave = (page, server, view) => view.leave?.(page, server);

/** Fails unless what the page says is in its language. */
export async function oneLanguage(page, lang, what) {
  const words = await page.evaluate(() => {
    const shown = document.querySelector('dialog[open]') ?? document.body;
    return shown.innerText.replace('中文', '');
  });
  const chinese = words.match(/[\u4e00-\u9fff]+/);
  assert.equal(chinese !== null, lang === 'zh', `${what} speaks one language: ${chinese}`);
}
