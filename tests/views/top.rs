//! `vitrine top` on a real terminal: what it shows, its keys, and the terminal afterwards.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::busy;
use crate::harness::pty::OnTerminal;

fn top(words: &[&str], environment: &[(&str, &str)]) -> OnTerminal {
    let words = [&["top", "--interval", "0.4"], words].concat();
    let environment = [&[("TERM", "xterm"), ("NO_COLOR", "")], environment].concat();
    OnTerminal::command(&words, &environment, 24, 140)
}

/// The words of the line with this text in it, from the next frame that has one.
fn line(top: &mut OnTerminal, text: &str) -> Vec<String> {
    top.read_until(text);
    top.read_until("\x1b[H");
    let frame = top.read_until("\x1b[J");
    let line = frame.split("\r\n").find(|line| line.contains(text));
    let line = line.unwrap_or_else(|| panic!("no {text} in {frame:?}"));
    let plain = line.replace("\x1b[33m", "").replace("\x1b[0m", "");
    plain.split_whitespace().map(str::to_string).collect()
}

/// The next frame that is meant.
#[track_caller]
fn frame(top: &mut OnTerminal, what: &str, is_meant: impl Fn(&str) -> bool) -> String {
    let mut frames = (0..50).map(|_| {
        top.read_until("\x1b[H");
        top.read_until("\x1b[J")
    });
    frames.find(|frame| is_meant(frame)).unwrap_or_else(|| panic!("no frame with {what}"))
}

#[test]
fn a_busy_loop_near_its_quota_and_q() {
    let running = busy();
    let ours = format!("run:{}", running.pid());
    let mut top = top(&[], &[]);
    assert!(top.read_until("vitrine top:").contains("\x1b[?1049h"), "the second screen");
    assert!(!top.is_cooked());
    // Column 5 is %CPU, column 6 THR%. Others may keep it from its fifth of a CPU for a while.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let words = line(&mut top, &ours);
        let [cpu, throttled] = [5, 6].map(|i| words[i].parse::<f64>().unwrap_or(0.0));
        assert!(cpu < 35.0, "more than its quota: {words:?}");
        if (14.0..=26.0).contains(&cpu) && throttled > 50.0 {
            break;
        }
        assert!(Instant::now() < deadline, "never near 20 %: {words:?}");
    }
    assert!(top.read_until("\x1b[J").contains("\x1b[33m"), "throttled lines have a colour");
    top.type_in("q");
    let (status, top) = top.end();
    assert_eq!(status, Some(0));
    assert!(top.is_cooked(), "the terminal is put back");
    assert!(top.seen().ends_with("\x1b[?25h\x1b[?1049l"), "{:?}", top.seen());
}

#[test]
fn keys_and_the_window() {
    let _running = busy();
    let mut top = top(&["--all"], &[("NO_COLOR", "1")]);
    top.read_until("of the host");
    top.read_until("by cpu");
    top.type_in("s");
    top.read_until("by rss");
    top.type_in("h");
    top.read_until("PgUp, PgDn");
    top.type_in("h");
    top.read_until("PIDS-IN");
    top.type_in("a");
    top.read_until("of machines and containers");
    top.type_in("a\x1b[6~\x1b[B\x1b[C");
    // The heading has moved by eight columns: how much of it is gone depends on the PIDs.
    frame(&mut top, "a moved table", |frame| frame.contains("-IN") && !frame.contains("PIDS-IN"));
    top.resize(10, 40);
    let frame = frame(&mut top, "ten lines", |frame| frame.matches("\r\n").count() == 9);
    assert!(!frame.contains("\x1b[33m"), "NO_COLOR");
    top.type_in("\x03");
    let (status, top) = top.end();
    assert_eq!((status, top.is_cooked()), (Some(0), true), "Ctrl-C");
}

#[test]
fn signals_end_it_and_the_terminal_is_put_back() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        let mut top = top(&[], &[]);
        top.read_until("vitrine top:");
        top.signal(signal);
        let (status, top) = top.end();
        assert_eq!((status, top.is_cooked()), (Some(code), true), "{signal}");
        assert!(top.seen().contains("\x1b[?1049l"), "{signal}");
    }
}

#[test]
fn it_stops_for_a_while_and_goes_on() {
    let mut top = top(&[], &[]);
    top.read_until("vitrine top:");
    top.type_in("\x1a");
    top.read_until("\x1b[?1049l");
    crate::harness::wait_for("it is stopped", Duration::from_secs(10), || {
        (crate::harness::proc::status(top.pid(), "State").starts_with('T')).then_some(())
    });
    assert!(top.is_cooked(), "the shell has its terminal");
    top.signal(Signal::SIGCONT);
    top.read_until("\x1b[?1049h");
    top.read_until("vitrine top:");
    top.type_in("q");
    assert_eq!(top.end().0, Some(0));
}

#[test]
fn so_many_readings_and_a_terminal_that_cannot_be_drawn_on() {
    let mut top = top(&["--iterations", "2"], &[]);
    top.read_until("vitrine top:");
    let (status, top) = top.end();
    assert_eq!((status, top.is_cooked()), (Some(0), true));
    let words = ["top", "--interval", "0.1"];
    let dumb = OnTerminal::command(&words, &[("TERM", "dumb")], 24, 140);
    let (status, dumb) = dumb.end();
    assert_eq!(status, Some(0));
    assert!(dumb.seen().contains("THR%") && !dumb.seen().contains('\x1b'), "{:?}", dumb.seen());
}
