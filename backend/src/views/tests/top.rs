//! Rates between two readings, and what the page makes of them.

use super::super::Options;
use super::super::keys::Key;
use super::super::page::Page;
use super::*;
use crate::observer::tests_tree::Tree;
use crate::views::tests_tree::{self, CAP};

fn sampler() -> (Tree, Sampler) {
    let (tree, host) = tests_tree::host();
    let mut sampler = Sampler::new(host, None).unwrap();
    sampler.watch = sampler.watch.without_clock();
    (tree, sampler)
}

fn options() -> Options {
    Options {
        all: false,
        machine: None,
        json: false,
        no_headers: false,
        sort: Sort::Cpu,
        interval: Duration::from_secs(1),
        iterations: None,
    }
}

#[test]
fn cpu_and_throttling_between_two_readings() {
    let (tree, mut sampler) = sampler();
    let first = sampler.sample(false).unwrap();
    let is_still = |entry: &Entry| (entry.cpu_permille, entry.throttled_permille) == (0, None);
    assert!(first.entries.iter().all(is_still), "of a first reading there are no rates");
    std::thread::sleep(Duration::from_millis(700));
    tree.process(301, "sleep", 300, 77);
    tree.write(&format!("cpu/{CAP}/root/c1/cpu.stat"), &tests_tree::stat(20, 15));
    tree.write(&format!("cpu/{CAP}/cpu.stat"), &tests_tree::stat(20, 0));
    let mut second = sampler.sample(false).unwrap();
    second.sort(Sort::Cpu);
    let busy = &second.entries[0];
    assert_eq!(busy.row.pid, 301);
    assert!((100..=720).contains(&busy.cpu_permille), "0.5 s of 0.7 s: {}", busy.cpu_permille);
    assert_eq!(busy.throttled_permille, Some(1_000), "10 of 10 periods");
    assert_eq!((busy.cgroup_memory_bytes, busy.cgroup_memory_max_bytes), (Some(4_096), None));
    let run = second.entries.iter().find(|entry| entry.row.pid == 400).unwrap();
    assert_eq!((run.throttled_permille, run.cgroup_memory_bytes), (None, None));
    let json: serde_json::Value =
        serde_json::from_str(&second.json(Duration::from_secs(1)).unwrap()).unwrap();
    assert_eq!(json["processes"][0]["throttled_permille"], 1_000);
    assert!(json["elapsed_msec"].as_u64().unwrap() >= 700);
}

#[test]
fn a_group_is_as_throttled_as_the_one_above() {
    let (tree, mut sampler) = sampler();
    sampler.sample(false).unwrap();
    tree.write(&format!("cpu/{CAP}/cpu.stat"), &tests_tree::stat(20, 4));
    let sample = sampler.sample(false).unwrap();
    assert_eq!(sample.entries[0].throttled_permille, Some(400), "4 of 10 above, none of its own");
}

#[test]
fn a_machine_that_is_not_there_is_an_error_only_at_first() {
    let (tree, host) = tests_tree::host();
    let none = Sampler::new(host.clone(), Some("f00".into())).unwrap().sample(false);
    assert!(none.unwrap_err().to_string().contains("0123456789ab"));
    let mut sampler = Sampler::new(host, Some("0123".into())).unwrap();
    assert_eq!(sampler.sample(true).unwrap().len(), 2);
    tree.write(&format!("pids/{CAP}/root/c1/cgroup.procs"), "");
    assert_eq!(sampler.sample(true).unwrap().len(), 0);
}

#[test]
fn a_frame_has_the_size_of_the_window() {
    let (tree, mut sampler) = sampler();
    for pid in 1_000..1_100 {
        tree.process(pid, "many", 1, 1);
    }
    let sample = sampler.sample(true).unwrap();
    let mut page = Page::new(&options());
    for (rows, columns) in [(24, 80), (3, 20), (2, 10), (1, 1), (200, 300)] {
        let frame = page.frame(&sample, rows, columns);
        assert!(frame.len() <= rows, "{rows}: {}", frame.len());
        for line in &frame {
            let plain = line.replace("\x1b[1m", "").replace("\x1b[7m", "").replace("\x1b[0m", "");
            assert!(text::width(&plain) <= columns, "{columns}: {plain:?}");
        }
    }
    let first = |page: &mut Page| {
        page.frame(&sample, 24, 80)[2].trim_start().split(' ').next().unwrap().to_string()
    };
    assert_eq!(first(&mut page), "1");
    assert!(page.press(Key::PageDown, 24));
    assert_eq!(first(&mut page), "1017");
    page.press(Key::End, 24);
    assert_eq!(first(&mut page), "1078", "the last page is full");
    page.press(Key::Up, 24);
    assert_eq!(first(&mut page), "1077");
    page.press(Key::Home, 24);
    let heads = |page: &mut Page| page.frame(&sample, 24, 80)[1].replace("\x1b[7m", "");
    let before = heads(&mut page);
    page.press(Key::Right, 24);
    assert_eq!(heads(&mut page)[..40], before[8..48], "the table moves");
}

#[test]
fn keys_change_the_page_and_q_ends_it() {
    let (_tree, mut sampler) = sampler();
    let sample = sampler.sample(false).unwrap();
    let mut page = Page::new(&options());
    page.press(Key::Char('s'), 24);
    assert!(page.frame(&sample, 24, 120)[0].contains("by rss"));
    page.press(Key::Char('a'), 24);
    assert!(page.all);
    page.press(Key::Char('h'), 24);
    assert!(page.frame(&sample, 24, 120).iter().any(|line| line.contains("PgUp, PgDn")));
    assert!(page.press(Key::Char('x'), 24) && page.press(Key::Up, 24));
    assert!(!page.press(Key::Char('q'), 24) && !page.press(Key::Interrupt, 24));
}
