// How a terminal looks (LOOK.md's colours, its font) and every word it says.

export const FONT = 'ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", ' +
  '"Noto Sans Mono CJK SC", "Sarasa Mono SC", "PingFang SC", "Microsoft YaHei UI", monospace';

const HUES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

// LOOK.md's inks and hues; the bright ones are the same hue, further from the ground.
export const THEMES = {
  light: theme(['#ffffff', '#1c222b', '#00719e', '#bfe0ee'],
    '#1c222b #c93029 #21763c #756208 #2e69b2 #9b467a #007781 #575e69',
    '#575e69 #a3211b #185c2e #5c4d05 #1f4f8a #7a345f #005b63 #3c434d'),
  dark: theme(['#1b2027', '#e4e8ef', '#5cd0ea', '#264b5c'],
    '#1b2027 #fd7466 #75d78d #c9b04f #7cb4fc #e791c2 #57c3cf #c3c9d3',
    '#9da5b1 #ff9a8f #9be7ad #e2cf80 #a9cffd #f2b6d8 #8bdce5 #ffffff'),
};

function theme([background, foreground, cursor, selectionBackground], normal, bright) {
  const all = { background, foreground, cursor, cursorAccent: background, selectionBackground };
  normal.split(' ').forEach((colour, i) => { all[HUES[i]] = colour; });
  bright.split(' ').forEach((colour, i) => {
    all[`bright${HUES[i][0].toUpperCase()}${HUES[i].slice(1)}`] = colour;
  });
  return all;
}

export const TEXT = {
  en: {
    label: 'Terminal',
    about: 'Tab belongs to the shell. Ctrl+F6 leaves the terminal; Ctrl+Shift+M lets Tab move the ' +
      'focus. Ctrl+Shift+C copies, Ctrl+Shift+V pastes.',
    flood: 'Too much output to read aloud; move through the rows to read it.',
    tabMoves: 'Tab now moves the focus. Ctrl+Shift+M gives it back to the shell.',
    tabTypes: 'Tab belongs to the shell again.',
    full: 'Not taken: 64 KiB of input already wait for the server.',
    copied: 'Copied.',
    nothing: 'Nothing is selected. Drag over text, then copy.',
    noCopy: 'The browser does not let this page copy.',
    pasteKeys: 'The browser does not let this page read the clipboard. Press Ctrl+V or Shift+Insert.',
    readOnly: 'This terminal is read-only.',
    paste: (lines, bytes) => `Paste ${lines} lines (${bytes} bytes) into the shell?`,
    pasteOk: 'Paste',
    link: 'Open this address in a new tab?',
    linkOk: 'Open',
    cancel: 'Cancel',
  },
  zh: {
    label: '终端',
    about: 'Tab 键归 shell 使用。按 Ctrl+F6 离开终端；按 Ctrl+Shift+M 让 Tab 移动焦点。' +
      'Ctrl+Shift+C 复制，Ctrl+Shift+V 粘贴。',
    flood: '输出太多，无法朗读；请逐行移动阅读。',
    tabMoves: 'Tab 现在移动焦点。再按 Ctrl+Shift+M 还给 shell。',
    tabTypes: 'Tab 又归 shell 使用。',
    full: '未接收：等待服务器的输入最多 64 KiB。',
    copied: '已复制。',
    nothing: '没有选中文字。请先拖动选择，再复制。',
    noCopy: '浏览器不允许本页复制。',
    pasteKeys: '浏览器不允许本页读取剪贴板。请按 Ctrl+V 或 Shift+Insert。',
    readOnly: '这个终端是只读的。',
    paste: (lines, bytes) => `把 ${lines} 行（${bytes} 字节）粘贴到 shell？`,
    pasteOk: '粘贴',
    link: '在新标签页打开这个地址？',
    linkOk: '打开',
    cancel: '取消',
  },
};
