//! From a click to a prompt, on loopback: command sent → prompt received.

use std::time::{Duration, Instant};

use vitrine_shared::message::Command;
use vitrine_shared::spec::ContainerSpec;

use crate::harness::client::Started;
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::table::{self, Row};

/// Below the rate that a connection may send at.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) fn bench(rounds: usize) {
    let server = Server::start();
    let mut client = server.client();
    // The first click makes a machine too; the second kind finds one.
    let goal = |what| Row::new(what).at_most("median", 15.0).at_most("p95", 40.0);
    let mut fresh = goal("machine and container");
    let mut again = goal("container in a machine");
    for round in 0..=rounds {
        let begun = Instant::now();
        let first = client.start(None, ContainerSpec::one_click());
        prompt(&server, &first);
        let first_took = begun.elapsed();
        let begun = Instant::now();
        let second = client.start(Some(first.machine), ContainerSpec::one_click());
        prompt(&server, &second);
        if round > 0 {
            fresh.took(first_took);
            again.took(begun.elapsed());
        }
        client.done(Command::EndMachine { machine: first.machine });
        client.listen(PAUSE);
    }
    table::print("click → prompt, on loopback", "ms", None, &[fresh, again], &[]);
}

fn prompt(server: &Server, started: &Started) {
    let id = started.terminal.expect("a terminal");
    Term::open(server, id).read_until("# ");
}
