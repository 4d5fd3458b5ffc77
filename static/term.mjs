// One terminal on the page: xterm.js, its place, its keys, its clipboard. Bytes are `term-link.mjs`'s.
import { Terminal } from './xterm.mjs';
import { FitAddon } from './addon-fit.mjs';
import { WebLinksAddon } from './addon-web-links.mjs';
import { Link, SUBPROTOCOL } from './term-link.mjs';
import { FONT, TEXT, THEMES } from './term-look.mjs';

// What a terminal says by itself when a program asks: cursor position, modes, colours.
const AUTO_REPLY = /^\x1b(\[[?>=]?[\d;]*(\$y|[cnRt])|[\]P].*)$/s;
const PASTE_BYTES = 4 * 1024; // above it, or above one line, people are asked
const HINT_MSEC = 6000;
const SETTLE_MSEC = 80; // of a size that changes

/** Text from a clipboard without what could leave bracketed paste or steer the terminal. */
export function cleanPaste(text) {
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, '');
}

/** Makes a terminal; it lives from `attach(host)` to `dispose()`. */
export function create(options) { return new Screen(options); }

class Screen {
  #options; #words; #terminal; #fit = new FitAddon(); #link; #host; #hint; #about; #ask = null;
  #tabMoves = false; #gone = new AbortController(); #watch; #settle; #hintTimer;

  constructor(options) {
    this.#options = options;
    this.#words = TEXT[options.lang] ?? TEXT.en;
    Terminal.strings.promptLabel = this.#words.label;
    Terminal.strings.tooMuchOutput = this.#words.flood;
    const activate = (event, url) => this.#follow(url);
    this.#terminal = new Terminal({
      // A cursor that blinks keeps the browser drawing sixty times a second.
      cursorBlink: false, fontFamily: FONT, fontSize: options.fontSize ?? 14,
      linkHandler: { activate }, minimumContrastRatio: 4.5, scrollback: 5000,
      theme: THEMES[options.theme] ?? THEMES.light,
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.loadAddon(new WebLinksAddon(activate));
    this.#link = new Link({
      // A simulated server gives something like a socket itself.
      connect: options.connect ?? (() => new WebSocket(socketUrl(options.url), SUBPROTOCOL)),
      terminal: this.#terminal,
      onStatus: (status) => this.#tell(status),
      onFull: () => this.#say(this.#words.full),
    });
  }

  attach(host) {
    loadStyles();
    allowSpanStyles();
    this.#host = host;
    host.vitrineTerminal = this; // for the tests and for people at the console
    this.#terminal.open(host);
    this.#hint = host.appendChild(element('div', { className: 'term-hint' }));
    this.#hint.setAttribute('role', 'status');
    this.#about = host.appendChild(element('p', { hidden: true }));
    this.#about.id = `term-about-${Math.random().toString(36).slice(2)}`;
    this.#terminal.textarea.setAttribute('aria-describedby', this.#about.id);
    this.setLang(this.#options.lang);
    this.#listen(host);
    this.#fit.fit();
    this.#link.resize(this.#terminal.cols, this.#terminal.rows);
    this.#link.open();
  }

  dispose() {
    this.#gone.abort();
    this.#watch?.disconnect();
    clearTimeout(this.#settle);
    clearTimeout(this.#hintTimer);
    this.#ask?.close();
    this.#link.close();
    this.#terminal.dispose();
    this.#hint?.remove();
    this.#about?.remove();
    if (this.#host) delete this.#host.vitrineTerminal;
  }

  focus() { this.#terminal.focus(); }

  setTheme(theme) { this.#terminal.options.theme = THEMES[theme] ?? THEMES.light; }

  setFontSize(px) {
    this.#terminal.options.fontSize = px;
    this.#refit();
  }

  setReadOnly(on) {
    this.#link.mute(on);
    this.#lock();
  }

  setLang(lang) {
    this.#words = TEXT[lang] ?? TEXT.en;
    Terminal.strings.tooMuchOutput = this.#words.flood;
    this.#terminal.textarea?.setAttribute('aria-label', this.#words.label);
    if (this.#about) this.#about.textContent = this.#words.about;
  }

  /** What is on the screen and above it, a line a row, wrapped lines joined. */
  text() {
    const buffer = this.#terminal.buffer.active;
    const rows = Array.from({ length: buffer.length }, (_, y) => buffer.getLine(y));
    return rows.reduce((text, row, y) => {
      const wraps = rows[y + 1]?.isWrapped ?? false;
      return text + row.translateToString(!wraps) + (wraps ? '' : '\n');
    }, '').trimEnd();
  }

  async copy() {
    const text = this.#terminal.getSelection();
    if (!text) return this.#say(this.#words.nothing);
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    this.#say(done || copyByCommand(text) ? this.#words.copied : this.#words.noCopy);
    this.focus();
  }

  async paste() {
    // Without a secure context (a class on plain http) there is no navigator.clipboard.
    const text = await navigator.clipboard?.readText?.().catch(() => undefined);
    this.focus();
    return text === undefined ? this.#say(this.#words.pasteKeys) : this.#insert(text);
  }

  async #insert(raw) {
    const text = cleanPaste(raw);
    const bytes = new TextEncoder().encode(text).length;
    if (!text) return;
    if (!this.#link.mayType) return this.#say(this.#words.readOnly);
    if (bytes > this.#link.room - 12) return this.#say(this.#words.full); // 12: bracketed paste
    const lines = text.trimEnd().split(/\r\n|\r|\n/).length;
    const question = this.#words.paste(lines, bytes);
    const ask = /[\r\n]/.test(text) || bytes > PASTE_BYTES;
    if (ask && !await this.#confirm(question, text.slice(0, 2000), this.#words.pasteOk)) return;
    this.#terminal.paste(text);
  }

  async #follow(url) {
    if (!/^https?:/i.test(url)) return;
    if (!await this.#confirm(this.#words.link, url, this.#words.linkOk)) return;
    window.open(url, '_blank', 'noopener,noreferrer');
  }

  #confirm(question, detail, ok) {
    this.#ask?.close();
    const dialog = element('dialog', { className: 'paste-dialog' });
    const button = (textContent, value, className) => {
      const made = element('button', { type: 'button', textContent, className });
      made.addEventListener('click', () => dialog.close(value));
      return made;
    };
    const buttons = element('div', { className: 'paste-dialog-buttons' });
    buttons.append(button(this.#words.cancel, 'no', 'plain'), button(ok, 'yes', ''));
    const preview = element('pre', { textContent: detail, tabIndex: 0 });
    dialog.setAttribute('aria-label', question);
    preview.setAttribute('role', 'region');
    preview.setAttribute('aria-label', ok);
    dialog.append(element('p', { textContent: question }), preview, buttons);
    document.body.append(dialog);
    this.#ask = dialog;
    return new Promise((resolve) => {
      dialog.addEventListener('close', () => {
        dialog.remove();
        if (this.#ask === dialog) this.#ask = null;
        if (!this.#gone.signal.aborted) this.focus();
        resolve(dialog.returnValue === 'yes' && !this.#gone.signal.aborted);
      });
      dialog.showModal();
      buttons.lastChild.focus();
    });
  }

  #listen(host) {
    const { signal } = this.#gone;
    const type = (bytes) => this.#link.type(bytes);
    this.#terminal.onData((data) => {
      if (this.#link.replaying && AUTO_REPLY.test(data)) return;
      type(new TextEncoder().encode(data));
    });
    this.#terminal.onBinary((data) => type(Uint8Array.from(data, (char) => char.charCodeAt(0))));
    this.#terminal.onResize(({ cols, rows }) => this.#link.resize(cols, rows));
    this.#terminal.attachCustomKeyEventHandler((event) => this.#key(event));
    host.addEventListener('paste', (event) => {
      event.preventDefault();
      event.stopPropagation();
      this.#insert(event.clipboardData?.getData('text/plain') ?? '');
    }, { capture: true, signal });
    host.addEventListener('contextmenu', (event) => {
      if (event.shiftKey || !navigator.clipboard?.readText || !this.#link.mayType) return;
      event.preventDefault();
      this.paste();
    }, { signal });
    window.addEventListener('online', () => this.#link.hurry(), { signal });
    this.#watch = new ResizeObserver(() => this.#refit());
    this.#watch.observe(host);
  }

  /** False keeps a key from the shell. Ctrl+V and Ctrl+Shift+V go to the browser, which pastes. */
  #key(event) {
    if (event.isComposing || event.keyCode === 229) return true;
    const shortcut = shortcutOf(event);
    if (shortcut === 'tab') return !this.#tabMoves;
    if (shortcut === 'paste') return false;
    if (!shortcut) return true;
    event.preventDefault();
    if (event.type !== 'keydown') return false;
    if (shortcut === 'copy') this.copy();
    if (shortcut === 'leave') this.#options.onFocusEscape?.();
    if (shortcut === 'tabMode') {
      this.#tabMoves = !this.#tabMoves;
      this.#say(this.#tabMoves ? this.#words.tabMoves : this.#words.tabTypes);
    }
    return false;
  }

  #tell(status) {
    this.#lock();
    this.#options.onStatus?.(status);
  }

  // Without the right to type there are no keys and no replies.
  #lock() { this.#terminal.options.disableStdin = !this.#link.mayType; }

  #refit() {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => { if (this.#host.clientWidth > 0) this.#fit.fit(); }, SETTLE_MSEC);
  }

  #say(words) {
    this.#hint.textContent = words;
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => { this.#hint.textContent = ''; }, HINT_MSEC);
  }
}

/** Which of our own keys this is, if any. */
export function shortcutOf({ ctrlKey, shiftKey, altKey, metaKey, code, key }) {
  if (altKey || metaKey) return null;
  if (!ctrlKey) return key === 'Tab' ? 'tab' : shiftKey && key === 'Insert' ? 'paste' : null;
  if (key === 'F6') return 'leave';
  const letter = /^[a-z]$/i.test(key) ? key.toLowerCase() : code; // other scripts: by place
  if (letter === 'v' || letter === 'KeyV') return 'paste';
  return shiftKey ? { c: 'copy', KeyC: 'copy', m: 'tabMode', KeyM: 'tabMode' }[letter] ?? null : null;
}

function socketUrl(path) {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

// xterm.js colours its spans (24-bit colours, the contrast it adds) by a style attribute, which a
// strict policy refuses; the same text through the CSSOM is allowed.
function allowSpanStyles() {
  const { prototype } = HTMLSpanElement;
  if (Object.hasOwn(prototype, 'setAttribute')) return;
  prototype.setAttribute = function setAttribute(name, value) {
    if (name === 'style') this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

function loadStyles() {
  const href = document.querySelector('meta[name="vitrine-term-css"]')?.content;
  if (!href || document.querySelector('link[data-vitrine-term]')) return;
  const link = element('link', { rel: 'stylesheet', href });
  link.dataset.vitrineTerm = '';
  document.head.append(link);
}

function copyByCommand(text) {
  const area = element('textarea', { value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}

function element(name, fields) { return Object.assign(document.createElement(name), fields); }
