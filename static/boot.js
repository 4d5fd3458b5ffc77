// Before the page's program is there: its language and theme, its start, and a word if it breaks.
(() => {
  'use strict';
  const root = document.documentElement;

  /** A choice kept by `prefs.rs`; a private window may have none. */
  const kept = (name) => {
    try {
      return localStorage.getItem(`vitrine.${name}`);
    } catch {
      return null;
    }
  };

  const isChinese = /^zh/i.test(kept('lang') ?? navigator.language ?? 'en');
  root.lang = isChinese ? 'zh-CN' : 'en';
  root.dataset.theme = kept('theme') ?? 'auto';
  root.dataset.size = kept('size') ?? 'normal';

  const words = () => (root.lang.startsWith('zh')
    ? {
        title: '这个页面停了下来',
        text: '页面程序遇到了意料之外的情况，不能再信任它显示的内容。服务器上的机器和容器还在；刷新后一切照旧。',
        again: '刷新页面',
        report: '发生了什么',
      }
    : {
        title: 'This page has stopped',
        text: 'Its program met something it did not expect, so what it shows can no longer be trusted. '
          + 'Your machines and containers on the server are still there; load the page again to see them.',
        again: 'Load the page again',
        report: 'What happened',
      });

  const element = (name, text, parent) => {
    const made = document.createElement(name);
    made.textContent = text;
    parent.append(made);
    return made;
  };

  let isOver = false;

  /** Covers the page with an explanation and a button. Only the first report counts. */
  const crashed = (report) => {
    if (isOver) return;
    isOver = true;
    const { title, text, again, report: summary } = words();
    const dialog = document.createElement('dialog');
    dialog.className = 'crashed';
    element('h1', title, dialog).id = 'crashed-title';
    dialog.setAttribute('aria-labelledby', 'crashed-title');
    element('p', text, dialog);
    const button = element('button', again, dialog);
    button.type = 'button';
    button.className = 'large';
    button.addEventListener('click', () => location.reload());
    const details = element('details', '', dialog);
    element('summary', summary, details);
    element('pre', report, details);
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    document.body.append(dialog);
    dialog.showModal();
    button.focus();
  };

  globalThis.vitrine = { crashed, load: (url) => import(url) };

  const meta = (name) => document.querySelector(`meta[name="vitrine-${name}"]`)?.content;
  const here = (path) => new URL(path, document.baseURI).href;

  document.addEventListener('DOMContentLoaded', async () => {
    try {
      const { default: start } = await import(here(meta('glue')));
      await start({ module_or_path: here(meta('wasm')) });
    } catch (error) {
      crashed(String(error?.stack ?? error));
    }
  });
})();
