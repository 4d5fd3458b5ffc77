//! Terminals: keys, output, coming back, restarts of web, roles, sizes, ends.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use futures_util::SinkExt;
use nix::poll::PollFlags;
use tokio_tungstenite::tungstenite::Message;
use vitrine::ipc::ToWeb;
use vitrine_shared::limits::{BAD_MESSAGES, TERMINAL_FRAME_BYTES, TERMINAL_RING_BYTES};
use vitrine_shared::terminal::{Input, Output};
use vitrine_shared::wire::close;

use crate::client::{Screen, closed};
use crate::stage::{ANNS, STUDENT, Stage, TEACHER, TERMINAL, VIEWER, ready, soon};

/// Writes as a program does; waits when the terminal is full.
pub(crate) fn write_all(program: &OwnedFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match nix::unistd::write(program, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(nix::errno::Errno::EAGAIN) => {
                assert!(ready(program, PollFlags::POLLOUT, 20_000), "the terminal stays full");
            }
            Err(err) => panic!("{err}"),
        }
    }
}

/// Reads so many bytes as a program does.
pub(crate) async fn read_exactly(program: &Arc<OwnedFd>, bytes: usize) -> Vec<u8> {
    let program = program.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        while text.len() < bytes {
            assert!(ready(&*program, PollFlags::POLLIN, 20_000), "no input: {text:?}");
            let mut buffer = [0; 4096];
            let len = nix::unistd::read(&*program, &mut buffer).unwrap();
            text.extend_from_slice(&buffer[..len]);
        }
        text
    });
    soon("input", read).await.unwrap()
}

fn lines(range: std::ops::Range<u32>) -> Vec<u8> {
    range.map(|n| format!("line {n}\n")).collect::<String>().into_bytes()
}

#[tokio::test]
async fn keys_go_in_and_output_comes_out() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    assert_eq!((screen.may_type, screen.input_seq), (true, 0));
    screen.type_at(0, b"ls\r").await;
    assert_eq!(read_exactly(&program, 3).await, b"ls\r");
    write_all(&program, b"a b c\n");
    screen.draw_until(|text| text == b"a b c\n").await;
    while screen.input_seq < 3 {
        let output = screen.next().await;
        screen.draw(output).await;
    }
    // A page that comes back gets what it does not have; what it repeats is dropped.
    write_all(&program, b"d\n");
    let mut back = Screen::new(&stage, STUDENT, 6).await;
    assert_eq!(back.input_seq, 3);
    back.draw_until(|text| text == b"d\n").await;
    back.type_at(1, b"s\rpwd\r").await;
    assert_eq!(read_exactly(&program, 4).await, b"pwd\r");
    let mut fresh = Screen::new(&stage, STUDENT, 0).await;
    fresh.draw_until(|text| text == b"a b c\nd\n").await;
}

#[tokio::test]
async fn nothing_lost_or_doubled_across_restarts_of_web() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let expected = lines(0..20_000);
    let writer = {
        let (program, expected) = (program.clone(), expected.clone());
        std::thread::spawn(move || write_all(&program, &expected))
    };
    let mut text: Vec<u8> = Vec::new();
    let mut keys = 0;
    for part in 1..=4 {
        let mut screen = Screen::new(&stage, STUDENT, text.len() as u64).await;
        assert_eq!(screen.begins, text.len() as u64);
        // What was confirmed or not: all of it again, and only what is new arrives.
        assert_eq!(screen.input_seq, keys);
        let typed: Vec<u8> = (0..part * 10).collect();
        screen.type_at(0, &typed).await;
        let new = read_exactly(&program, 10).await;
        assert_eq!(new, &typed[usize::try_from(keys).unwrap()..]);
        keys += 10;
        let goal = expected.len() * usize::from(part) / 4 - text.len();
        screen.draw_until(|text| text.len() >= goal).await;
        text.extend(&screen.text);
        if part < 4 {
            stage.restart().await;
        }
    }
    writer.join().unwrap();
    assert!(text == expected, "{} of {} bytes", text.len(), expected.len());
}

#[tokio::test]
async fn output_while_nobody_looks_is_kept_and_then_waits() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let expected = lines(0..60_000);
    assert!(expected.len() as u64 > 2 * TERMINAL_RING_BYTES.value);
    let writer = {
        let (program, expected) = (program.clone(), expected.clone());
        std::thread::spawn(move || write_all(&program, &expected))
    };
    stage.restart().await;
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    screen.draw_until(|text| text.len() == expected.len()).await;
    assert_eq!(screen.begins, 0, "no Reset: nothing was lost");
    assert!(screen.text == expected);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_page_that_asks_for_what_is_not_there_starts_over() {
    let mut stage = Stage::new().await;
    let program = stage.open_terminal();
    write_all(&program, b"hello\n");
    let mut ahead = Screen::new(&stage, STUDENT, u64::MAX).await;
    ahead.draw_until(|text| text == b"hello\n").await;
    assert_eq!(ahead.begins, 0);
    // Its wild acknowledgements change nothing.
    ahead.send(Input::Ack { seq: u64::MAX }).await;
    write_all(&program, b"more\n");
    ahead.draw_until(|text| text == b"hello\nmore\n").await;
}

#[tokio::test]
async fn viewers_look_and_type_nothing() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let mut viewer = Screen::new(&stage, VIEWER, 0).await;
    assert!(!viewer.may_type);
    viewer.type_at(0, b"rm -rf /\r").await;
    viewer.send(Input::Resize { columns: 33, rows: 33 }).await;
    write_all(&program, b"seen\n");
    // Its frames were read before its acknowledgement was.
    viewer.draw_until(|text| text == b"seen\n").await;
    let mut teacher = Screen::new(&stage, TEACHER, 0).await;
    assert!(teacher.may_type);
    assert_eq!(teacher.input_seq, 0);
    teacher.type_at(0, b"x").await;
    assert_eq!(read_exactly(&program, 1).await, b"x");
    assert_ne!(size(&program), (33, 33));
}

#[tokio::test]
async fn sizes_are_clamped_and_the_last_wins() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    for (columns, rows, expected) in
        [(80, 24, (80, 24)), (65535, 0, (500, 1)), (0, 65535, (1, 500)), (132, 43, (132, 43))]
    {
        screen.send(Input::Resize { columns, rows }).await;
        let seq = screen.input_seq;
        screen.type_at(seq, b"x").await;
        read_exactly(&program, 1).await;
        screen.input_seq = seq + 1;
        assert_eq!(size(&program), expected);
    }
}

fn size(program: &OwnedFd) -> (u16, u16) {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ fills the `winsize` that the pointer leads to, and nothing else.
    let result = unsafe { libc::ioctl(program.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    assert_eq!(result, 0);
    (size.ws_col, size.ws_row)
}

#[tokio::test]
async fn the_end_comes_after_the_last_output() {
    let mut stage = Stage::new().await;
    let program = stage.open_terminal();
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    let last = lines(0..2000);
    write_all_in_thread(program, last.clone());
    stage.tell(&ToWeb::TerminalEnded { terminal: TERMINAL, status: 137 });
    screen.draw_until(|text| text.len() == last.len()).await;
    assert!(screen.text == last);
    assert_eq!(screen.next().await, Output::Exit { status: 137 });
    assert_eq!(closed(&mut screen.socket).await.0, 1000);
    // Whoever comes later hears the same.
    let mut late = Screen::new(&stage, TEACHER, 0).await;
    late.draw_until(|text| text.len() == last.len()).await;
    assert_eq!(late.next().await, Output::Exit { status: 137 });
    stage.tell(&ToWeb::MachineGone { machine: ANNS });
}

/// The program's side closes when everything is written.
fn write_all_in_thread(program: OwnedFd, bytes: Vec<u8>) {
    std::thread::spawn(move || write_all(&program, &bytes));
}

#[tokio::test]
async fn a_machine_that_goes_takes_its_terminals_along() {
    let mut stage = Stage::new().await;
    let _program = stage.open_terminal();
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    stage.tell(&ToWeb::MachineGone { machine: ANNS });
    assert_eq!(closed(&mut screen.socket).await.0, close::NOT_FOUND);
}

#[tokio::test]
async fn w12_junk() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    for junk in [&[][..], &[0x99], &[0x12, 1], &[0x11, 0, 80], &[0xFF; 1000]] {
        screen.socket.send(Message::Binary(junk.to_vec().into())).await.unwrap();
    }
    // Invalid UTF-8 is a key like any other.
    screen.type_at(0, &[0xC3, 0x28, 0xFF, 0x00]).await;
    assert_eq!(read_exactly(&program, 4).await, [0xC3, 0x28, 0xFF, 0x00]);
    for _ in 0..BAD_MESSAGES.value {
        screen.socket.send(Message::Binary(vec![0x99].into())).await.unwrap();
    }
    assert_eq!(closed(&mut screen.socket).await.0, close::FLOOD);
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    screen.socket.send(Message::Text("ls".into())).await.unwrap();
    assert_eq!(closed(&mut screen.socket).await.0, 1003);
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    let long = vec![0x10; usize::try_from(TERMINAL_FRAME_BYTES.value).unwrap() + 1];
    screen.socket.send(Message::Binary(long.into())).await.unwrap();
    assert_eq!(closed(&mut screen.socket).await.0, 1009);
}
