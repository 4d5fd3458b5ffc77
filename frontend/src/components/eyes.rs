//! Two eyes: the host's `ps` and the container's `ps`, the same process joined by a thread.
//!
//! The tables are mirror images, so that the two PIDs of a process face each other.

use std::rc::Rc;

use vitrine_shared::message::{Container, Sample};
use vitrine_shared::namespace::Namespace;
use yew::prelude::*;

use super::in_sight::{Sight, use_in_sight};
use super::parts::letter;
use super::threads::use_threads;
use crate::eyes::{Row, container, host};
use crate::format;
use crate::kinds::{is_machine_shell, is_running, panes_of};
use crate::text::{kernel, other_processes};
use crate::ui::{Ui, use_ui};

/// What the eyes look at.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) sample: Option<Rc<Sample>>,
    pub(crate) container: Container,
}

/// Two eyes.
#[component]
pub(crate) fn Eyes(props: &Props) -> Html {
    let ui = use_ui();
    let t = ui.lab();
    let region = use_node_ref();
    let threads = use_node_ref();
    let (host_rows, container_rows, others) = match &props.sample {
        Some(sample) => (
            host(sample, &props.container),
            container(sample, &props.container),
            sample.other_processes,
        ),
        None => Default::default(),
    };
    use_threads(&region, &threads);
    let sight = use_in_sight(&region, "[data-host-pid]", host_rows.len());
    let ended = !is_running(&props.container);
    let own_pids = panes_of(&props.container).has(Namespace::Pid);
    let of_machine = is_machine_shell(&props.container);
    let machines = props.container.proc_depth < 2 && !ended && !of_machine;
    let caption = if of_machine { t.eye_machine } else { t.eye_container };
    let ended_word = if of_machine { t.shell_ended } else { t.container_ended };
    html! {
        // A region that scrolls must be reachable by keyboard.
        <div class="eyes-scroll" tabindex="0" role="group" aria-label={t.eyes_question}>
            <div class="eyes" ref={region}>
                <div class="eye eye-host" data-test="eye-host">
                    {table(&ui, t.eye_host, (&host_rows, sight), true)}
                    <p class="muted others">{other_processes(ui.lang, others)}</p>
                </div>
                <div class={classes!("eye", "eye-container", (!own_pids).then_some("is-open"))}
                    data-test="eye-container">
                    {corner(&ui, &props.container)}
                    {table(&ui, caption, (&container_rows, sight), false)}
                    <p class="muted" hidden={!machines}>{t.machine_proc}</p>
                    <p class="muted" hidden={!container_rows.is_empty()}>
                        {if ended { ended_word } else { t.no_rows }}
                    </p>
                </div>
                <svg class="threads" ref={threads} aria-hidden="true"></svg>
            </div>
        </div>
    }
}

/// The letters of the panes of glass around it.
fn corner(ui: &Ui, container: &Container) -> Html {
    let panes = panes_of(container);
    let new = || Namespace::ALL.into_iter().filter(move |namespace| panes.has(*namespace));
    let names: Vec<_> = new().map(|namespace| kernel::namespace_name(ui.lang, namespace)).collect();
    let whose = if is_machine_shell(container) { ui.lab().machine_panes } else { ui.lab().panes };
    let label = format!("{whose}: {}", names.join(ui.lang.pick(", ", "、")));
    html! {
        <span class="letters" role="img" aria-label={label.clone()} title={label}>
            {for new().map(letter)}
        </span>
    }
}

fn table(
    ui: &Ui,
    caption: &'static str,
    (rows, sight): (&[Row<'_>], Sight),
    mirrored: bool,
) -> Html {
    let t = ui.lab();
    let drawn = sight.of(rows.len());
    let heads = [
        ("pid", html! { {t.pid} }),
        ("nspid", html! { <abbr title={t.nspid_title}>{t.nspid}</abbr> }),
        ("uid", html! { {t.user} }),
        ("cpu", html! { {t.cpu} }),
        ("command", html! { {t.command} }),
    ];
    let head = |(class, word): &(&'static str, Html)| {
        html! {
            <th key={*class} scope="col" class={*class}>{word.clone()}</th>
        }
    };
    html! {
        <table class={if mirrored { "ps is-mirrored" } else { "ps" }} aria-rowcount={(rows.len() + 1).to_string()}>
            <caption>{caption}</caption>
            <thead><tr>
                {for turned(heads.iter().map(head).collect(), mirrored)}
            </tr></thead>
            <tbody>
                {sight.space("above", drawn.start, heads.len())}
                {for drawn.clone().map(|at| line(&rows[at], at, mirrored))}
                {sight.space("below", rows.len() - drawn.end, heads.len())}
            </tbody>
        </table>
    }
}

fn line(row: &Row<'_>, at: usize, mirrored: bool) -> Html {
    let busy = row.cpu_permille >= 10;
    let pids: Vec<String> = row.pids.iter().map(u32::to_string).collect();
    let pids = pids.join(" ");
    // style.css shows them under the first cell where they have no column.
    let (of_pid, of_command) = if mirrored { (None, Some(pids)) } else { (Some(pids), None) };
    let cells = vec![
        html! { <td key="pid" class="pid" data-pids={of_pid}>{row.pid}</td> },
        html! { <td key="nspid" class="nspid">{nspid(row)}</td> },
        html! { <td key="uid" class="uid">{row.uid}</td> },
        html! { <td key="cpu" class={classes!("cpu", busy.then_some("is-busy"))}>{format::percent(row.cpu_permille)}</td> },
        html! {
            <td key="command" class="command" title={row.command.to_string()} data-pids={of_command}>
                <span class="line">{&*row.command}</span>
            </td>
        },
    ];
    html! {
        <tr key={row.host_pid} data-host-pid={row.host_pid.to_string()} aria-rowindex={(at + 2).to_string()}
            class={classes!(row.ours.then_some("is-ours"), (row.state == 'Z').then_some("is-dead"))}>
            {for turned(cells, mirrored)}
        </tr>
    }
}

/// All its PIDs, the one that this eye sees in bold.
fn nspid(row: &Row<'_>) -> Html {
    let mut marked = false;
    html! {
        <span>{for row.pids.iter().enumerate().map(|(depth, pid)| {
            let this = !marked && *pid == row.pid;
            marked |= this;
            let gap = if depth > 0 { " " } else { "" };
            html! { <span key={depth}>{gap}{if this { html! { <b>{pid}</b> } } else { html! { {pid} } }}</span> }
        })}</span>
    }
}

fn turned(mut cells: Vec<Html>, mirrored: bool) -> Vec<Html> {
    if mirrored {
        cells.reverse();
    }
    cells
}
