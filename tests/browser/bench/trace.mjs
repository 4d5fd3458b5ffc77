// What a page's main thread did, from Chromium's own trace: script by frame, long tasks, and when
// which mark was on the screen. Times are in milliseconds, on the kernel's monotonic clock.

const CATEGORIES = ['devtools.timeline', 'disabled-by-default-devtools.timeline',
  'disabled-by-default-devtools.timeline.frame', 'v8', 'v8.execute', 'blink.user_timing'];
/** Events in which the page's program runs, or its garbage is collected. */
const SCRIPT = new Set(['FunctionCall', 'EvaluateScript', 'EventDispatch', 'TimerFire', 'FireAnimationFrame',
  'FireIdleCallback', 'RunMicrotasks', 'v8.compile', 'MinorGC', 'MajorGC']);
const LONG_MSEC = 50;

/** Traces the browser until the function that it gives is called; that one gives the events. */
export async function startTrace(browser) {
  const session = await browser.newBrowserCDPSession();
  await session.send('Tracing.start', {
    transferMode: 'ReturnAsStream',
    traceConfig: { recordMode: 'recordAsMuchAsPossible', excludedCategories: ['*'], includedCategories: CATEGORIES },
  });
  return async () => {
    const complete = new Promise((then) => { session.once('Tracing.tracingComplete', then); });
    await session.send('Tracing.end');
    const { stream } = await complete;
    let text = '';
    for (let eof = false; !eof;) {
      const part = await session.send('IO.read', { handle: stream, size: 1 << 20 });
      text += part.base64Encoded ? Buffer.from(part.data, 'base64').toString() : part.data;
      eof = part.eof;
    }
    await session.detach();
    return ofPage(JSON.parse(text).traceEvents);
  };
}

/** The events of the page's process: that of the renderer whose main thread ran most script. */
function ofPage(events) {
  const mains = events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const busy = ({ pid, tid }) => events.reduce((sum, event) =>
    sum + (event.pid === pid && event.tid === tid && SCRIPT.has(event.name) ? event.dur ?? 0 : 0), 0);
  const [main] = mains.map((one) => ({ ...one, busy: busy(one) })).sort((a, b) => b.busy - a.busy);
  if (!main?.busy) throw new Error('the trace has no page in it');
  const own = events.filter(({ pid }) => pid === main.pid);
  return { main: own.filter(({ tid }) => tid === main.tid), all: own };
}

/** Complete events of those names, in order, without those within another. */
function outermost(events, isWanted) {
  const wanted = events.filter((event) => event.ph === 'X' && isWanted(event)).sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  let end = 0;
  return wanted.filter((event) => {
    const isOuter = event.ts >= end;
    if (isOuter) end = event.ts + event.dur;
    return isOuter;
  });
}

/**
 * Script by frame, of the frames that have any: `wall` is what the clock says, `cpu` what the
 * thread used. From one frame's begin to the next; layout that script forces counts as script.
 */
export function scriptByFrame({ main }) {
  const begins = main.filter(({ name }) => name === 'BeginMainThreadFrame').map(({ ts }) => ts).sort((a, b) => a - b);
  const frames = begins.map(() => ({ wall: 0, cpu: 0 }));
  let at = -1;
  for (const { ts, dur, tdur = dur } of outermost(main, ({ name }) => SCRIPT.has(name))) {
    while (at + 1 < begins.length && begins[at + 1] <= ts) at += 1;
    if (at < 0) continue;
    frames[at].wall += dur / 1000;
    frames[at].cpu += tdur / 1000;
  }
  return frames.filter(({ wall }) => wall > 0);
}

/** The longest task, and how many are longer than 50 ms: by the clock, and by what the thread used. */
export function tasks({ main }) {
  const all = main.filter(({ name, ph }) => name === 'RunTask' && ph === 'X');
  const of = (key) => all.map((task) => (task[key] ?? task.dur) / 1000);
  const sum = (list) => ({ longest: Math.max(...list), long: list.filter((msec) => msec > LONG_MSEC).length });
  return { wall: sum(of('dur')), cpu: sum(of('tdur')) };
}

/**
 * For each mark `<prefix><number>`: from that number (milliseconds of the monotonic clock) to when the
 * first frame that was drawn after the mark was on the screen.
 */
export function markToScreen({ main, all }, prefix) {
  const begun = (name) => all.filter((event) => event.name === name && event.ph === 'b').sort((a, b) => a.ts - b.ts);
  const shown = new Map(all.filter(({ name }) => name === 'AnimationFrame::Presentation').map(({ args, ts }) => [args.id, ts]));
  const renders = begun('AnimationFrame::Render').map(({ ts }) => ts);
  const frames = begun('AnimationFrame').flatMap(({ args, ts }) => {
    const rendered = renders.find((one) => one >= ts);
    return rendered && shown.has(args.id) ? [{ rendered, shown: shown.get(args.id) }] : [];
  });
  return main.filter(({ name }) => name.startsWith(prefix)).flatMap(({ name, ts }) => {
    const frame = frames.find(({ rendered }) => rendered >= ts);
    return frame ? [frame.shown / 1000 - Number(name.slice(prefix.length))] : [];
  });
}

/** The value at a fraction of the sorted list. */
export function at(list, fraction) {
  if (list.length === 0) throw new Error('nothing was measured');
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * fraction)];
}
