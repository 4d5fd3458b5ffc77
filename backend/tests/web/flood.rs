//! W9: a program that never stops writing, and pages that do not read.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::poll::PollFlags;
use vitrine_shared::limits::{TERMINAL_RING_BYTES, TERMINAL_UNACKED_BYTES};
use vitrine_shared::terminal::{Input, Output};

use crate::client::Screen;
use crate::stage::{STUDENT, Stage, TEACHER, VIEWER, ready, soon};
use crate::terminals::{read_exactly, write_all};

/// What the kernel holds between the two sides of a PTY, generously.
const KERNEL_BYTES: u64 = 128 * 1024;

/// Writes `y` until the terminal takes no more for half a second; how much it took.
async fn yes(program: &Arc<OwnedFd>) -> u64 {
    let program = program.clone();
    let write = tokio::task::spawn_blocking(move || {
        let mut written = 0;
        while ready(&*program, PollFlags::POLLOUT, 500) {
            if let Ok(bytes) = nix::unistd::write(&*program, &b"y\n".repeat(1000)) {
                written += bytes as u64;
            }
            assert!(written < 64 << 20, "nothing holds the program back");
        }
        written
    });
    soon("the program to be held back", write).await.unwrap()
}

#[tokio::test]
async fn w9_a_page_that_never_reads_stops_the_program_and_ctrl_c_gets_through() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    // From here on the server knows that the page is there.
    write_all(&program, b"go\n");
    screen.draw_until(|text| text == b"go\n").await;
    let written = yes(&program).await;
    assert!(written >= TERMINAL_UNACKED_BYTES.value, "{written}");
    assert!(written <= TERMINAL_UNACKED_BYTES.value + KERNEL_BYTES, "{written}");
    // The page still has not read a byte.
    screen.type_at(0, b"\x03").await;
    assert_eq!(read_exactly(&program, 1).await, b"\x03");
    // And when it reads, it hears at once that the key is written, and goes on.
    screen.draw_until(|text| text.len() as u64 == 3 + written).await;
    assert_eq!(screen.input_seq, 1);
    write_all(&program, b"stopped\n");
    screen.draw_until(|text| text.ends_with(b"stopped\n")).await;
}

#[tokio::test]
async fn with_nobody_there_the_program_stops_when_the_ring_is_full() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let written = yes(&program).await;
    assert!(written >= TERMINAL_RING_BYTES.value - 4096, "{written}");
    assert!(written <= TERMINAL_RING_BYTES.value + KERNEL_BYTES, "{written}");
    // A restarted web does not overwrite it either.
    stage.restart().await;
    assert_eq!(yes(&program).await, 0);
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    screen.draw_until(|text| text.len() as u64 == written).await;
    assert_eq!(screen.begins, 0);
}

#[tokio::test]
async fn viewers_and_lookers_on_hold_nobody_back() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let mut owner = Screen::new(&stage, STUDENT, 0).await;
    // Neither of these reads or acknowledges anything.
    let mut viewer = Screen::new(&stage, VIEWER, 0).await;
    let mut teacher = Screen::new(&stage, TEACHER, 0).await;
    let total = 4 * TERMINAL_RING_BYTES.value;
    let writer = {
        let program = program.clone();
        let text = b"0123456789abcde\n".repeat(usize::try_from(total / 16).unwrap());
        std::thread::spawn(move || write_all(&program, &text))
    };
    owner.draw_until(|text| text.len() as u64 == total).await;
    writer.join().unwrap();
    for late in [&mut viewer, &mut teacher] {
        let mut resets = 0;
        while late.have() < total {
            match late.next().await {
                Output::Data { seq, bytes } => {
                    assert_eq!(seq, late.have());
                    late.text.extend(bytes);
                }
                Output::Reset { seq } => {
                    assert!(seq > late.have());
                    resets += 1;
                    late.begins = seq;
                    late.text.clear();
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(late.have() == total && resets <= 5, "{resets}");
    }
}

#[tokio::test]
async fn a_large_paste_and_its_echo_do_not_lock_each_other_up() {
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let mut screen = Screen::new(&stage, STUDENT, 0).await;
    let pasted = b"0123456789abcdef".repeat(12_000);
    let echo = {
        let (program, len) = (program.clone(), pasted.len());
        std::thread::spawn(move || {
            let mut left = len;
            while left > 0 {
                assert!(ready(&*program, PollFlags::POLLIN, 20_000), "{left} bytes missing");
                let mut buffer = [0; 4096];
                let read = nix::unistd::read(&*program, &mut buffer).unwrap();
                write_all(&program, &buffer[..read]);
                left -= read;
            }
        })
    };
    for (at, part) in pasted.chunks(16_000).enumerate() {
        let seq = (at * 16_000) as u64;
        screen.send(Input::Data { seq, bytes: part.to_vec() }).await;
    }
    screen.draw_until(|text| text.len() == pasted.len()).await;
    assert!(screen.text == pasted);
    echo.join().unwrap();
}
