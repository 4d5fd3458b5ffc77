//! `kill -9` of a web process while output pours and keys are typed: nothing lost, nothing twice.

use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::PollFlags;
use tokio_tungstenite::tungstenite::Message;
use vitrine::ipc::Channel;
use vitrine::web;
use vitrine_shared::terminal::{Input, Output};

use crate::client::Screen;
use crate::stage::{STUDENT, Stage, ready};
use crate::terminals::write_all;

const CHANNEL: &str = "VITRINE_TEST_CHANNEL";
const KILLS: usize = 12;

/// This test's own binary, as a web process on the given channel.
pub(crate) fn spawn(channel: Channel) -> Child {
    let fd = channel.into_fd();
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::kill_9_loses_no_output_and_writes_no_key_twice"])
        .env(CHANNEL, std::os::fd::AsRawFd::as_raw_fd(&fd).to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn kill_9_loses_no_output_and_writes_no_key_twice() {
    if let Ok(fd) = std::env::var(CHANNEL) {
        // SAFETY: the parent left this descriptor open for us, and nobody else here knows it.
        let channel = unsafe { OwnedFd::from_raw_fd(fd.parse().unwrap()) };
        let run = move || web::run(Channel::from_fd(channel)).unwrap();
        return tokio::task::spawn_blocking(run).await.unwrap();
    }
    let mut stage = Stage::new().await;
    let program = Arc::new(stage.open_terminal());
    let expected = (0..).map(|n| format!("line {n}\n")).take(150_000).collect::<String>();
    let writer = {
        let (program, expected) = (program.clone(), expected.clone());
        std::thread::spawn(move || write_all(&program, expected.as_bytes()))
    };
    let stop = Arc::new(AtomicBool::new(false));
    let reader = read_keys(program.clone(), stop.clone());
    let mut text: Vec<u8> = Vec::new();
    let mut confirmed = 0;
    for kill in 0..=KILLS {
        stage.restart_as_process().await;
        let mut screen = Screen::new(&stage, STUDENT, text.len() as u64).await;
        confirmed = screen.input_seq.max(confirmed);
        let goal = if kill == KILLS { expected.len() } else { text.len() + 60_000 + 7_919 * kill };
        type_and_draw(&mut screen, &mut confirmed, goal).await;
        text.extend(&screen.text);
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(text == expected.as_bytes(), "{} of {} bytes", text.len(), expected.len());
    let keys = reader.join().unwrap();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "no key twice, none out of order");
    let last = usize::try_from(keys[keys.len() - 1]).unwrap() + 1;
    let lost = last - keys.len();
    // A write is of at most 1024 bytes, 128 keys.
    assert!(keys.len() > 1000 && lost <= KILLS * 128, "{lost} of {last} keys lost");
}

/// Types numbered keys, eight bytes each, while it draws up to a position.
async fn type_and_draw(screen: &mut Screen, confirmed: &mut u64, goal: usize) {
    let base = usize::try_from(screen.begins).unwrap();
    // What was cut in the middle of a key is repeated from that byte on.
    let mut typed = *confirmed;
    while base + screen.text.len() < goal {
        while typed < *confirmed + 2048 {
            let bytes: Vec<u8> =
                (typed..typed + 64).map(|at| (at / 8).to_be_bytes()[(at % 8) as usize]).collect();
            let frame = Input::Data { seq: typed, bytes }.encode();
            futures_util::SinkExt::send(&mut screen.socket, Message::Binary(frame.into()))
                .await
                .unwrap();
            typed += 64;
        }
        match screen.next().await {
            Output::InputAck { input_seq } => *confirmed = input_seq,
            Output::Reset { .. } => panic!("output was lost"),
            output => screen.draw(output).await,
        }
    }
}

/// Reads numbered keys as a program does, until told to stop and nothing more comes.
fn read_keys(program: Arc<OwnedFd>, stop: Arc<AtomicBool>) -> JoinHandle<Vec<u64>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            if ready(&*program, PollFlags::POLLIN, 300) {
                let len = nix::unistd::read(&*program, &mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..len]);
            } else if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        bytes.chunks_exact(8).map(|key| u64::from_be_bytes(key.try_into().unwrap())).collect()
    })
}
