//! The client of `docs/protocol.md`, as it stands there, against a real server.

use std::process::Command;

use vitrine_shared::message::Event;

use crate::harness::command::spawn;
use crate::harness::server::Server;

const DOC: &str = include_str!("../docs/protocol.md");
const MOST_LINES: usize = 60;

fn client() -> &'static str {
    let rest = DOC.split("```python\n").nth(1).expect("a block of Python in docs/protocol.md");
    rest.split("```").next().unwrap_or_default()
}

#[test]
fn the_client_in_sixty_lines_does_what_it_says() {
    assert!(client().lines().count() <= MOST_LINES, "{} lines", client().lines().count());
    let (server, url) = Server::untouched(&[]);
    let python = "python3: apt-get install python3";
    assert!(Command::new("python3").arg("-V").output().is_ok(), "this test needs {python}");
    let ended = spawn(Command::new("python3").args(["-c", client(), &url]), None).end();
    assert_eq!(ended.status, 0, "{ended:?}\n{}", server.log());
    let mut lines = ended.out.lines();
    let first = lines.next().unwrap_or_default();
    let mut numbers = first.split(|c: char| !c.is_ascii_digit() && c != '.');
    let mut number = || {
        numbers
            .by_ref()
            .find_map(|word| word.parse::<f64>().ok())
            .unwrap_or_else(|| panic!("{first}"))
    };
    // The quota is 20 %; a host that is busy with other things gives less.
    let (cpu, throttled) = (number(), number());
    assert!((8.0..=23.0).contains(&cpu) && throttled > 1.0, "{first}");
    // The shell's own answer, not the echo of what was typed.
    assert!(lines.any(|line| line.trim() == "hello from py"), "{}", ended.out);
}

#[test]
fn the_session_outlives_the_token() {
    let (mut server, url) = Server::untouched(&[]);
    let token = url.split("#token=").nth(1).unwrap().to_string();
    server.exchange(&token);
    // Two sockets with one cookie; both hear the snapshot to its end.
    for _ in 0..2 {
        server.client().event("the snapshot", |event| matches!(event, Event::Synced).then_some(()));
    }
}
