//! Two processes: what they share and what not, with the lines that show it.

use std::rc::Rc;

use vitrine_shared::discovery::Discovery;
use vitrine_shared::message::{Machine, Sample};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::process::Process;
use yew::prelude::*;

use super::super::parts::letter;
use super::pictures;
use crate::matrix::Sources;
use crate::matrix::compare::{Evidence, Pair, compare as pairs_of};
use crate::text::matrix as words;
use crate::ui::{Ui, select_value, use_ui};

/// What is compared.
#[derive(Properties)]
pub(super) struct Props {
    pub(super) machine: Rc<Machine>,
    pub(super) sample: Rc<Sample>,
    pub(super) discovery: Rc<Discovery>,
    /// A number that changes with what is shown of the sample: most samples change nothing.
    pub(super) seen: u64,
    /// By their PIDs on the host.
    pub(super) pair: [Option<u32>; 2],
    /// Hears which of the two is to be whom.
    pub(super) pick: Callback<(usize, u32)>,
}

impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        (self.seen, self.pair, &self.pick) == (other.seen, other.pair, &other.pick)
            && Rc::ptr_eq(&self.machine, &other.machine)
            && Rc::ptr_eq(&self.discovery, &other.discovery)
    }
}

/// The panel. Without a choice: the machine's first process and the first of a container.
#[component]
pub(super) fn Compare(props: &Props) -> Html {
    let ui = use_ui();
    let ui = &ui;
    let t = words::words(ui.lang);
    let (processes, discovery) = (&props.sample.processes, &props.discovery);
    let sources = Sources { machine: &props.machine, processes, discovery };
    let (sources, pick) = (&sources, &props.pick);
    let processes = sources.ordered();
    let Some((a, b)) = chosen(&processes, props.pair) else { return html! { <div></div> } };
    let shares = |kind: Namespace| {
        let ids = [a, b].map(|process| process.namespaces[kind as usize]);
        ids[0] != 0 && ids[0] == ids[1]
    };
    html! {
        <div class="pair" data-test="compare">
            <h3>{t.compare}</h3>
            <div class="pair-pickers">
                {picker(t.first, 0, &processes, a, pick)}
                {picker(t.second, 1, &processes, b, pick)}
            </div>
            <div class="pair-scroll" tabindex="0" role="group" aria-label={t.compare}>
                <table class="pairs">
                    <thead><tr>
                        <th scope="col">{t.kind}</th>
                        <th scope="col">{t.verdict}</th>
                        <th scope="col">{t.evidence}</th>
                    </tr></thead>
                    <tbody>{for pairs_of(a, b).iter().map(|pair| line(ui, pair))}</tbody>
                </table>
            </div>
            {pictures::ids(ui, sources.discovery, [a, b], shares(Namespace::User))}
            {pictures::mounts(ui, sources.discovery, [a, b], shares(Namespace::Mount))}
            {pictures::devices(ui, sources, [a, b], shares(Namespace::Net))}
        </div>
    }
}

fn chosen<'a>(
    processes: &[&'a Process],
    pair: [Option<u32>; 2],
) -> Option<(&'a Process, &'a Process)> {
    let named = |pid: Option<u32>| {
        processes.iter().copied().find(|process| Some(process.host_pid()) == pid)
    };
    let first = processes.first().copied()?;
    let of_container = processes.iter().copied().find(|process| process.container.is_some());
    let last = of_container.or_else(|| processes.last().copied())?;
    Some((named(pair[0]).unwrap_or(first), named(pair[1]).unwrap_or(last)))
}

/// A process in a list and over a picture.
pub(super) fn title(process: &Process) -> String {
    format!("{} {}", process.host_pid(), process.command)
}

fn picker(
    word: &'static str,
    at: usize,
    processes: &[&Process],
    chosen: &Process,
    pick: &Callback<(usize, u32)>,
) -> Html {
    let change = pick.reform(move |event: Event| {
        // The values are numbers of ours.
        (at, select_value(&event).parse().unwrap_or(0))
    });
    html! {
        <label>{word}
            <select data-test={format!("pick-{at}")} onchange={change}>
                {for processes.iter().map(|process| html! {
                    <option key={process.host_pid()} value={process.host_pid().to_string()}
                        selected={process.host_pid() == chosen.host_pid()}>{title(process)}</option>
                })}
            </select>
        </label>
    }
}

fn line(ui: &Ui, pair: &Pair) -> Html {
    let t = words::words(ui.lang);
    let (sign, word, class) = match pair.shared {
        Some(true) => ("=", t.shared, "is-shared"),
        Some(false) => ("≠", t.not_shared, "is-apart"),
        None => ("?", t.unknown, "is-unknown"),
    };
    let name = pair.kind.option();
    html! {
        <tr key={name} class={classes!(class, format!("ns-{name}"))} data-kind={pair.kind.proc_name()}>
            <th scope="row"><span class="mx-kind">{letter(pair.kind)}<code>{pair.kind.proc_name()}</code></span></th>
            <td class="pair-verdict"><span aria-hidden="true">{sign}{" "}</span>{word}</td>
            <td class="pair-evidence">{for pair.evidence.iter().map(said)}</td>
        </tr>
    }
}

fn said(evidence: &Evidence) -> Html {
    html! {
        <code key={evidence.line.clone()}>
            <span class="muted">{"# "}</span>{&evidence.line}{" "}<b>{&evidence.prints}</b>
        </code>
    }
}
