//! The CPU that a page shows of busy loops, beside the kernel's own counter over the same time.

use std::time::Duration;

use crate::harness::busy::{Busy, Dice};
use crate::harness::server::Server;
use crate::table::{self, Row};

/// Settings that are tried, however many rounds there are.
const SETTINGS: usize = 30;
const HOW_LONG: Duration = Duration::from_secs(2);

pub(crate) fn bench(_rounds: usize) {
    let server = Server::start();
    let mut busy = Busy::new(&server);
    let mut dice = Dice::new(20_261_125);
    eprintln!("settings by VITRINE_SEED={}", dice.seed);
    let mut apart = Row::new("shown − counted, without its sign").at_most("p95", 1.0);
    let mut largest = Row::new("the largest of these").at_most("median", 1.0);
    let mut rate = Row::new("readings a second");
    let mut most: f64 = 0.0;
    for _ in 0..SETTINGS {
        let setting = dice.setting(busy.cpus());
        let compared = busy.compare(&setting, HOW_LONG);
        eprintln!("{setting:?}: {:.3} % against {:.3} %", compared.shown, compared.counted);
        most = most.max(compared.points());
        apart.push(compared.points());
        #[expect(clippy::cast_precision_loss, reason = "forty")]
        rate.push(compared.samples.len() as f64 / HOW_LONG.as_secs_f64());
    }
    largest.push(most);
    let note = "30 random settings of quota, period, threads and cpuset; the counter is cpu.stat's \
                (cpuacct.usage on v1), read every 2 ms from beside.";
    table::print("CPU shown against CPU counted", "points", None, &[apart, largest], &[note]);
    table::print("close samples", "a second", None, &[rate], &[]);
}
