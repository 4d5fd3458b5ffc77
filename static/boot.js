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
  root.dataset.motion = kept('motion') ?? 'on';

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

  /** The line to the server, and what it said before the program listens (see `early.rs`). */
  const openLine = () => {
    const socket = new WebSocket(`${location.protocol.replace('http', 'ws')}//${location.host}/api/ws`, 'vitrine.v1.postcard');
    socket.binaryType = 'arraybuffer';
    const heard = [];
    const listen = ({ data }) => heard.push(data);
    socket.addEventListener('message', listen);
    return { socket, take: () => (socket.removeEventListener('message', listen), heard) };
  };

  const meta = (name) => document.querySelector(`meta[name="vitrine-${name}"]`)?.content;
  const here = (path) => new URL(path, document.baseURI).href;

  /** On a host that only hands out files everything is simulated, and kept for when there is no network. */
  if (meta('server') === 'none') {
    const hash = location.hash || '#/';
    if (!/[?&]sim=/.test(hash)) history.replaceState(null, '', `${hash}${hash.includes('?') ? '&' : '?'}sim=v1`);
    // Without a worker (plain http, a private window) the page works, but not offline.
    navigator.serviceWorker?.register(here(meta('worker'))).catch(() => {});
  }

  /** Asks who we are while the program is still on its way. A token must be exchanged first, and who
   *  wants the simulator asks nobody. */
  const ask = async () => {
    const status = await fetch('/api/session').then((response) => response.status, () => 0);
    return { status, ...(status === 200 ? openLine() : {}) };
  };
  let early = /^#token=|[?&]sim=/.test(location.hash) ? undefined : ask();
  const takeEarly = async () => {
    const taken = early;
    early = undefined;
    return taken;
  };

  globalThis.vitrine = { crashed, load: (url) => import(url), early: takeEarly };

  const shell = new Promise((then) => document.addEventListener('DOMContentLoaded', then));

  (async () => {
    try {
      // Compiled while it arrives, whatever else the browser has to do.
      const module = WebAssembly.compileStreaming(fetch(here(meta('wasm'))));
      const [{ default: start }, module_or_path] = await Promise.all([import(here(meta('glue'))), module, shell]);
      await start({ module_or_path });
    } catch (error) {
      crashed(String(error?.stack ?? error));
    }
  })();
})();
